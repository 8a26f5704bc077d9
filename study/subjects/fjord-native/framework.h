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

/// Digits as they are trained on: images [n,..input], classes [n,10].
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

/// MNIST's digits: images [n,784] in [0, 1], classes [n,10].
class Digits {
 public:
  /// digits.bin in a folder, for samples of a network's shape.
  static Result<Digits> read(const std::string& folder, const Json& network);
  size_t count() const;
  std::span<const float> imageOf(size_t digit) const;
  /// Of so many digits.
  Shape shapeOf(size_t digits) const;
  /// The first so many batches of so many digits.
  Result<std::vector<Examples>> batches(size_t number, size_t size) const;

 private:
  std::vector<float> images_, oneHot_;
  Json input_;
};
Result<std::vector<float>> readWeights(const std::string& folder);

inline constexpr size_t kBatches = 10;
/// How a network is trained, and what is compared before anything is timed.
struct Training {
  size_t batch;  // digits of a step
  size_t outputs, comparedBatch, comparedSteps;
  bool isSame() const { return batch == comparedBatch; }
  explicit Training(const Json& network);
};

/// Takes turns beside pages, for ./dev bench train --native: ../native.py says how.
int takeTurns();

}  // namespace fjord
