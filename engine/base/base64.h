// Bytes as text (RFC 4648, section 4), for arrays in JSON.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fjord {

std::string base64Of(std::span<const std::byte> bytes);
/// False where the text is not that of so many bytes.
bool fromBase64(std::string_view text, std::span<std::byte> bytes);

}  // namespace fjord
