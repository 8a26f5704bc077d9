#include "base/text.h"

#include "base/json.h"

namespace fjord {

namespace {

// By the function that writes the numbers of JSON texts: std::to_chars has tables of 115 KB, which a
// page would have to download.
template <class T>
void appendNumber(std::string& out, T value) {
  if (value != value) return append(out, "NaN");
  if (value - value != 0) return append(out, value > 0 ? "Infinity" : "-Infinity");
  char digits[64];
  const char* end = nlohmann::detail::to_chars(digits, digits + sizeof digits, value);
  std::string_view text(digits, static_cast<size_t>(end - digits));
  if (text.ends_with(".0")) text.remove_suffix(2);
  // The shorter of 9007199254740991 and 9.007199254740991e+15.
  constexpr T kWhole = 1ll << 62;
  if (text.contains('e') && value > -kWhole && value < kWhole &&
      static_cast<T>(static_cast<int64_t>(value)) == value) {
    std::string whole = cat(static_cast<int64_t>(value));
    if (whole.size() < text.size()) return static_cast<void>(out += whole);
  }
  out += text;
}

}  // namespace

std::string catParts(const TextPart* parts, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) parts[i].write(out, parts[i].value);
  return out;
}

void append(std::string& out, double value) { appendNumber(out, value); }
void append(std::string& out, float value) { appendNumber(out, value); }

}  // namespace fjord
