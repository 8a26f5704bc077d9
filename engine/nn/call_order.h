// The order in which the calls of a model's layers are computed.
#pragma once

#include <vector>

#include "nn/topology.h"

namespace fjord {

/// All calls but those of inputs, each after those that it reads, otherwise in the order of the
/// description, which is the order of Keras's lists of weights. A layer may read what an earlier call
/// of its own gave. Fails for a call that does not exist, one that in the end reads itself, and an
/// input that is not among the model's.
Result<std::vector<Topology::TensorRef>> callOrder(const Topology& topology);

}  // namespace fjord
