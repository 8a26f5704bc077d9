// The networks that are trained and inferred with: families of them, one folder of workloads/ each, of
// which a workload names one by depth and width.
//
//   FJORD_TRY(std::vector<Family> families, readFamilies("study"));
//   FJORD_TRY(std::vector<Workload> workloads, parseWorkloads(families, "1x64,cnn/9x400"));
//   FJORD_TRY(Network network, networkOf(families, workloads[1], {.hidden = "relu"}));
//   network.layers        // conv2d 3x3x1x400, conv2d 3x3x400x400, maxPool 2, .., flatten, dense, dense
//
// Images are [height,width,channels], sequences [steps,values]. docs/study.md says what stands in a workload.json.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plan/types.h"

namespace fjord::study {

/// A layer as adapters get it. "conv2d" has stride 1, "maxPool" that of its size. The gates of "lstm" are
/// i, f, c, o in this order, as Keras has them: sigmoids, but for the tanh of c and of the cell.
struct Layer {
  std::string type;            // "dense", "conv2d", "maxPool", "flatten", "lstm"
  std::vector<int> kernel;     // dense [in,out], conv2d [size,size,in,out], lstm [in,4*units]
  std::vector<int> recurrent;  // of lstm: [units,4*units]
  std::string activation;      // of dense and conv2d: "relu", "sigmoid", "tanh", "softmax"
  std::string padding;         // of conv2d and maxPool: "same" or "valid"
  int size = 0;                // of maxPool
  bool sequences = false;      // of lstm: it gives what each step does, and not only the last
  std::vector<int> in, out;    // shapes of a sample before and after it
  bool operator==(const Layer&) const = default;
};
bool isLayerType(std::string_view type);
/// "dense, conv2d, maxPool, flatten, lstm"
std::string layerTypes();

/// What frameworks differ in. Those of the paper cannot all make the same network; each is compared
/// with its own.
struct Style {
  std::string hidden = "relu";     // or "sigmoid", "tanh"
  std::string output = "softmax";  // or "sigmoid", "relu", "tanh"
  bool bias = true;
  bool operator==(const Style&) const = default;
};

/// What is compared before anything is timed: outputs of so many samples, and losses of so many
/// steps of plain gradient descent with batches of so many. The paper's batch where the reference's
/// loops are quick enough.
struct Compared {
  int outputs = 10, batch = 64, steps = 3;
  double rate = 0.05;
};

struct Network {
  Workload workload;
  Style style;
  std::string data;        // what it learns: "digits", or "text"
  std::vector<int> input;  // the shape of a sample
  std::vector<Layer> layers;
  bool he = false;  // how weights are drawn: network.h
  int batch = 64;
  std::string optimizer = "sgd";  // or "rmsprop"
  double rate = 0.05;
  Compared compared;

  /// Numbers of a sample.
  size_t inputs() const;
  /// Numbers that it learns.
  size_t weights() const;
  /// Multiplications with additions for one sample, forward; taps that lie in the padding count.
  double macs() const;
  /// The same for training: forward, the gradients of weights, and of inputs, of which those of the first
  /// layer are not needed.
  double trainingMacs() const;
};
/// As adapters and programs are told of it.
Json toJson(const Network& network);

/// Values that one subject's computation was compared with once, for networks that take long.
struct Stored {
  std::vector<std::vector<double>> outputs;
  std::vector<double> losses;
};

/// A folder of workloads/.
struct Family {
  std::string name;   // "cnn"
  std::string title;  // "Convolutional networks"
  std::string note;   // what a reader has to know of it, or ""
  // What depth and width count: "layers", "kernels".
  std::string depthIs = "layers", widthIs = "units";
  std::vector<int> depths, widths;  // its grid
  // What else is asked of it together: those of "section5", ..
  std::map<std::string, std::vector<Workload>> suites;

  std::vector<Workload> grid() const;
  /// Its network of a depth and width, or why there is none: the blocks do not make that depth, it does not
  /// end with a number for each class, or the loops that it is compared with would take too long.
  Result<Network> network(const Workload& workload, const Style& style) const;

  // How a network is made: the block again and again, then the tail.
  std::string data = "digits";
  std::vector<int> input;
  std::vector<Json> block, tail;
  int blockDepth = 1, tailDepth = 0;  // how many layers they count as
  bool he = false;
  int batch = 64;
  std::string optimizer = "sgd";
  double rate = 0.05;
  Compared compared;
  std::map<std::string, Stored> stored;  // by size, of the style that is the default
};

/// Reads workloads/ in `study`.
Result<std::vector<Family>> readFamilies(const std::string& study);

/// "dense/2x128" or "2x128" for that one; nothing where it is written otherwise, with leading zeros
/// too, or has more than 64 layers or 4096 units. That there is such a family is not looked at.
std::optional<Workload> workloadOf(std::string_view name);

/// "1x64,cnn/9x400": networks that their families have; none twice.
Result<std::vector<Workload>> parseWorkloads(const std::vector<Family>& families,
                                             const std::string& text);
/// The networks that families have for a suite: "section5".
Result<std::vector<Workload>> suiteOf(const std::vector<Family>& families, const std::string& name);
Result<Network> networkOf(const std::vector<Family>& families, const Workload& workload,
                          const Style& style = {});

}  // namespace fjord::study
