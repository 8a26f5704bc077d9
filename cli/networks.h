// The two networks that the command line can make by itself, as Keras JSON.
#pragma once

#include <vector>

#include "base/shape.h"
#include "nn/model.h"

namespace fjord::cli {

/// Dense layers of these sizes, the first of which is the number of inputs: relu between them, and
/// at the end softmax over classes, or for one output the sigmoid or nothing.
/// `normalize` puts a frozen batch normalisation before them, for setNormalization.
Json mlp(const std::vector<int>& sizes, bool normalize, bool isBinary);

/// Tells the normalisation of such a network mean and variance of each column of the first `rows` of
/// x [samples,..].
void setNormalization(Model& model, const Tensor& x, int64_t rows);

/// Twice a 5 x 5 convolution and a pooling, then a dense layer; pictures [height,width,channels].
Json cnn(const Shape& picture, int classes);

}  // namespace fjord::cli
