// A model in a file: nothing is lost, and what does not fit is refused.
#include "io/model_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "nn/fit.h"

namespace fjord {
namespace {

std::span<const std::byte> bytesOf(const std::string& s) { return std::as_bytes(std::span(s)); }

const char* kNetwork = R"({"class_name": "Sequential", "config": {"name": "net", "layers": [
  {"class_name": "Conv2D", "config": {"name": "conv", "filters": 3, "kernel_size": [3, 3],
    "activation": "relu", "batch_input_shape": [null, 6, 6, 2]}},
  {"class_name": "BatchNormalization", "config": {"name": "norm"}},
  {"class_name": "Flatten", "config": {"name": "flat"}},
  {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.3}},
  {"class_name": "Dense", "config": {"name": "out", "units": 2, "activation": "softmax"}}]}})";

std::unique_ptr<Model> network(Threads& threads, const char* optimizer = R"("nadam")") {
  auto model = Model::fromJson(*parseJson(kNetwork), threads, {.seed = 11});
  EXPECT_TRUE(model) << model.error().message;
  std::string options = cat(R"({"optimizer": )", optimizer,
                            R"(, "loss": "categoricalCrossentropy", "metrics": ["accuracy"]})");
  EXPECT_TRUE((*model)->compile(*parseJson(options)));
  return std::move(*model);
}

Samples noise() {
  Random random(3);
  Samples s{
      {*Tensor::zeros({DType::kF32, {40, 6, 6, 2}})}, {*Tensor::zeros({DType::kF32, {40, 2}})}, {}};
  for (float& x : s.x[0].span<float>()) x = random.normal();
  for (int i = 0; i < 40; ++i) s.y[0].data<float>()[2 * i + i % 2] = 1;
  return s;
}

void train(Model& model, int from, int to) {
  auto fit = Fit::begin(model, noise(), {.epochs = to, .initialEpoch = from, .batchSize = 16});
  ASSERT_TRUE(fit) << fit.error().message;
  while (!(*fit)->done()) ASSERT_TRUE((*fit)->advance());
}

std::unique_ptr<Model> reload(Model& model, Threads& threads, const SaveOptions& options) {
  auto bytes = saveModel(model, options);
  EXPECT_TRUE(bytes) << bytes.error().message;
  auto file = readSafetensors(bytesOf(*bytes));
  EXPECT_TRUE(file) << file.error().message;
  auto loaded = loadModel(*file, threads);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return std::move(*loaded);
}

void expectSameWeights(Model& a, Model& b) {
  ASSERT_EQ(a.weights().size(), b.weights().size());
  for (size_t i = 0; i < a.weights().size(); ++i) {
    const Weight &x = a.weights()[i], &y = b.weights()[i];
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.trainable, y.trainable);
    ASSERT_EQ(x.value.type(), y.value.type());
    EXPECT_EQ(0, std::memcmp(x.value.view().data, y.value.view().data,
                             static_cast<size_t>(x.value.type().bytes())))
        << x.name;
  }
}

TEST(ModelFile, ResumedTrainingIsBitEqual) {
  Threads threads(2);
  for (const char* optimizer :
       {R"("nadam")", R"({"class_name": "SGD", "config": {"momentum": 0.9,
       "learning_rate": {"class_name": "CosineDecay",
       "config": {"initial_learning_rate": 0.1, "decay_steps": 20}}}})",
        // What is saved after six steps is within four that are accumulated.
        R"({"class_name": "AdamW", "config": {"gradient_accumulation_steps": 4,
       "use_ema": true, "ema_momentum": 0.6, "ema_overwrite_frequency": 1}})",
        R"({"class_name": "SGD", "config": {"momentum": 0.5, "use_ema": true,
       "ema_overwrite_frequency": 3, "exclude_from_weight_decay": ["bias"], "weight_decay": 0.1}})",
        R"({"class_name": "LossScaleOptimizer", "config": {"initial_scale": 3e38,
       "dynamic_growth_steps": 2, "inner_optimizer": {"class_name": "Adam", "config": {}}}})",
        R"("adafactor")", R"("muon")", R"("lamb")", R"("scheduleFreeAdamw")"}) {
    SCOPED_TRACE(optimizer);
    auto whole = network(threads, optimizer), first = network(threads, optimizer);
    train(*whole, 0, 4);
    train(*first, 0, 2);
    auto second = reload(*first, threads, {.optimizer = true});
    EXPECT_EQ(second->step(), first->step());
    EXPECT_EQ(second->seed(), 11u);
    expectSameWeights(*first, *second);
    train(*second, 2, 4);
    expectSameWeights(*whole, *second);
  }
}

