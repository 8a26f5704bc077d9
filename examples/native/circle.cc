// A small network learns which points of a square lie inside of a circle, natively.
//
//   ./dev build native && build/native/circle
#include <cmath>
#include <cstdio>

#include "base/random.h"
#include "nn/fit.h"

using namespace fjord;

namespace {

int complain(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

void report(int epoch, const Logs& logs) {
  std::printf("epoch %d", epoch);
  for (const auto& [name, value] : logs) std::printf("  %s %.4f", name.c_str(), value);
  std::printf("\n");
}

}  // namespace

int main() {
  constexpr int kPoints = 2000;
  Threads threads(2);
  Result<Tensor> made = Tensor::empty({DType::kF32, {kPoints, 2}});
  Result<Tensor> labels = Tensor::empty({DType::kF32, {kPoints, 1}});
  if (!made || !labels) return complain(made ? labels.error() : made.error());
  Tensor x = *made, y = *labels;
  Random random(1);
  for (int i = 0; i < kPoints; ++i) {
    float a = 2 * random.uniform() - 1, b = 2 * random.uniform() - 1;
    x.data<float>()[2 * i] = a;
    x.data<float>()[2 * i + 1] = b;
    y.data<float>()[i] = a * a + b * b < 0.6f ? 1 : 0;
  }

  auto model = Model::fromJson(
      sequential({layer("Dense", {{"units", 32}, {"activation", "relu"}, {"input_shape", {2}}}),
                  layer("Dense", {{"units", 1}, {"activation", "sigmoid"}})}),
      threads, {.seed = 1});
  if (!model) return complain(model.error());
  Status compiled = (*model)->compile(
      {{"optimizer", "adam"}, {"loss", "binaryCrossentropy"}, {"metrics", {"accuracy"}}});
  if (!compiled) return complain(compiled.error());
  auto fit = Fit::begin(**model, {.x = {x}, .y = {y}}, {.epochs = 40});
  if (!fit) return complain(fit.error());
  while (!(*fit)->done()) {
    if ((*fit)->advance() == Fit::kEpochEnd) report((*fit)->epoch(), (*fit)->logs());
  }
  return 0;
}
