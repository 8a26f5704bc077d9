// What tests of models begin with: a model of a description or the reason why there is none, numbers for it, and what it
// holds.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nn/model.h"

namespace fjord::testing {

inline Json json(std::string_view text) {
  Result<Json> j = parseJson(text);
  EXPECT_TRUE(j) << text;
  return j.value_or(Json());
}

inline std::unique_ptr<Model> made(const Json& description, Threads& threads,
                                   ModelOptions options = {}) {
  auto model = Model::fromJson(description, threads, std::move(options));
  EXPECT_TRUE(model) << model.error().message;
  return model ? std::move(*model) : nullptr;
}
inline std::string errorOf(const Json& description, const ModelOptions& options = {}) {
  Threads threads;
  auto model = Model::fromJson(description, threads, options);
  return model ? "" : model.error().message;
}

/// Normally distributed.
inline Tensor numbers(const Shape& shape, uint64_t seed = 1) {
  Tensor t = *Tensor::zeros({DType::kF32, shape});
  Random random(seed);
  for (float& v : t.span<float>()) v = random.normal();
  return t;
}
inline std::vector<float> valuesOf(const Tensor& t) {
  return {t.span<float>().begin(), t.span<float>().end()};
}
inline std::vector<std::string> namesOf(const Model& model) {
  std::vector<std::string> names;
  for (const Weight& w : model.weights()) names.push_back(w.name);
  return names;
}

}  // namespace fjord::testing
