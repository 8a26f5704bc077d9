#include "base/base64.h"

#include <algorithm>
#include <cstdint>

namespace fjord {

namespace {
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

std::string base64Of(std::span<const std::byte> bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = i; k < i + 3; ++k)
      bits = bits << 8 | (k < bytes.size() ? static_cast<uint32_t>(bytes[k]) : 0);
    for (size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

bool fromBase64(std::string_view text, std::span<std::byte> bytes) {
  if (text.size() != (bytes.size() + 2) / 3 * 4) return false;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 4; ++k) {
      char c = text[i / 3 * 4 + k];
      bool isRest = i + k > bytes.size();
      size_t digit = isRest ? 0 : kDigits.find(c);
      if (digit == kDigits.npos || (isRest && c != '=')) return false;
      bits = bits << 6 | static_cast<uint32_t>(digit);
    }
    for (size_t k = i; k < std::min(i + 3, bytes.size()); ++k)
      bytes[k] = static_cast<std::byte>(bits >> (16 - 8 * (k - i)));
  }
  return true;
}

}  // namespace fjord
