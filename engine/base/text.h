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

/// A short text that reads back as the same number; NaN and Infinity as JavaScript writes them.
void append(std::string& out, double value);
void append(std::string& out, float value);

/// A part of a message, and how it is written. Hundreds of messages then share one function.
struct TextPart {
  const void* value;
  void (*write)(std::string& out, const void* value);

  template <class T>
  TextPart(const T& part)
      : value(&part), write([](std::string& out, const void* value) {
          append(out, *static_cast<const T*>(value));
        }) {}
  TextPart(const char* text)
      : value(text), write([](std::string& out, const void* value) {
          append(out, static_cast<const char*>(value));
        }) {}
  template <size_t n>
  TextPart(const char (&text)[n]) : TextPart(static_cast<const char*>(text)) {}
};

std::string catParts(const TextPart* parts, size_t count);

template <class... Ts>
[[gnu::always_inline]] inline std::string cat(const Ts&... parts) {
  const TextPart list[] = {TextPart(parts)...};
  return catParts(list, sizeof...(Ts));
}

}  // namespace fjord
