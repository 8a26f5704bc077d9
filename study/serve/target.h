// The target of a request line, taken apart: "/data/digits.bin?first=0&count=64" into its path and
// its parameters, both decoded.
//
//   std::optional<Target> target = parseTarget("/files/tfjs/2x128/model.json");
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "serve/server.h"

namespace fjord::study {

struct Target {
  std::string path;  // decoded: %2e%2e is "..", which files.h then refuses
  Query query;
};

/// nullopt where it is no path that begins with a slash, has a broken escape or a control character
/// (NUL, line ends), or names a parameter twice.
std::optional<Target> parseTarget(std::string_view target);

}  // namespace fjord::study
