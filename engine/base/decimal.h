// Decimal numbers to floating point, rounded as IEEE 754 wants it, whatever the locale. The C library's
// strtod, and the wider numbers that it computes with, would be 20 KB for a page to download.
#pragma once

#include <cstdint>
#include <string>

namespace fjord {

/// The double nearest to 0.digits.. * 10^point, ties to even: fromDecimal("125", 1) == 1.25. Infinity beyond
/// the largest.
double fromDecimal(std::string digits, int64_t point);

}  // namespace fjord
