// Files for the command line: read whole, unpacked where they are gzipped; written so that the old
// file stays until the new one is complete.
#pragma once

#include <span>
#include <string>

#include "base/result.h"

namespace fjord::cli {

/// The bytes of a file; of what is in it if it is a .gz.
Result<std::string> readFile(const std::string& path);

/// Writes beside `path`, waits for the disk, and renames: whatever goes wrong, `path` holds either
/// what it held before or all of `bytes`.
Status writeFile(const std::string& path, std::string_view bytes);

/// Whether writeFile could begin: to be asked before hours of work.
Status checkWritable(const std::string& path);

/// The error with the file's name before it.
std::unexpected<Error> failAt(const std::string& path, const Error& error);

inline std::span<const std::byte> bytesOf(const std::string& s) {
  return std::as_bytes(std::span(s));
}

}  // namespace fjord::cli
