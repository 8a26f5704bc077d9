// The two networks that the command line can make by itself, as Keras JSON.
#pragma once

#include <vector>

#include "base/shape.h"
#include "nn/json.h"

namespace fjord::cli {

/// Dense layers of these sizes, the first of which is the number of inputs: relu between them, and
/// at the end softmax over classes, or for one output the sigmoid or nothing.
/// `normalize` puts a batch normalisation before them, which learns mean and spread of each input.
Json mlp(const std::vector<int>& sizes, bool normalize, bool isBinary);

/// Twice a 5 x 5 convolution and a pooling, then a dense layer; pictures [height,width,channels].
Json cnn(const Shape& picture, int classes);

}  // namespace fjord::cli
