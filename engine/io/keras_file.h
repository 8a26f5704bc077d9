// The files that Keras saves models in, which are not read here: known by their first bytes, so that
// readers of other files can say what they were given.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace fjord {

/// "an HDF5 file (Keras's .h5)", "a zip archive (Keras's .keras)", or "".
inline std::string_view kerasFile(std::span<const std::byte> file) {
  std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
  // HDF5 File Format Specification 3.0, II.A.
  if (bytes.starts_with("\x89HDF\r\n\x1a\n")) return "an HDF5 file (Keras's .h5)";
  // APPNOTE.TXT 6.3.10 of zip, 4.3.7.
  if (bytes.starts_with("PK\x03\x04")) return "a zip archive (Keras's .keras)";
  return "";
}

}  // namespace fjord
