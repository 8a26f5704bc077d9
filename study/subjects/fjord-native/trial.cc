// Fjord, natively: a program of docs/study.md. It reads a trial on its standard input and writes
// what came of it on its standard output, as native.py does for Python's packages and the harness
// for pages. Only Fjord's public C++ API is used.
#include <algorithm>
#include <cfloat>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <thread>

#include "base/simd.h"
#include "io/model_file.h"
#include "nn/activations.h"
#include "nn/layers.h"
#include "nn/optimizers.h"

namespace fjord {
namespace {

constexpr int32_t kPixels = 784, kClasses = 10;
constexpr size_t kBatches = 10, kCompared = 3, kDigits = 10;
// Of losses relative, of outputs absolute: as in the tasks of pages.
constexpr double kTolerance = 1e-3;
constexpr double kSlice = 5;  // milliseconds, at least

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

Result<std::vector<double>> numbersOf(const Json& list) {
  std::vector<double> numbers;
  for (const Json& number : list) {
    if (!number.is_number()) return fail("a number is expected, not ", number.dump());
    numbers.push_back(number.get<double>());
  }
  return numbers;
}

// ---- the framework

class Framework {
 public:
  explicit Framework(const std::string& backend)
      : threads_(backend == "1-thread" ? 1
                                       : static_cast<int>(std::thread::hardware_concurrency())) {}

  std::string engine() const {
    return cat(threads_.count(), threads_.count() == 1 ? " thread, " : " threads, ",
               hwy::TargetName(HWY_TARGET));
  }

  static Json facts() {
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

  /// A model to train; `values` are kernel and bias of each layer.
  Result<std::unique_ptr<Model>> build(const Json& network, std::span<const float> values) {
    const Json& sizes = member(network, "sizes");
    std::vector<Json> layers;
    for (size_t i = 1; i < sizes.size(); ++i) {
      const Json& activation = member(network, i + 1 < sizes.size() ? "hidden" : "output");
      bool bias = boolOr(network, "bias", true);
      layers.push_back(
          layer("Dense", {{"units", sizes[i]}, {"activation", activation}, {"use_bias", bias}}));
    }
    if (layers.empty()) return fail("the trial has no sizes of layers");
    layers.front()["config"]["input_shape"] = Json::array({sizes[0]});
    FJORD_TRY(std::unique_ptr<Model> model, Model::fromJson(sequential(layers), threads_));
    Json sgd = {{"class_name", "SGD"},
                {"config", {{"learning_rate", numberOr(network, "rate", 0.05)}}}};
    FJORD_CHECK(model->compile({{"optimizer", sgd}, {"loss", "categorical_crossentropy"}}));
    for (Weight& w : model->mutableWeights()) {
      auto count = static_cast<size_t>(w.value.size());
      if (values.size() < count) return fail("weights.bin is too short for ", w.name);
      std::memcpy(w.value.data<float>(), values.data(), count * sizeof(float));
      values = values.subspan(count);
    }
    return model;
  }

  Result<std::unique_ptr<Model>> load(const std::string& path) {
    FJORD_TRY(std::string bytes, readFile(path));
    FJORD_TRY(Safetensors file, readSafetensors(std::as_bytes(std::span(bytes))));
    return loadModel(file, threads_);
  }

  /// The mean loss before the update.
  static Result<double> train(Model& model, std::span<const float> x,
                              std::span<const float> oneHot) {
    auto batch = static_cast<int32_t>(x.size()) / kPixels;
    FJORD_TRY(Tensor images, Tensor::of({batch, kPixels}, x));
    FJORD_TRY(Tensor classes, Tensor::of({batch, kClasses}, oneHot));
    Totals totals;
    FJORD_CHECK(model.run(Model::kTrain, {.x = {&images, 1}, .y = {&classes, 1}}, totals));
    return totals.loss / totals.samples;
  }

  static Result<std::vector<double>> infer(Model& model, std::span<const float> x) {
    FJORD_TRY(Tensor image, Tensor::of({1, kPixels}, x));
    FJORD_TRY(std::vector<Tensor> outputs, model.predict({&image, 1}, 1));
    std::span<float> values = outputs.front().span<float>();
    return std::vector<double>(values.begin(), values.end());
  }

 private:
  Threads threads_;
};

// ---- the trial

class Trial {
 public:
  explicit Trial(const Json& told)
      : trial(member(told, "trial")),
        network(member(told, "network")),
        folder(stringOr(told, "data", ".")) {}

