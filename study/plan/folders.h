// Folders that describe themselves in a file of JSON: subjects, tasks, workloads.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/text.h"

namespace fjord::study {

/// What a file has; an error names the file, and the line where it stops being JSON.
Result<Json> readJson(const std::filesystem::path& path);

/// The folders of a folder, sorted; those of tools (".cache", "__pycache__") are none of ours.
Result<std::vector<std::filesystem::path>> foldersOf(const std::filesystem::path& folder);

/// Whether a folder or a backend may be called so: lower-case letters, digits, - _ .
bool isFolderName(std::string_view text);

/// "a, b, c": what those of a list are called; "none" of none.
std::string namesOf(const auto& list) {
  std::string out;
  for (const auto& entry : list) out += cat(out.empty() ? "" : ", ", entry.name);
  return out.empty() ? "none" : out;
}
/// That of a list which is called so, or nullptr.
const auto* findNamed(const auto& list, std::string_view name) {
  auto found = std::ranges::find(list, name, [](const auto& entry) { return entry.name; });
  return found == list.end() ? nullptr : &*found;
}

}  // namespace fjord::study
