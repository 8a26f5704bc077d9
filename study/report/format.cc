#include "report/format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/text.h"

namespace fjord::study {

namespace {

/// Commas between the thousands of what stands before the point.
std::string withCommas(std::string digits) {
  size_t point = std::min(digits.find('.'), digits.size());
  while (point > 3 && digits[point - 4] != '-') digits.insert(point -= 3, ",");
  return digits;
}

}  // namespace

std::string number(double value) {
  if (!std::isfinite(value)) return "–";
  if (value == 0) return "0";
  // Digits after the point, for three that count: 9.996 is 10.0, so the exponent is that of the
  // rounded value.
  int exponent = static_cast<int>(std::floor(std::log10(std::abs(value) * (1 + 0.5e-3))));
  return withCommas(fixed(value, std::clamp(2 - exponent, 0, 12)));
}

std::string count(size_t value) { return withCommas(cat(value)); }

std::string counted(size_t value, const char* noun) {
  return cat(count(value), " ", noun, value == 1 ? "" : "s");
}

std::string between(const Interval& interval) {
  if (!(interval.low < interval.high)) return "";
  std::string low = number(interval.low), high = number(interval.high);
  return low == high ? "" : low + "–" + high;
}

std::string fixed(double value, int digits) {
  char text[400];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string megabytes(double bytes) { return fixed(bytes / 1e6, 2); }

std::string duration(double milliseconds) {
  if (milliseconds < 1e-4) return number(milliseconds * 1e6) + " ns";
  if (milliseconds < 0.1) return number(milliseconds * 1e3) + " µs";
  if (milliseconds < 1e3) return number(milliseconds) + " ms";
  return number(milliseconds / 1e3) + " s";
}

std::string clipped(const std::string& text, size_t most) {
  std::string out;
  size_t characters = 0;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >> 6 != 2 && ++characters > most) return out + "…";
    out += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  return out;
}

}  // namespace fjord::study
