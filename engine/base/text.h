// Building messages without iostreams: cat("matMul: ", shape, " against ", 3) -> std::string.
//
// A type becomes printable by a function `void append(std::string&, const T&)` in its namespace.
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace fjord {

inline void append(std::string& out, std::string_view s) { out += s; }
inline void append(std::string& out, const char* s) { out += s; }
inline void append(std::string& out, char c) { out += c; }
inline void append(std::string& out, bool b) { out += b ? "true" : "false"; }

template <std::integral T>
void append(std::string& out, T value) {
  char digits[24];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

/// Shortest text that reads back as the same number; NaN and Infinity as JavaScript writes them.
template <std::floating_point T>
void append(std::string& out, T value) {
  if (value != value) return append(out, "NaN");
  if (value - value != 0) return append(out, value > 0 ? "Infinity" : "-Infinity");
  char digits[40];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

template <class... Ts>
std::string cat(const Ts&... parts) {
  std::string out;
  (append(out, parts), ...);
  return out;
}

}  // namespace fjord
