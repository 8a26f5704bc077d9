// fit's classWeight: weights of samples by their class.
#include <algorithm>
#include <cmath>

#include "nn/fit.h"

namespace fjord {

namespace {

/// The part of classWeight that is of each output.
Result<std::vector<Json>> byOutput(const Model& model, const Json& given) {
  size_t count = model.outputTypes().size();
  std::vector<Json> parts(count);
  if (given.is_null() || given.empty()) return parts;
  bool byName = given.is_object() &&
                std::ranges::any_of(given, [](const Json& part) { return part.is_object(); });
  if (given.is_array() ? given.size() != count : !given.is_object() || (!byName && count > 1))
    return fail(
        "classWeight is to be an object of weights by class, for a model with several "
        "outputs a list of ",
        count, " such, or one for each name of an output; got ", jsonText(given));
  if (!given.is_array() && !byName) parts[0] = given;
  for (size_t i = 0; i < count && given.is_array(); ++i) parts[i] = given[i];
  for (auto it = given.begin(); byName && it != given.end(); ++it) {
    size_t i = 0;
    while (i < count && model.outputName(i) != it.key()) ++i;
    if (i == count) return fail("classWeight: the model has no output ", it.key());
    parts[i] = it.value();
  }
  return parts;
}

}  // namespace

/// The weight of a sample is that of its class: the largest of a one-hot label, or the label itself;
/// times the sample's own.
Status Fit::weighClasses(size_t output, const Json& byClass) {
  const Tensor& y = samples_.y[output];
  if (y.shape().rank() > 2)
    return fail("classWeight needs labels [samples] or [samples, classes], those of ",
                model_.outputName(output), " are ", y.shape());
  if (!byClass.is_object())
    return fail("classWeight has weights by class, such as {\"0\": 1}, got ", jsonText(byClass));
  auto number = [](const Tensor& t, int64_t i) -> double {
    return t.dtype() == DType::kF32 ? t.data<float>()[i] : t.data<int32_t>()[i];
  };
  int64_t n = y.shape()[0], classes = y.size() / n;
  auto classOf = [&](int64_t i) {
    if (classes == 1) return number(y, i);
    int64_t best = 0;
    for (int64_t k = 1; k < classes; ++k)
      best = number(y, i * classes + k) > number(y, i * classes + best) ? k : best;
    return static_cast<double>(best);
  };
  Tensor& own = samples_.weights[output];
  FJORD_TRY(Tensor weights, Tensor::empty({DType::kF32, {static_cast<int32_t>(n)}}));
  for (int64_t i = 0; i < n; ++i) {
    double k = classOf(i);
    bool isWhole = std::fabs(k) < 1e15 && k == std::floor(k);
    std::string key = isWhole ? cat(static_cast<int64_t>(k)) : cat(k);
    const Json& weight = member(byClass, key.c_str());
    if (!weight.is_number())
      return fail("classWeight must contain all classes in the training data: class ", k,
                  " of sample ", i, " has ",
                  weight.is_null() ? "no weight" : cat("the weight ", jsonText(weight)));
    weights.data<float>()[i] = weight.get<float>() * static_cast<float>(own ? number(own, i) : 1);
  }
  own = weights;
  return {};
}

Status Fit::addClassWeights() {
  FJORD_TRY(std::vector<Json> parts, byOutput(model_, options_.classWeight));
  if (std::ranges::all_of(parts, [](const Json& part) { return part.is_null(); })) return {};
  // Each output has weights of its own now.
  Tensor shared = samples_.weights.size() == 1 ? samples_.weights[0] : Tensor();
  samples_.weights.resize(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    if (shared) samples_.weights[i] = shared;
    if (!parts[i].is_null()) FJORD_CHECK(weighClasses(i, parts[i]));
  }
  return {};
}

}  // namespace fjord
