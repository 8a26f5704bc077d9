// What stands in a subject's npm packages: version, license, the size of what a page loads.
//
//   PackageFacts facts = packageFacts("node_modules", subject);
//   facts.files["wasm"].raw              // bytes of the subject's files and the backend's
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "plan/subjects.h"

namespace fjord::study {

struct LibrarySize {
  int64_t raw = 0;
  int64_t gzip = 0;     // as gzip at its default level makes it
  std::string missing;  // a file that is not there, or ""
};

struct PackageFacts {
  std::string version, license;
  bool node = false;                         // package.json names an entry that Node can load
  std::string missing;                       // why there is none of these, or ""
  std::map<std::string, LibrarySize> files;  // by backend
};

/// `modules` is node_modules. Of a native subject only the sizes are left out.
PackageFacts packageFacts(const std::string& modules, const Subject& subject);

/// Of all subjects, by name. Files are read and compressed once.
using Packages = std::map<std::string, PackageFacts>;
Packages allPackages(const std::string& modules, const Catalogue& catalogue);

/// The bytes of a file; nothing where it cannot be read.
std::optional<std::string> fileBytes(const std::string& path);
/// How long `bytes` are as gzip.
int64_t gzipSize(const std::string& bytes);

}  // namespace fjord::study