/// What an earlier Fjord has written (check/saved) is read and written again, to the same bytes.
TEST(ModelFile, FilesOfBeforeAreReadAndWrittenTheSame) {
  Threads threads(1);
  for (const char* name : {"sequential", "functional"}) {
    SCOPED_TRACE(name);
    std::ifstream in(cat(FJORD_GOLDENS, "/../saved/", name, ".safetensors"), std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    auto file = readSafetensors(bytesOf(bytes));
    ASSERT_TRUE(file) << file.error().message;
    auto model = loadModel(*file, threads);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ((*model)->step(), 6);
    SaveOptions options{.optimizer = true};
    for (const auto& [key, text] : file->metadata) {
      if (key == "model") break;  // from here on by saveModel
      options.metadata.emplace_back(key, text);
    }
    EXPECT_EQ(*saveModel(**model, options), bytes);
  }
}

TEST(ModelFile, KeepsALearningRateThatWasSet) {
  Threads threads(1);
  auto model = network(threads);
  model->setRate(0.0123);
  EXPECT_EQ(reload(*model, threads, {.optimizer = true})->rate(), 0.0123);
  EXPECT_NE(reload(*model, threads, {})->rate(), 0.0123);
}

TEST(ModelFile, WeightsAsHalvesTakeHalfTheBytes) {
  Threads threads(1);
  auto model = network(threads);
  auto loaded = reload(*model, threads, {.weights = DType::kF16});
  for (size_t i = 0; i < model->weights().size(); ++i) {
    const Tensor &a = model->weights()[i].value, &b = loaded->weights()[i].value;
    for (int64_t k = 0; k < a.size(); ++k) {
      float x = a.data<float>()[k];
      EXPECT_NEAR(b.data<float>()[k], x, std::abs(x) / 2048 + 1e-7);
    }
  }
}

TEST(ModelFile, RefusesWhatDoesNotFitAndChangesNothing) {
  Threads threads(1);
  auto model = network(threads), untouched = network(threads);
  std::vector<NamedTensor> tensors;
  for (const Weight& w : model->weights()) tensors.push_back({w.name, *w.value.copy()});
  auto errorOf = [&](const std::vector<NamedTensor>& list) {
    auto bytes = writeSafetensors(list, {});
    auto file = readSafetensors(bytesOf(*bytes));
    Status status = loadWeights(*model, *file);
    expectSameWeights(*model, *untouched);
    return status ? "" : status.error().message;
  };
  for (NamedTensor& t : tensors) std::ranges::fill(t.tensor.span<float>(), 7.0f);
  auto missing = tensors, other = tensors, extra = tensors;
  missing.pop_back();
  EXPECT_EQ(errorOf(missing), "the file has no weight out/bias");
  other.back().tensor = *Tensor::zeros({DType::kF32, {3}});
  EXPECT_EQ(errorOf(other), "the weight out/bias is float32[2], the file has F32[3]");
  extra.push_back({"more", *Tensor::zeros({DType::kF32, {1}})});
  EXPECT_EQ(errorOf(extra), "the file has more, which is no weight of the model");

  auto fails = [&](const Metadata& texts, std::string_view says) {
    auto bytes = writeSafetensors(tensors, texts);
    auto loaded = loadModel(*readSafetensors(bytesOf(*bytes)), threads);
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().message.find(says), std::string::npos) << loaded.error().message;
  };
  fails({}, "no description");
  fails({{"model", "{"}}, "not valid JSON");
  fails({{"model", "3"}}, "");
  fails({{"model", kNetwork}, {"step", "many"}}, "\"step\" is not a number");
  fails({{"model", kNetwork}, {"seed", "-1"}}, "\"seed\" is not a number");
  fails({{"model", kNetwork}, {"training", R"({"optimizer": "adam"})"}},
        "compile: loss is missing");
}

}  // namespace
}  // namespace fjord
