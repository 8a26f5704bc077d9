// The text whose next characters recurrent networks learn.
#pragma once

#include <string>

#include "base/result.h"

namespace fjord::study {

/// Characters that a network sees before the one that it is asked for, and how many different ones there are:
/// those of the paper's text.
inline constexpr int kSequence = 40, kCharacters = 84;

/// From a file in UTF-8: bytes, `count` sequences [count,40] and then the character after each [count],
/// both as numbers from 0 to 83. What is none of the 84 is taken as a space. Example i begins at the character
/// 3 * ((7919 * i) mod N), where N is the number of beginnings three characters apart that there are.
Result<std::string> sequences(const std::string& path, int first, int count);

}  // namespace fjord::study
