#include "io/model_file.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <unordered_set>

#include "base/parts.h"
#include "nn/traced.h"

namespace fjord {

namespace {

constexpr std::string_view kOptimizer = "optimizer/";

/// A decimal number of the metadata.
template <class T>
Status readNumber(const Safetensors& file, const char* key, T& out) {
  std::string_view text = file.text(key);
  if (text.empty()) return {};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size())
    return fail("the file's \"", key, "\" is not a number: ", text.substr(0, 40));
  return {};
}

Status readRate(const Safetensors& file, Model& model) {
  if (file.text("rate").empty()) return {};
  FJORD_TRY(Json rate, parseJson(file.text("rate")));
  if (!rate.is_number() || !(rate.get<double>() >= 0))
    return fail("the file's \"rate\" is not a learning rate");
  model.setRate(rate.get<double>());
  return {};
}

Result<Tensor> weightOf(const Safetensors& file, const std::string& name, const Shape& shape) {
  const StoredTensor* stored = file.find(name);
  if (!stored) return fail("the file has no weight ", name);
  if (stored->shape != shape || stored->type->loads != StoredType::kF32)
    return fail("the weight ", name, " is float32", shape, ", the file has ", stored->type->name,
                stored->shape);
  return stored->load();
}

Status refuseUnknown(const Safetensors& file, const Model& model) {
  std::unordered_set<std::string_view> known;
  for (const Weight& w : model.weights()) known.insert(w.name);
  for (const StoredTensor& t : file.tensors) {
    if (!t.name.starts_with(kOptimizer) && !known.contains(t.name))
      return fail("the file has ", t.name, ", which is no weight of the model");
  }
  return {};
}

/// Takes what training needs to go on: the arguments of compile, the optimizer's state, step and rate.
Status resume(const Safetensors& file, Model& model) {
  int64_t step = 0;
  FJORD_CHECK(readNumber(file, "step", step));
  if (!file.text("training").empty()) {
    FJORD_TRY(Json training, parseJson(file.text("training")));
    FJORD_CHECK(model.compile(training));
  }
  for (const StoredTensor& t : file.tensors) {
    if (!t.name.starts_with(kOptimizer)) continue;
    if (t.type->loads != StoredType::kF32)
      return fail(t.name, " is to be float32, the file has ", t.type->name);
    FJORD_TRY(Tensor value, t.load());
    FJORD_CHECK(model.setSlot(t.name.substr(kOptimizer.size()), std::move(value)));
  }
  model.setStep(step);
  return readRate(file, model);
}

}  // namespace

Result<std::string> saveModel(Model& model, const SaveOptions& options) {
  constexpr std::string_view kNoFunction = "is a function, which no file can hold";
  if (namesTraced(model.json())) return fail("an argument of a layer ", kNoFunction);
  if (options.optimizer && namesTraced(model.compileOptions()))
    return fail("the loss or a metric ", kNoFunction, ": save the model without the optimizer");
  std::vector<NamedTensor> tensors;
  for (const Weight& w : model.weights()) tensors.push_back({w.name, w.value, options.weights});
  Metadata texts = options.metadata;
  texts.emplace_back("model", jsonText(model.json()));
  bool isTrained = model.isCompiled() && !namesTraced(model.compileOptions());
  if (isTrained) texts.emplace_back("training", jsonText(model.compileOptions()));
  texts.emplace_back("seed", cat(model.seed()));
  if (options.optimizer) {
    for (const Weight& w : model.slots()) tensors.push_back({cat(kOptimizer, w.name), w.value});
    texts.emplace_back("step", cat(model.step()));
    if (model.hasSetRate()) texts.emplace_back("rate", jsonText(Json(model.rate())));
  }
  return writeSafetensors(tensors, texts);
}

Status loadWeights(Model& model, const Safetensors& file) {
  std::vector<Tensor> loaded;
  for (const Weight& w : model.weights()) {
    FJORD_TRY(Tensor value, weightOf(file, w.name, w.value.shape()));
    loaded.push_back(std::move(value));
  }
  FJORD_CHECK(refuseUnknown(file, model));
  for (size_t i = 0; i < loaded.size(); ++i) {
    const Tensor& to = model.mutableWeights()[i].value;
    std::memcpy(to.view().data, loaded[i].view().data, static_cast<size_t>(to.type().bytes()));
  }
  return {};
}

Result<std::unique_ptr<Model>> loadModel(const Safetensors& file, Threads& threads,
                                         const Json& traced) {
  if (file.text("model").empty())
    return fail("the file holds arrays but no description of a model");
  ModelOptions options{.traced = traced};
  FJORD_CHECK(readNumber(file, "seed", options.seed));
  FJORD_TRY(Json description, parseJson(file.text("model")));
  options.weights = [&](const std::string& name, const Shape& shape) {
    return weightOf(file, name, shape);
  };
  FJORD_TRY(auto model, Model::fromJson(description, threads, options));
  FJORD_CHECK(refuseUnknown(file, *model));
  if (kTrains) FJORD_CHECK(resume(file, *model));
  return model;
}

}  // namespace fjord
