#include "framework.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/simd.h"
#include "io/model_file.h"
#include "nn/activations.h"
#include "nn/layers.h"
#include "nn/optimizers.h"

namespace fjord {

namespace {

/// A layer as Keras describes it.
Result<Json> layerOf(const Json& spec, bool bias) {
  std::string type = stringOr(spec, "type", "");
  const Json &kernel = member(spec, "kernel"), &activation = member(spec, "activation");
  if (type == "flatten") return layer("Flatten", Json::object());
  if (type == "maxPool")
    return layer("MaxPooling2D",
                 {{"pool_size", member(spec, "size")}, {"padding", member(spec, "padding")}});
  if (type == "lstm" && member(spec, "recurrent").size() == 2)
    return layer("LSTM", {{"units", member(spec, "recurrent")[0]},
                          {"return_sequences", member(spec, "sequences")},
                          {"use_bias", bias}});
  if (type == "dense" && kernel.size() == 2)
    return layer("Dense", {{"units", kernel[1]}, {"activation", activation}, {"use_bias", bias}});
  if (type == "conv2d" && kernel.size() == 4)
    return layer("Conv2D", {{"filters", kernel[3]},
                            {"kernel_size", kernel[0]},
                            {"padding", member(spec, "padding")},
                            {"activation", activation},
                            {"use_bias", bias}});
  return fail("there is no layer ", spec.dump());
}

}  // namespace

double now() {
  auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(since).count();
}

void say(const Json& line) {
  std::puts(line.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

Result<std::string> readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail("cannot read ", path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// ---- the framework

Framework::Framework(const std::string& backend)
    : threads_(backend == "1-thread" ? 1 : static_cast<int>(std::thread::hardware_concurrency())) {}

std::string Framework::engine() const {
  return cat(threads_.count(), threads_.count() == 1 ? " thread, " : " threads, ",
             hwy::TargetName(HWY_TARGET));
}

Json Framework::facts() {
  Json layers = Json::array(), activations = Json::array(), optimizers = Json::array();
  for (const LayerRow& row : layerRows()) layers.push_back(row.className);
  for (std::string_view name : activationNames()) activations.push_back(name);
  for (const OptimizerRow& row : optimizerRows()) optimizers.push_back(row.name);
  return {{"training", true},
          {"cnn", findLayer("Conv2D") != nullptr},
          {"rnn", findLayer("LSTM") != nullptr},
          {"save", true},
          {"load", true},
          {"layers", layers},
          {"activations", activations},
          {"optimizers", optimizers}};
}

Result<std::unique_ptr<Model>> Framework::build(const Json& network,
                                                std::span<const float> values) {
  std::vector<Json> layers;
  for (const Json& spec : member(network, "layers")) {
    FJORD_TRY(Json made, layerOf(spec, boolOr(network, "bias", true)));
    layers.push_back(std::move(made));
  }
  if (layers.empty()) return fail("the trial's network has no layers");
  layers.front()["config"]["input_shape"] = member(network, "input");
  FJORD_TRY(std::unique_ptr<Model> model, Model::fromJson(sequential(layers), threads_));
  Json optimizer = {{"class_name", member(network, "optimizer")},
                    {"config", {{"learning_rate", numberOr(network, "rate", 0.05)}}}};
  FJORD_CHECK(model->compile({{"optimizer", optimizer}, {"loss", "categorical_crossentropy"}}));
  for (Weight& w : model->mutableWeights()) {
    auto count = static_cast<size_t>(w.value.size());
    if (values.size() < count) return fail("weights.bin is too short for ", w.name);
    std::memcpy(w.value.data<float>(), values.data(), count * sizeof(float));
    values = values.subspan(count);
  }
  return model;
}

Result<std::unique_ptr<Model>> Framework::load(const std::string& path) {
  FJORD_TRY(std::string bytes, readFile(path));
  FJORD_TRY(Safetensors file, readSafetensors(std::as_bytes(std::span(bytes))));
  return loadModel(file, threads_);
}

Result<double> Framework::train(Model& model, const Examples& batch) {
  Totals totals;
  FJORD_CHECK(model.run(Model::kTrain, {.x = {&batch.x, 1}, .y = {&batch.y, 1}}, totals));
  return totals.loss / totals.samples;
}

Result<std::vector<double>> Framework::infer(Model& model, const Shape& shape,
                                             std::span<const float> x) {
  FJORD_TRY(Tensor image, Tensor::of(shape, x));
  FJORD_TRY(std::vector<Tensor> outputs, model.predict({&image, 1}, 1));
  std::span<float> values = outputs.front().span<float>();
  return std::vector<double>(values.begin(), values.end());
}

// ---- what networks learn

Result<Data> Data::read(const std::string& folder, const Json& network) {
  Data data;
  std::string name = stringOr(network, "data", "digits");
  FJORD_TRY(std::string bytes, readFile(cat(folder, "/", name, ".bin")));
  data.input_ = member(network, "input");
  for (const Json& length : data.input_) data.inputs_ *= length.get<size_t>();
  data.classes_ = member(member(network, "layers").back(), "kernel").back().get<size_t>();
  // A byte is a pixel, or the number of a character, of which each has a place in its row.
  bool isText = name == "text";
  size_t kinds = isText ? data.input_[1].get<size_t>() : 1;
  size_t each = data.inputs_ / kinds, count = bytes.size() / (each + 1);
  data.x_.resize(count * data.inputs_);
  data.oneHot_.resize(count * data.classes_);
  for (size_t i = 0; i < count * each; ++i) {
    auto byte = static_cast<uint8_t>(bytes[i]);
    if (isText && byte >= kinds) return fail("text.bin: ", byte, " is no character's number");
    data.x_[i * kinds + (isText ? byte : 0)] = isText ? 1.0f : static_cast<float>(byte) / 255;
  }
  for (size_t i = 0; i < count; ++i) {
    auto label = static_cast<uint8_t>(bytes[count * each + i]);
    if (label >= data.classes_)
      return fail(name, ".bin: the label ", label, " is not below ", data.classes_);
    data.oneHot_[i * data.classes_ + label] = 1;
  }
  return data;
}

size_t Data::count() const { return x_.size() / inputs_; }

std::span<const float> Data::inputOf(size_t example) const {
  return std::span(x_).subspan(example * inputs_, inputs_);
}

Shape Data::shapeOf(size_t examples) const {
  Shape shape{static_cast<int32_t>(examples)};
  for (const Json& length : input_) shape.push(length.get<int32_t>());
  return shape;
}

Result<std::vector<Examples>> Data::batches(size_t number, size_t size) const {
  if (number * size > count()) return fail("there are too few examples");
  std::vector<Examples> out;
  for (size_t first = 0; first < number * size; first += size) {
    FJORD_TRY(Tensor x,
              Tensor::of(shapeOf(size), std::span(x_).subspan(first * inputs_, size * inputs_)));
    FJORD_TRY(Tensor y, Tensor::of({static_cast<int32_t>(size), static_cast<int32_t>(classes_)},
                                   std::span(oneHot_).subspan(first * classes_, size * classes_)));
    out.push_back({std::move(x), std::move(y)});
  }
  return out;
}

Result<std::vector<float>> readWeights(const std::string& folder) {
  FJORD_TRY(std::string bytes, readFile(folder + "/weights.bin"));
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

Training::Training(const Json& network) {
  const Json& compared = member(network, "compared");
  auto count = [](const Json& json, const char* name) {
    return static_cast<size_t>(std::max(1, intOr(json, name, 1)));
  };
  batch = count(network, "batch");
  outputs = count(compared, "outputs");
  comparedBatch = count(compared, "batch");
  comparedSteps = count(compared, "steps");
  hasReference = stringOr(network, "optimizer", "") == "sgd";
  isSame = batch == comparedBatch && hasReference &&
           numberOr(network, "rate", 0) == numberOr(compared, "rate", 0);
  plain = network;
  plain["optimizer"] = "sgd";
  plain["rate"] = member(compared, "rate");
}

}  // namespace fjord
