// Files for the command line: read whole and once, so that they may be pipes, and unpacked where they
// are gzipped; written so that the old file stays until the new one is complete. "-" is the standard
// input or output. Symbolic links are followed, and stay.
#pragma once

#include <span>
#include <string>

#include "base/result.h"

namespace fjord::cli {

/// The bytes of a file; of what is in it if it is a .gz.
Result<std::string> readFile(const std::string& path);

/// Writes beside `path`, waits for the disk, and renames: whatever goes wrong, `path` holds either
/// what it held before or all of `bytes`. A pipe, a terminal or a device is written into.
Status writeFile(const std::string& path, std::string_view bytes);

/// Whether what is written there cannot be replaced: a pipe, a terminal, a device.
bool isStream(const std::string& path);
/// "-", /dev/stdout and what else leads there.
bool isStandardOutput(const std::string& path);

/// Whether writeFile could begin: to be asked before hours of work.
Status checkWritable(const std::string& path);

/// The error with the file's name before it.
std::unexpected<Error> failAt(const std::string& path, const Error& error);

inline std::span<const std::byte> bytesOf(const std::string& s) {
  return std::as_bytes(std::span(s));
}

}  // namespace fjord::cli
