#include "plan/folders.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace fjord::study {

namespace fs = std::filesystem;

namespace {

/// Where a text stops being JSON.
struct Offence : nlohmann::detail::json_sax_acceptor<Json> {
  size_t at = 0;
  // The library's name.
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
    at = position;
    return false;
  }
};

}  // namespace

Result<Json> readJson(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(path.string(), ": cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  std::string content = text.str();
  if (auto json = parseJson(content)) return json;
  Offence offence;
  Json::sax_parse(content, &offence);
  auto end = content.begin() + static_cast<ptrdiff_t>(std::min(offence.at, content.size()));
  return fail(path.string(), ": not valid JSON, line ", 1 + std::count(content.begin(), end, '\n'));
}

bool isFolderName(std::string_view text) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !text.empty() && text[0] != '.' && std::ranges::all_of(text, allowed);
}

Result<std::vector<fs::path>> foldersOf(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> out;
  fs::directory_iterator entries(folder, error);
  if (error)
    return fail(folder.string(), ": ", error.message(),
                "; it is a folder of study/ in Fjord's source");
  for (const fs::directory_entry& entry : entries) {
    std::string name = entry.path().filename().string();
    if (!entry.is_directory(error) || name.starts_with(".") || name.starts_with("_")) continue;
    if (!isFolderName(name))
      return fail(entry.path().string(),
                  ": its name is to be of lower-case letters, digits, - _ .");
    out.push_back(entry.path());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace fjord::study
