// Numbers as people read them.
//
//   number(9.3149)              "9.31"
//   number(1511.2)              "1,511"
//   between({8.9, 9.3, 10.1})   "8.90–10.1"
//   megabytes(203560)           "0.20"
#pragma once

#include <string>

#include "stats/stats.h"

namespace fjord::study {

/// Three significant digits, whole numbers from 100 on, commas between thousands; a dash for what
/// is not a number.
std::string number(double value);
/// 12345 is "12,345".
std::string count(size_t value);
/// "1 trial", "3 trials"
std::string counted(size_t count, const char* noun);
/// The ends of an interval; "" where it has no width.
std::string between(const Interval& interval);
/// With so many digits after the point.
std::string fixed(double value, int digits);
/// 10^6 bytes, two digits after the point.
std::string megabytes(double bytes);
/// Milliseconds with the unit that suits: "13.6 ns", "0.400 µs", "9.31 ms", "1.51 s".
std::string duration(double milliseconds);
/// Its first `most` characters (UTF-8), with a mark where something is left out; control characters
/// become spaces.
std::string clipped(const std::string& text, size_t most);

}  // namespace fjord::study
