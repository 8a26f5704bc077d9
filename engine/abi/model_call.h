// A model called with tensors as if it were one op, so that it can be differentiated by its inputs and its
// weights: tf.grad and minimize see through model.apply(x).
#pragma once

#include <list>

#include "abi/eager.h"
#include "nn/model.h"

namespace fjord {

/// A weight as a value of tapes: the same wherever the weight is, because its memory is.
Traced tracedWeight(const Weight& weight);

/// The graphs of models that were called lately, ready to run.
class ModelCalls {
 public:
  /// The outputs of a model for these inputs, all rows at once. In training the states of layers, such as
  /// moving averages, go on, and random ops draw anew. `handle` is the model's, for who reads a tape.
  Result<std::vector<Traced>> call(const std::shared_ptr<Model>& model, int handle,
                                   std::span<const Traced> xs, bool training, Place& place,
                                   Eager& eager);
  void clear() { calls_.clear(); }

 private:
  struct Ready {
    std::weak_ptr<Model> model;
    bool training;
    std::vector<Type> types;
    std::shared_ptr<TapedGraph> taped;
    std::vector<int> updated;  // weights that the outputs after the model's are for
    Runner runner;
  };
  static Result<Ready> make(Model& model, int handle, std::span<const Traced> xs, bool training,
                            Place& place);
  Result<Ready*> ready(const std::shared_ptr<Model>& model, int handle, std::span<const Traced> xs,
                       bool training, Place& place);

  std::list<Ready> calls_;  // the last one first
  int64_t draws_ = 0;
};

}  // namespace fjord
