// Networks computed in double precision by plain loops: what every subject has to reproduce before it
// is timed. No arithmetic is shared with the engine that is measured.
//
//   FJORD_TRY(Network net, networkOf(families, {2, 128}));
//   std::vector<Weights> weights = weightsOf(net);               // the same for every subject
//   std::vector<double> p = outputs(net, weights, image);        // [10], probabilities if a softmax
//
// Pixels are in [0, 1]; of a text's sequence [steps,characters] one number a step is 1. Kernels are [in,out]
// and [height,width,in,out], row-major.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/workload.h"

namespace fjord::study {

/// Of a layer that has a kernel.
struct Weights {
  std::vector<float> kernel;          // of the layer's shape
  std::vector<float> bias;            // [out]
  std::vector<float> recurrent = {};  // of an lstm
};

/// Kernels that are uniform by Glorot and Bengio (2010), or by He et al. (2015) where the network says
/// so; small uniform biases in [-0.1, 0.1) so that a bias that is left out or added twice shows; from
/// Philox and a fixed seed, so the same everywhere. Without biases they are zero. Recurrent kernels are uniform
/// within 1/sqrt(units), and biases of forget gates have 1 added. Word i of stream 2l fills element i of
/// kernel l, and of the recurrent one behind it, stream 2l + 1 its bias.
std::vector<Weights> weightsOf(const Network& network);

/// All weights as little-endian float32: kernel, recurrent kernel, bias of each layer in order, as far as it
/// has them (the bias only if the network has one).
std::string weightBytes(std::span<const Weights> weights, bool bias);

/// x of the network's input -> [10], or [84] of a text
std::vector<double> outputs(const Network& network, std::span<const Weights> weights,
                            std::span<const double> x);

/// Plain gradient descent on the mean cross-entropy of each batch, from the weights given: the loss
/// of each step before its update. x [steps*batch,..input], labels [steps*batch]. The outputs are a
/// softmax, whatever the style says.
std::vector<double> trainingLosses(const Network& network, std::span<const Weights> weights,
                                   std::span<const double> x, std::span<const uint8_t> labels,
                                   int batch, double rate, int steps);

}  // namespace fjord::study