  Json result(const Status& status) const {
    const char* outcome = status ? "ok" : wrong_ ? "wrong" : "error";
    std::string message = status ? "" : status.error().message.substr(0, 2000);
    return {
        {"outcome", outcome}, {"message", message}, {"version", FJORD_VERSION},
        {"engine", engine_},  {"check", check_},    {"samples", status ? samples_ : Json::array()},
        {"facts", facts}};
  }

  void sample(const char* phase, double value, const char* unit = "ms") {
    samples_.push_back({{"phase", phase}, {"unit", unit}, {"value", value}});
  }

  /// What a call gives; keeps how long it takes.
  template <class F>
  auto timed(const char* phase, const F& call) {
    double start = now();
    auto value = call();
    last_ = now() - start;
    if (phase) sample(phase, last_);
    return value;
  }

  std::unique_ptr<Framework> open() {
    std::string backend = stringOr(trial, "backend", "");
    auto framework = timed("start", [&] { return std::make_unique<Framework>(backend); });
    engine_ = framework->engine();
    return framework;
  }

  Result<Json> reference(const char* name) const {
    FJORD_TRY(std::string text, readFile(cat(folder, "/", name)));
    return parseJson(text);
  }

  Result<std::vector<float>> weights() const {
    FJORD_TRY(std::string bytes, readFile(folder + "/weights.bin"));
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    return values;
  }

  /// Only right answers are timed: numbers of one step or digit against the reference's.
  Status compare(const char* kind, const std::string& what, const std::vector<double>& found,
                 const std::vector<double>& expected) {
    double difference = found.size() == expected.size() ? 0 : DBL_MAX;
    for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
      double scale = std::string_view(kind) == "loss" ? std::abs(expected[i]) : 1;
      double own = std::abs(found[i] - expected[i]) / scale;
      // What is not a number is as wrong as can be, and JSON has no word for it.
      difference = std::max(difference, std::isfinite(own) ? own : DBL_MAX);
    }
    largest_ = std::max(largest_, difference);
    check_ = {{"kind", kind}, {"difference", largest_}, {"tolerance", kTolerance}};
    wrong_ = difference > kTolerance;
    if (!wrong_) return {};
    return fail(what, " gives ", Json(found).dump(), "; the reference gives ",
                Json(expected).dump());
  }

  /// Calls again and again, as harness/measure.js does it. A call of which the last one took longer
  /// than the budget is not repeated.
  template <class F>
  Status steady(F call) {
    double budget = numberOr(trial, "budget", 1000);
    int most = intOr(trial, "samples", 100);
    say({{"phase", "steady"}});
    if (last_ > budget) {
      sample("steady", last_);
      return {};
    }
    double slice = std::max(kSlice, budget / 2 / most);
    double begin = now();
    int64_t calls = 1, taken = 0;
    while (taken == 0 || now() - begin < budget) {
      double start = now();
      for (int64_t i = 0; i < calls; ++i) FJORD_CHECK(call());
      double ms = now() - start;
      if (ms < slice) {
        calls *= 2;
      } else if (start - begin >= budget / 2) {
        sample("steady", ms / static_cast<double>(calls));
        ++taken;
      }
    }
    return {};
  }

  bool withinBudget() const { return last_ <= numberOr(trial, "budget", 1000); }
  void forgetSamples() { samples_ = Json::array(); }

  const Json &trial, &network;
  std::string folder;
  Json facts;

 private:
  double last_ = 0;  // ms, what was timed last
  double largest_ = 0;
  bool wrong_ = false;
  std::string engine_;
  Json samples_ = Json::array();
  Json check_ = {{"kind", ""}, {"difference", 0}, {"tolerance", 0}};
};

/// The digits: images [n,784] in [0, 1], classes [n,10].
struct Digits {
  std::vector<float> images, oneHot;

