// Any arguments of compile: a model that takes them trains and tests a batch, one that does not says
// why and trains as it was compiled before. The bytes choose among the words that optimizers, losses
// and metrics have, with values of every kind where each may stand.
#include <cmath>
#include <cstdlib>
#include <span>

#include "nn/model.h"
#include "nn/optimizers.h"
#include "testing/fuzz_bytes.h"

using namespace fjord;

namespace {

constexpr const char* kNames[] = {"mse",
                                  "meanAbsoluteError",
                                  "categoricalCrossentropy",
                                  "sparse_categorical_crossentropy",
                                  "BinaryCrossentropy",
                                  "hinge",
                                  "Huber",
                                  "logcosh",
                                  "kld",
                                  "poisson",
                                  "cosineSimilarity",
                                  "accuracy",
                                  "acc",
                                  "precision",
                                  "Recall",
                                  "topKCategoricalAccuracy",
                                  "rootMeanSquaredError",
                                  "ExponentialDecay",
                                  "CosineDecay",
                                  "CosineDecayRestarts",
                                  "PolynomialDecay",
                                  "PiecewiseConstantDecay",
                                  "InverseTimeDecay",
                                  "nobody",
                                  ""};
constexpr const char* kKeys[] = {"learning_rate",
                                 "momentum",
                                 "nesterov",
                                 "beta_1",
                                 "beta_2",
                                 "epsilon",
                                 "rho",
                                 "centered",
                                 "clipnorm",
                                 "clipvalue",
                                 "global_clipnorm",
                                 "weight_decay",
                                 "amsgrad",
                                 "use_ema",
                                 "gradient_accumulation_steps",
                                 "initial_accumulator_value",
                                 "initial_learning_rate",
                                 "decay_steps",
                                 "decay_rate",
                                 "staircase",
                                 "alpha",
                                 "warmup_steps",
                                 "warmup_target",
                                 "t_mul",
                                 "m_mul",
                                 "first_decay_steps",
                                 "end_learning_rate",
                                 "power",
                                 "cycle",
                                 "boundaries",
                                 "values",
                                 "from_logits",
                                 "label_smoothing",
                                 "axis",
                                 "delta",
                                 "reduction",
                                 "name",
                                 "threshold",
                                 "thresholds",
                                 "k",
                                 "dtype",
                                 "learningRate"};
constexpr const char* kOptions[] = {"optimizer",        "loss",       "metrics", "loss_weights",
                                    "weighted_metrics", "jit_compile"};

std::string name(Bytes& bytes) {
  std::span<const OptimizerRow> rows = optimizerRows();
  size_t at = bytes.next() % (rows.size() + std::size(kNames));
  return std::string(at < rows.size() ? rows[at].name : kNames[at - rows.size()]);
}

Json object(Bytes& bytes, int depth);

Json value(Bytes& bytes, int depth) {
  constexpr double kNumbers[] = {0, 1, -1, 0.5, 0.01, 2, 3, 1e-30, 1e30, -0.1, 2147483648.0, 1.5};
  switch (bytes.next() % 8) {
    case 0:
      return nullptr;
    case 1:
      return bytes.next() % 2 == 0;
    case 2:
      return bytes.next() % 16;
    case 3:
      return kNumbers[bytes.next() % std::size(kNumbers)];
    case 4:
      return name(bytes);
    case 5: {
      Json list = Json::array();
      for (int i = bytes.next() % 4; i > 0; --i)
        list.push_back(depth > 0 ? value(bytes, depth - 1) : Json(0.1));
      return list;
    }
    default:
      return depth > 0 ? object(bytes, depth - 1) : Json(1);
  }
}

Json object(Bytes& bytes, int depth) {
  Json config = Json::object();
  for (int i = bytes.next() % 5; i > 0; --i) {
    const char* key = bytes.of(kKeys);
    config[key] = value(bytes, depth);
  }
  if (bytes.next() % 4 == 0) return config;
  return {{"class_name", name(bytes)}, {"config", config}};
}

Json options(Bytes& bytes) {
  Json all = {{"optimizer", name(bytes)}, {"loss", name(bytes)}};
  for (int i = bytes.next() % 4; i > 0; --i) {
    const char* key = bytes.of(kOptions);
    all[key] = value(bytes, 2);
  }
  return all;
}

void demand(const Status& status) {
  if (!status) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Threads threads(1);
  static const Json kModel = *parseJson(
      R"({"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config":
        {"units": 2, "activation": "softmax", "batch_input_shape": [null, 3]}}]}})");
  auto model = Model::fromJson(kModel, threads, {.seed = 1});
  demand((*model)->compile({{"optimizer", "sgd"}, {"loss", "mse"}}));
  Bytes bytes{{data, size}};
  Status compiled = (*model)->compile(options(bytes));
  if (!compiled && compiled.error().message.empty()) std::abort();
  Tensor x = *Tensor::zeros({DType::kF32, {2, 3}}), y = *Tensor::zeros({DType::kF32, {2, 2}});
  x.data<float>()[1] = y.data<float>()[0] = y.data<float>()[3] = 1;
  Batch batch{.x = {&x, 1}, .y = {&y, 1}};
  for (Model::Mode mode : {Model::kTrain, Model::kTest, Model::kTrain}) {
    Totals totals;
    Status ran = (*model)->run(mode, batch, totals);
    // Labels of another shape than a sparse loss takes.
    if (!ran && (!compiled || ran.error().message.empty())) std::abort();
    if (!compiled && !std::isfinite(totals.loss)) std::abort();
  }
  return 0;
}
