// Weights: the named arrays of a model, and how they are born (initializers), held down
// (regularizers) and held in (constraints). All by Keras's names.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/fields.h"
#include "base/random.h"
#include "base/tensor.h"
#include "ir/value.h"

namespace fjord {

struct Weight {
  std::string name;  // "dense_1/kernel"
  Tensor value;
  bool trainable = true;         // as its layer makes it; Model::isTrainable says whether it is
  Json regularizer, constraint;  // null for none
  int layer = -1;                // that it belongs to, among those of the topology
};

/// Weights in the order in which they were added, found by their names.
class WeightList {
 public:
  /// How many there are, where none has this name.
  int numberOf(const std::string& name) const {
    auto known = numbers_.find(name);
    return known == numbers_.end() ? size() : known->second;
  }
  void add(Weight weight) {
    numbers_.emplace(weight.name, size());
    list_.push_back(std::move(weight));
  }
  int size() const { return static_cast<int>(list_.size()); }
  Weight& operator[](int number) { return list_[number]; }
  std::vector<Weight>& all() { return list_; }
  const std::vector<Weight>& all() const { return list_; }

 private:
  std::vector<Weight> list_;
  std::unordered_map<std::string, int> numbers_;
};

/// Fills a new weight of this shape. Kernels are [.., inputs, outputs]; axes before the last two
/// are the receptive field. A list has one initializer for each equal part of the last axis.
Result<Tensor> initialize(const Json& initializer, const Shape& shape, uint64_t seed);

/// The same initializer, which counts inputs and outputs by these axes of the kernel, if it scales by their
/// numbers and does not name others.
Json scaledBy(const Json& initializer, const Shape& inputAxes, const Shape& outputAxes);

/// What a regularizer adds to the loss, such as l1 * sum|w| + l2 * sum w^2.
Value regularization(Value w, const Json& regularizer);

/// The nearest allowed value.
Value constrained(Value w, const Json& constraint);

/// Whether a description is one of these, with arguments that these have.
Status checkInitializer(const Json& initializer);
Status checkRegularizer(const Json& regularizer);
Status checkConstraint(const Json& constraint);
Table initializerTable();
Table regularizerTable();
Table constraintTable();

}  // namespace fjord
