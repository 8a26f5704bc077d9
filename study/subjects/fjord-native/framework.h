// Fjord as its native programs use it: through its public C++ API alone.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "nn/model.h"

namespace fjord {

/// Milliseconds.
double now();
/// A line of JSON on the standard output.
void say(const Json& line);
Result<std::string> readFile(const std::string& path);

/// What is trained on: inputs [n,..input], and what they are [n,classes].
struct Examples {
  Tensor x, y;
};

class Framework {
 public:
  /// "1-thread", or as many as there are cores.
  explicit Framework(const std::string& backend);
  /// "2 threads, AVX2"
  std::string engine() const;
  static Json facts();

  /// A model to train; `values` are kernel and bias of each layer. docs/study.md says what a network is.
  Result<std::unique_ptr<Model>> build(const Json& network, std::span<const float> values);
  Result<std::unique_ptr<Model>> load(const std::string& path);
  /// The mean loss before the update.
  static Result<double> train(Model& model, const Examples& batch);
  static Result<std::vector<double>> infer(Model& model, const Shape& shape,
                                           std::span<const float> x);

 private:
  Threads threads_;
};

/// MNIST's digits, pixels in [0, 1], or a text's sequences [steps,84], of which one number a step is 1.
class Data {
 public:
  /// digits.bin or text.bin in a folder, as a network takes it.
  static Result<Data> read(const std::string& folder, const Json& network);
  size_t count() const;
  std::span<const float> inputOf(size_t example) const;
  /// Of so many examples.
  Shape shapeOf(size_t examples) const;
  /// The first so many batches of so many examples.
  Result<std::vector<Examples>> batches(size_t number, size_t size) const;

 private:
  std::vector<float> x_, oneHot_;
  Json input_;
  size_t inputs_ = 1, classes_ = 0;  // numbers of an example
};
Result<std::vector<float>> readWeights(const std::string& folder);

inline constexpr size_t kBatches = 10;
/// How a network is trained, and what is compared before anything is timed.
struct Training {
  size_t batch;  // examples of a step
  size_t outputs, comparedBatch, comparedSteps;
  bool hasReference;  // its optimizer is the reference's plain gradient descent
  bool isSame;        // what is compared is what is timed
  Json plain;         // the network as it is compared
  explicit Training(const Json& network);
};

/// Takes turns beside pages, for ./dev bench train --native: ../native.py says how.
int takeTurns();

}  // namespace fjord