  static Result<Digits> read(const Trial& trial) {
    FJORD_TRY(std::string bytes, readFile(trial.folder + "/digits.bin"));
    size_t count = bytes.size() / (kPixels + 1);
    if (count < kDigits) return fail("digits.bin is too short");
    Digits digits;
    for (char byte : bytes.substr(0, count * kPixels))
      digits.images.push_back(static_cast<float>(static_cast<uint8_t>(byte)) / 255);
    digits.oneHot.resize(count * kClasses);
    for (size_t i = 0; i < count; ++i) {
      auto label = static_cast<uint8_t>(bytes[count * kPixels + i]);
      if (label >= kClasses) return fail("digits.bin: the label ", label, " is not below 10");
      digits.oneHot[i * kClasses + label] = 1;
    }
    return digits;
  }
  std::span<const float> imagesOf(size_t first, size_t count) const {
    return std::span(images).subspan(first * kPixels, count * kPixels);
  }
  std::span<const float> classesOf(size_t first, size_t count) const {
    return std::span(oneHot).subspan(first * kClasses, count * kClasses);
  }
};

// ---- tasks

Status train(Trial& trial) {
  FJORD_TRY(std::vector<float> weights, trial.weights());
  FJORD_TRY(Digits digits, Digits::read(trial));
  FJORD_TRY(Json reference, trial.reference("losses.json"));
  FJORD_TRY(std::vector<double> expected, numbersOf(reference));
  auto size = static_cast<size_t>(std::max(1, intOr(trial.network, "batch", 64)));
  if (expected.size() < kCompared || digits.images.size() < kBatches * size * kPixels)
    return fail("there are too few digits or losses in ", trial.folder);
  auto framework = trial.open();
  auto build = [&] { return framework->build(trial.network, weights); };
  FJORD_TRY(std::unique_ptr<Model> model, trial.timed("build", build));
  auto step = [&](size_t batch) {
    size_t first = batch % kBatches * size;
    return Framework::train(*model, digits.imagesOf(first, size), digits.classesOf(first, size));
  };
  for (size_t i = 0; i < kCompared; ++i) {
    FJORD_TRY(double loss, trial.timed(i ? nullptr : "first", [&] { return step(i); }));
    FJORD_CHECK(trial.compare("loss", cat("step ", i), {loss}, {expected[i]}));
  }
  if (trial.withinBudget()) {
    FJORD_TRY(model, build());
    // Untimed: a plan is made for each new network.
    FJORD_CHECK(step(0));
  }
  return trial.steady([&, batch = size_t{0}]() mutable { return step(++batch); });
}

Status infer(Trial& trial) {
  FJORD_TRY(Digits digits, Digits::read(trial));
  FJORD_TRY(Json expected, trial.reference("outputs.json"));
  if (expected.size() < kDigits) return fail("there are too few outputs in ", trial.folder);
  auto framework = trial.open();
  std::string path = trial.folder + "/files/model.safetensors";
  auto load = [&] { return framework->load(path); };
  Result<std::unique_ptr<Model>> model = trial.timed("load", load);
  if (!model)
    return fail(model.error().message, " (the network's files come from the task \"save\")");
  auto inference = [&](size_t digit) {
    return Framework::infer(**model, digits.imagesOf(digit % kDigits, 1));
  };
  for (size_t i = 0; i < kDigits; ++i) {
    FJORD_TRY(std::vector<double> found,
              trial.timed(i ? nullptr : "first", [&] { return inference(i); }));
    FJORD_TRY(std::vector<double> wanted, numbersOf(expected[i]));
    FJORD_CHECK(trial.compare("output", cat("digit ", i), found, wanted));
  }
  return trial.steady([&, digit = size_t{0}]() mutable { return inference(++digit); });
}

Status save(Trial& trial) {
  FJORD_TRY(std::vector<float> weights, trial.weights());
  auto framework = trial.open();
  FJORD_TRY(std::unique_ptr<Model> model, framework->build(trial.network, weights));
  FJORD_TRY(std::string bytes, saveModel(*model));
  std::string path = trial.folder + "/files/model.safetensors";
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (!file) return fail(path, " cannot be written: is the disk full?");
  trial.forgetSamples();
  trial.sample("file", static_cast<double>(bytes.size()), "bytes");
  return {};
}

Status probe(Trial& trial) {
  auto framework = trial.open();
  trial.facts = Framework::facts();
  return {};
}

Status empty(Trial& trial) {
  return trial.steady([]() -> Status { return {}; });
}

Status perform(Trial& trial) {
  std::string task = stringOr(trial.trial, "task", "");
  if (task == "train") return train(trial);
  if (task == "infer") return infer(trial);
  if (task == "save") return save(trial);
  if (task == "probe") return probe(trial);
  if (task == "empty") return empty(trial);
  return fail("there is no task \"", task, "\"; there are empty, infer, probe, save, train");
}

}  // namespace
}  // namespace fjord

int main() {
  using namespace fjord;
  Result<Json> told = parseJson(std::string(std::istreambuf_iterator<char>(std::cin), {}));
  if (!told) {
    std::fprintf(stderr, "the trial is %s\n", told.error().message.c_str());
    return 1;
  }
  Trial trial(*told);
  say(trial.result(perform(trial)));
  return 0;
}
