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

constexpr int kBatches = 8;

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

struct Network {
  Threads threads{2};
  std::unique_ptr<Model> model;
  std::vector<Tensor> x, y;

  Network(const Json& cell, const char* path) {
    int layers = intOr(cell, "layers", 0), width = intOr(cell, "width", 0);
    int32_t batch = intOr(cell, "batch", 0), inputs = intOr(cell, "inputs", 0);
    int32_t classes = intOr(cell, "classes", 0);
    std::vector<Json> list;
    for (int i = 0; i <= layers; ++i) {
      Json config = {{"units", i < layers ? width : classes},
                     {"activation", i < layers ? "relu" : "softmax"}};
      if (i == 0) config["input_shape"] = {inputs};
      list.push_back(layer("Dense", config));
    }
    model = need(Model::fromJson(sequential(list), threads));
    Json sgd = {{"class_name", "SGD"}, {"config", {{"learning_rate", numberOr(cell, "rate", 0)}}}};
    Status compiled = model->compile({{"optimizer", sgd}, {"loss", "categorical_crossentropy"}});
    if (!compiled) stop(compiled.error().message);
    std::FILE* file = std::fopen(path, "rb");
    if (!file) stop("the data file cannot be read");
    for (Weight& w : model->mutableWeights()) read(file, w.value);
    for (auto [list, size] : {std::pair(&x, inputs), std::pair(&y, classes)}) {
      for (int i = 0; i < kBatches; ++i) {
        list->push_back(need(Tensor::empty({DType::kF32, {batch, size}})));
        read(file, list->back());
      }
    }
    std::fclose(file);
  }

  double train(int i) {
    Totals totals;
    Status status =
        model->run(Model::kTrain, {.x = {&x[i % kBatches], 1}, .y = {&y[i % kBatches], 1}}, totals);
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
      network =
          std::make_unique<Network>(request["create"], request["data"].get<std::string>().c_str());
      answer = {{"about", cat("2 threads, vectors of ", kLanes, " floats")}};
    } else if (request.contains("step")) {
      answer = {{"loss", network->train(request["step"].get<int>())}};
    } else {
      answer = {{"ms", network->slice(request["slice"].get<double>())}};
    }
    std::printf("%s\n", answer.dump().c_str());
    std::fflush(stdout);
  }
}
