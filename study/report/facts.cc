#include "report/facts.h"

#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace fjord::study {

namespace {

namespace fs = std::filesystem;

/// Where the server finds a file that a subject names: of an npm package, or of a folder of its own
/// with a "/" before it. Fjord's package is the one that was built.
fs::path placeOf(const std::string& modules, const std::string& file) {
  fs::path checkout = fs::path(modules) / "..";
  constexpr std::string_view kFjord = "fjord/";
  std::string inside = file.substr(file.starts_with("/"));
  if (inside.starts_with(kFjord)) return checkout / "build" / "npm" / inside.substr(kFjord.size());
  return file == inside ? fs::path(modules) / file : checkout / "study" / inside;
}

/// "MIT"; old packages have {"type": "MIT"}, or a list of such.
std::string licenseOf(const Json& package) {
  const Json& license = member(package, "license");
  if (license.is_object()) return stringOr(license, "type", "");
  const Json& several = member(package, "licenses");
  if (several.is_array() && !several.empty()) return stringOr(several[0], "type", "");
  return stringOr(package, "license", "");
}

LibrarySize sizeOf(const std::string& modules, const Subject& subject, const Backend& backend) {
  LibrarySize size;
  for (const auto* files : {&subject.files, &backend.files}) {
    for (const std::string& file : *files) {
      std::optional<std::string> bytes = fileBytes(placeOf(modules, file).string());
      if (!bytes) {
        size.missing = file + " is missing";
        continue;
      }
      size.raw += static_cast<int64_t>(bytes->size());
      size.gzip += gzipSize(*bytes);
    }
  }
  if (subject.files.empty() && backend.files.empty()) size.missing = "it has no library";
  return size;
}

}  // namespace

Packages allPackages(const std::string& modules, const Catalogue& catalogue) {
  Packages packages;
  for (const Subject& subject : catalogue.subjects)
    packages[subject.name] = packageFacts(modules, subject);
  return packages;
}

std::optional<std::string> fileBytes(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return {};
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (!file) return {};
  return std::move(bytes).str();
}

int64_t gzipSize(const std::string& bytes) {
  constexpr int kWindowAndGzip = 15 + 16;  // the largest window; + 16 asks zlib for gzip's header
  constexpr int kMemory = 8;               // zlib's default
  z_stream stream = {};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kWindowAndGzip, kMemory,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    return 0;
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  // zlib reads through a pointer that is not to const.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  auto size = static_cast<int64_t>(stream.total_out);
  deflateEnd(&stream);
  return size;
}

PackageFacts packageFacts(const std::string& modules, const Subject& subject) {
  PackageFacts facts;
  if (subject.native) {
    facts.missing = "a native program";
    return facts;
  }
  for (const Backend& backend : subject.backends)
    facts.files[backend.name] = sizeOf(modules, subject, backend);
  if (subject.packages.empty()) {
    facts.missing = "no package";
    return facts;
  }
  const std::string& name = subject.packages[0];
  fs::path path = placeOf(modules, name + "/package.json");
  Result<Json> json = parseJson(fileBytes(path.string()).value_or(""));
  if (!json) {
    facts.missing = name + "/package.json is missing";
    return facts;
  }
  facts.version = stringOr(*json, "version", "");
  facts.license = licenseOf(*json);
  // npm takes index.js where nothing else is named.
  facts.node = member(*json, "main").is_string() || !member(*json, "exports").is_null() ||
               fs::exists(path.parent_path() / "index.js");
  return facts;
}

}  // namespace fjord::study
