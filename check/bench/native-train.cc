// Fjord natively, for ./dev bench train --native: the same conversation as native.py, which
// describes it.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/simd.h"
#include "nn/model.h"

namespace fjord {
namespace {

/// What has gone wrong ends the program: the driver shows its last words.
[[noreturn]] void stop(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(1);
}

template <class T>
T need(Result<T> result) {
  if (!result) stop(result.error().message);
  return std::move(*result);
}

void read(std::FILE* file, const Tensor& to) {
  size_t count = static_cast<size_t>(to.size());
  if (std::fread(to.view().data, 4, count, file) != count) stop("the data file is too short");
}

Json layerOf(const Json& spec, bool last) {
  std::string type = spec["type"];
  if (type == "flatten") return layer("Flatten", Json::object());
  if (type == "maxPool") return layer("MaxPooling2D", {{"pool_size", spec["size"]}});
  if (type == "dense") {
    return layer("Dense",
                 {{"units", spec["kernel"][1]}, {"activation", last ? "softmax" : "relu"}});
  }
  return layer("Conv2D", {{"filters", spec["kernel"][3]},
                          {"kernel_size", spec["kernel"][0]},
                          {"padding", "same"},
                          {"activation", "relu"}});
}

struct Network {
  Threads threads{2};
  std::unique_ptr<Model> model;
  std::vector<Tensor> x, y;

  explicit Network(const Json& cell) {
    std::vector<Json> list;
    for (const Json& spec : cell["layers"]) {
      list.push_back(layerOf(spec, list.size() + 1 == cell["layers"].size()));
    }
    list.front()["config"]["input_shape"] = cell["input"];
    model = need(Model::fromJson(sequential(list), threads));
    Json sgd = {{"class_name", "SGD"}, {"config", {{"learning_rate", cell["rate"]}}}};
    Status compiled = model->compile({{"optimizer", sgd}, {"loss", "categorical_crossentropy"}});
    if (!compiled) stop(compiled.error().message);
    std::FILE* file = std::fopen(cell["data"].get<std::string>().c_str(), "rb");
    if (!file) stop("the data file cannot be read");
    for (Weight& w : model->mutableWeights()) read(file, w.value);
    Shape image{cell["batch"].get<int32_t>()}, labels = image;
    for (const Json& size : cell["input"]) image.push(size.get<int32_t>());
    labels.push(cell["classes"].get<int32_t>());
    for (auto [list, shape] : {std::pair(&x, image), std::pair(&y, labels)}) {
      for (int i = 0; i < cell["batches"].get<int>(); ++i) {
        list->push_back(need(Tensor::empty({DType::kF32, shape})));
        read(file, list->back());
      }
    }
    std::fclose(file);
  }

  double train(int i) {
    Totals totals;
    size_t batch = static_cast<size_t>(i) % x.size();
    Status status = model->run(Model::kTrain, {.x = {&x[batch], 1}, .y = {&y[batch], 1}}, totals);
    if (!status) stop(status.error().message);
    return totals.loss / totals.samples;
  }

  double slice(double ms) {
    train(0);
    auto start = std::chrono::steady_clock::now();
    for (int steps = 1;; ++steps) {
      train(steps);
      std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
      if (spent.count() >= ms) return spent.count() / steps;
    }
  }
};

}  // namespace
}  // namespace fjord

int main() {
  using namespace fjord;
  std::unique_ptr<Network> network;
  for (char line[65536]; std::fgets(line, sizeof line, stdin);) {
    Json request = need(parseJson(line)), answer;
    if (request.contains("create")) {
      network.reset();
      network = std::make_unique<Network>(request["create"]);
      answer = {{"about", cat("2 threads, ", hwy::TargetName(HWY_TARGET))}};
    } else if (request.contains("step")) {
      answer = {{"loss", network->train(request["step"].get<int>())}};
    } else {
      answer = {{"ms", network->slice(request["slice"].get<double>())}};
    }
    std::printf("%s\n", answer.dump().c_str());
    std::fflush(stdout);
  }
}
