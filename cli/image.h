// Pictures for `fjord predict --image`: PNG, and the PGM and PPM that any tool can write.
#pragma once

#include <span>
#include <vector>

#include "base/tensor.h"

namespace fjord::cli {

/// Red, green, blue [height,width,3] in 0 .. 1; what is transparent lies on white.
Result<Tensor> readImage(std::span<const std::byte> file);

/// The picture at another size, each pixel the mean of what it covers: [height,width,3] to
/// [height,width,channels], where one channel is the brightness.
Result<Tensor> fitImage(const Tensor& picture, int32_t height, int32_t width, int32_t channels);

}  // namespace fjord::cli
