// Models: what they learn, what they refuse. Values against Keras stand in golden_training_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "nn/fit.h"

namespace fjord {
namespace {

Json json(const char* text) { return *parseJson(text); }

/// Two clouds of points in the plane, labelled one-hot.
Samples clouds(int n) {
  Random random(7);
  Samples s;
  Tensor x = *Tensor::zeros({DType::kF32, {n, 2}}), y = *Tensor::zeros({DType::kF32, {n, 2}});
  for (int i = 0; i < n; ++i) {
    int label = i % 2;
    x.data<float>()[2 * i] = random.normal() * 0.3f + (label ? 1 : -1);
    x.data<float>()[2 * i + 1] = random.normal() * 0.3f;
    y.data<float>()[2 * i + label] = 1;
  }
  return {{x}, {y}, {}};
}

const char* kMlp = R"({"class_name": "Sequential", "config": {"name": "mlp", "layers": [
  {"class_name": "Dense", "config": {"units": 8, "activation": "relu", "batch_input_shape": [null, 2]}},
  {"class_name": "Dropout", "config": {"rate": 0.1}},
  {"class_name": "Dense", "config": {"units": 2, "activation": "softmax"}}]}})";
const char* kOptions = R"({"optimizer": {"class_name": "Adam", "config": {"learning_rate": 0.02}},
  "loss": "categoricalCrossentropy", "metrics": ["accuracy"]})";

std::unique_ptr<Model> mlp(Threads& threads, uint64_t seed = 1) {
  auto model = Model::fromJson(json(kMlp), threads, {.seed = seed});
  EXPECT_TRUE(model) << model.error().message;
  Status status = (*model)->compile(json(kOptions));
  EXPECT_TRUE(status) << status.error().message;
  return std::move(*model);
}

Logs train(Model& model, const Samples& samples, const FitOptions& options) {
  auto fit = Fit::begin(model, samples, options);
  EXPECT_TRUE(fit) << fit.error().message;
  while (!(*fit)->done()) {
    auto event = (*fit)->advance();
    EXPECT_TRUE(event) << event.error().message;
    if (!event) break;
  }
  return (*fit)->logs();
}

double entry(const Logs& logs, const std::string& name) {
  for (const auto& [key, value] : logs) {
    if (key == name) return value;
  }
  return std::nan("");
}

TEST(Model, LearnsTwoClouds) {
  Threads threads(2);
  auto model = mlp(threads);
  Logs logs = train(*model, clouds(400), {.epochs = 10, .validationSplit = 0.2});
  EXPECT_GT(entry(logs, "accuracy"), 0.97);
  EXPECT_GT(entry(logs, "val_accuracy"), 0.97);
  EXPECT_LT(entry(logs, "loss"), 0.2);
}

TEST(Fit, BatchLogsAverageToTheLogsOfTheEpoch) {
  Threads threads(1);
  auto model = mlp(threads);
  auto fit = Fit::begin(*model, clouds(100), {.batchSize = 25});
  ASSERT_TRUE(fit);
  std::vector<double> losses;
  while ((*fit)->batch() < (*fit)->batches()) {
    ASSERT_TRUE((*fit)->advance());
    losses.push_back(entry((*fit)->batchLogs(), "loss"));
  }
  ASSERT_EQ(losses.size(), 4u);
  EXPECT_NE(losses[0], losses[3]);
  EXPECT_NEAR((losses[0] + losses[1] + losses[2] + losses[3]) / 4, entry((*fit)->logs(), "loss"),
              1e-12);
}

TEST(Fit, StopEndsTheEpochAfterTheBatch) {
  Threads threads(1);
  auto model = mlp(threads);
  auto fit = Fit::begin(*model, clouds(100), {.epochs = 3, .batchSize = 25});
  ASSERT_TRUE(fit);
  ASSERT_TRUE((*fit)->advance());
  (*fit)->stop();
  auto event = (*fit)->advance();
  ASSERT_TRUE(event);
  EXPECT_EQ(*event, Fit::kEpochEnd);
  EXPECT_TRUE((*fit)->done());
  EXPECT_EQ((*fit)->batch(), 1);
  EXPECT_EQ(model->step(), 1);
}

TEST(Model, SameSeedSameBitsForAnyNumberOfThreads) {
  Threads one(1), two(2);
  auto a = mlp(one), b = mlp(two);
  Samples samples = clouds(100);
  train(*a, samples, {.epochs = 2, .batchSize = 16});
  train(*b, samples, {.epochs = 2, .batchSize = 16});
  for (size_t i = 0; i < a->weights().size(); ++i) {
    const Tensor &x = a->weights()[i].value, &y = b->weights()[i].value;
    EXPECT_EQ(0, std::memcmp(x.view().data, y.view().data, x.type().bytes()))
        << a->weights()[i].name;
  }
}

/// A run that is stopped inside an epoch and goes on there takes the steps of one that was not.
TEST(Fit, GoesOnInsideAnEpoch) {
  Threads threads(1);
  auto whole = mlp(threads), parts = mlp(threads);
  Samples samples = clouds(100);
  FitOptions options{.epochs = 3, .batchSize = 16};
  train(*whole, samples, options);
  auto fit = Fit::begin(*parts, samples, options);
  ASSERT_TRUE(fit);
  while ((*fit)->epoch() < 1 || (*fit)->batch() < 3) ASSERT_TRUE((*fit)->advance());
  options.initialEpoch = 1;
  options.initialBatch = 3;
  train(*parts, samples, options);
  EXPECT_EQ(whole->step(), parts->step());
  for (size_t i = 0; i < whole->weights().size(); ++i) {
    const Tensor &x = whole->weights()[i].value, &y = parts->weights()[i].value;
    EXPECT_EQ(0, std::memcmp(x.view().data, y.view().data, x.type().bytes()));
  }
  options.initialBatch = 8;
  EXPECT_FALSE(Fit::begin(*parts, samples, options));
}

TEST(Model, AStepAllocatesNoTensor) {
  Threads threads(1);
  auto model = mlp(threads);
  Samples samples = clouds(64);
  Totals totals;
  Batch batch{.x = samples.x, .y = samples.y};
  ASSERT_TRUE(model->run(Model::kTrain, batch, totals));
  MemoryInfo before = memoryInfo();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(model->run(Model::kTrain, batch, totals));
  EXPECT_EQ(memoryInfo().buffers, before.buffers);
  EXPECT_EQ(memoryInfo().bytes, before.bytes);
}

TEST(Model, NamesTheLayerAndTheShapes) {
  Threads threads(1);
  auto model = Model::fromJson(json(R"({"class_name": "Sequential", "config": {"layers": [
    {"class_name": "Conv2D", "config": {"name": "edges", "filters": 4, "kernel_size": 9, "batch_input_shape": [null, 5, 5, 1]}}]}})"),
                               threads);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().message,
            "edges: conv2d: a filter of 9x9 does not fit the padded image of 5x5 (inputs: "
            "float32[2,5,5,1], float32[9,9,1,4])");
}

TEST(Model, RefusesWhatItDoesNotKnow) {
  Threads threads(1);
  auto unknown = Model::fromJson(
      json(
          R"({"class_name": "Sequential", "config": {"layers": [{"class_name": "Telepathy", "config": {}}]}})"),
      threads);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("Telepathy"), std::string::npos);
  auto model = mlp(threads);
  Status bad = model->compile(json(R"({"optimizer": "adam", "loss": "telepathy"})"));
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("unknown loss"), std::string::npos);
  // The model still trains as it was compiled before.
  EXPECT_GT(entry(train(*model, clouds(100), {.epochs = 5}), "accuracy"), 0.5);
  Samples wrong = clouds(10);
  wrong.x[0] = *Tensor::zeros({DType::kF32, {10, 3}});
  auto fit = Fit::begin(*model, wrong, {});
  ASSERT_FALSE(fit);
  EXPECT_EQ(fit.error().message,
            "fit: the input dense_input takes [samples,2], got an array [10,3]");
}

std::vector<std::vector<float>> values(const Model& model) {
  std::vector<std::vector<float>> all;
  for (const Weight& w : model.weights())
    all.emplace_back(w.value.span<float>().begin(), w.value.span<float>().end());
  return all;
}

TEST(Trainable, CountsFromTheNextCompileAndStandsInTheDescription) {
  Threads threads(1);
  auto model = mlp(threads);
  Samples samples = clouds(20);
  auto step = [&] {
    auto before = values(*model);
    Totals totals;
    EXPECT_TRUE(model->run(Model::kTrain, {.x = samples.x, .y = samples.y}, totals));
    std::vector<bool> changed;
    for (size_t i = 0; i < before.size(); ++i) changed.push_back(values(*model)[i] != before[i]);
    return changed;
  };
  using Changed = std::vector<bool>;
  EXPECT_EQ(model->weights()[0].name, "dense/kernel");
  ASSERT_TRUE(model->setTrainable(true, json(R"({"dense": false, "dense_1": true})")));
  EXPECT_EQ(step(), (Changed{true, true, true, true}));
  EXPECT_NE(model->summary().find("42 parameters, 18 trainable"), std::string::npos)
      << model->summary();
  ASSERT_TRUE(model->compile(json(kOptions)));
  EXPECT_EQ(step(), (Changed{false, false, true, true}));
  EXPECT_EQ(model->json()["config"]["layers"][0]["config"]["trainable"], false);
  EXPECT_FALSE(model->json()["config"]["layers"][2]["config"].contains("trainable"));
  auto again = Model::fromJson(model->json(), threads);
  ASSERT_TRUE(again);
  EXPECT_FALSE((*again)->isTrainable((*again)->weights()[0]));
  EXPECT_TRUE((*again)->isTrainable((*again)->weights()[2]));
  ASSERT_TRUE(model->setTrainable(false, json(R"({"dense": true})")));
  ASSERT_TRUE(model->compile(json(kOptions)));
  EXPECT_EQ(step(), (Changed{false, false, false, false}));
  Status unknown = model->setTrainable(true, json(R"({"nowhere": true})"));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "the model has no layer named nowhere");
}

TEST(Model, SetsAllWeightsOrNone) {
  Threads threads(1);
  auto model = mlp(threads);
  auto before = values(*model);
  std::vector<Tensor> given;
  for (const Weight& w : model->weights()) given.push_back(*Tensor::zeros(w.value.type()));
  given[3] = *Tensor::zeros({DType::kF32, {3}});
  Status status = model->setWeights(given);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "the weight dense_1/bias is float32[2], got float32[3]: no weight was set");
  EXPECT_EQ(values(*model), before);
}

TEST(Model, RefusesClassNumbersOfNoClass) {
  Threads threads(1);
  auto model = Model::fromJson(json(kMlp), threads);
  ASSERT_TRUE(model);
  ASSERT_TRUE(
      (*model)->compile(json(R"({"optimizer": "sgd", "loss": "sparseCategoricalCrossentropy"})")));
  Samples samples = clouds(4);
  auto before = values(**model);
  std::pair<float, const char*> wrong[] = {{2, "2"}, {-1, "-1"}, {0.5, "0.5"}, {NAN, "NaN"}};
  for (auto [label, said] : wrong) {
    float numbers[] = {0, 1, label, 1};
    Tensor labels = *Tensor::of({4}, std::span<const float>(numbers));
    Totals totals;
    Status status = (*model)->run(Model::kTrain, {.x = samples.x, .y = {&labels, 1}}, totals);
    ASSERT_FALSE(status);
    EXPECT_EQ(
        status.error().message,
        cat("the labels of dense_1 are class numbers from 0 to 1: that of sample 2 is ", said));
  }
  EXPECT_EQ(values(**model), before);
}

TEST(Fit, StopsEarlyAndRestoresTheBestWeights) {
  Threads threads(1);
  auto model = mlp(threads);
  // A rate so high that the loss gets worse.
  model->setRate(5);
  auto fit = Fit::begin(*model, clouds(64),
                        {.epochs = 50, .callbacks = json(R"([{"class_name": "EarlyStopping",
    "config": {"monitor": "loss", "patience": 2, "restore_best_weights": true}}])")});
  ASSERT_TRUE(fit) << fit.error().message;
  int epochs = 0;
  while (!(*fit)->done()) {
    auto event = (*fit)->advance();
    ASSERT_TRUE(event);
    epochs += *event == Fit::kEpochEnd;
  }
  EXPECT_LT(epochs, 50);
  EXPECT_NE((*fit)->reason().find("has not improved for 2 epochs"), std::string::npos)
      << (*fit)->reason();
}

TEST(Fit, ReportsANaNLoss) {
  Threads threads(1);
  auto model = mlp(threads);
  Samples samples = clouds(64);
  samples.x[0].data<float>()[5] = std::nanf("");
  auto fit = Fit::begin(
      *model, samples,
      {.epochs = 5, .callbacks = json(R"([{"class_name": "TerminateOnNaN", "config": {}}])")});
  ASSERT_TRUE(fit);
  while (!(*fit)->done()) ASSERT_TRUE((*fit)->advance());
  EXPECT_NE((*fit)->reason().find("the loss is NaN"), std::string::npos) << (*fit)->reason();
}

TEST(Fit, AnErrorEndsIt) {
  Threads threads(1);
  auto model = mlp(threads);
  Samples samples = clouds(32);
  auto fit = Fit::begin(*model, samples,
                        {.batchSize = 32, .callbacks = json(R"([{"class_name": "EarlyStopping",
    "config": {"monitor": "happiness"}}])")});
  ASSERT_TRUE(fit) << fit.error().message;
  ASSERT_TRUE((*fit)->advance());
  auto event = (*fit)->advance();
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().message,
            "a callback watches \"happiness\", which is not among the logs; add validation data or "
            "watch another");
  EXPECT_TRUE((*fit)->done());
}

TEST(Fit, CheckpointsNameWhereToSave) {
  Threads threads(1);
  auto model = mlp(threads);
  auto fit = Fit::begin(*model, clouds(32), {.epochs = 4, .callbacks = json(R"([
    {"class_name": "ModelCheckpoint", "config": {"filepath": "each-{epoch}", "monitor": "loss"}},
    {"class_name": "ModelCheckpoint",
     "config": {"filepath": "best", "monitor": "loss", "save_best_only": true}},
    {"class_name": "ModelCheckpoint", "config": {"filepath": "never", "monitor": "loss",
     "save_best_only": true, "initial_value_threshold": 0}}])")});
  ASSERT_TRUE(fit) << fit.error().message;
  double best = 1e9;
  while (!(*fit)->done()) {
    auto event = (*fit)->advance();
    ASSERT_TRUE(event) << event.error().message;
    if (*event != Fit::kEpochEnd) {
      continue;
    }
    double loss = entry((*fit)->logs(), "loss");
    std::vector<std::string> expected = {cat("each-", (*fit)->epoch())};
    if (loss < best) expected.push_back("best");
    best = std::min(best, loss);
    EXPECT_EQ((*fit)->checkpoints(), expected);
  }
  auto nowhere =
      Fit::begin(*model, clouds(32), {.callbacks = json(R"([{"class_name": "ModelCheckpoint"}])")});
  EXPECT_FALSE(nowhere);
}

TEST(Fit, CheckpointsNameWhatIsLogged) {
  Threads threads(1);
  auto model = mlp(threads);
  // The first path, or the error.
  auto path = [&](std::string_view filepath, double* loss = nullptr) {
    Json callbacks = Json::array({{{"class_name", "ModelCheckpoint"},
                                   {"config", {{"filepath", filepath}, {"monitor", "loss"}}}}});
    auto fit = Fit::begin(*model, clouds(32), {.callbacks = callbacks});
    EXPECT_TRUE(fit) << fit.error().message;
    while (!(*fit)->done()) {
      auto event = (*fit)->advance();
      if (!event) return event.error().message;
    }
    if (loss) *loss = entry((*fit)->logs(), "loss");
    return (*fit)->checkpoints().empty() ? std::string() : (*fit)->checkpoints()[0];
  };
  EXPECT_EQ(path("{epoch:03d}.keras"), "001.keras");
  double loss = 0;
  std::string at = path("a/{epoch}-{loss:.2f}-{", &loss);
  EXPECT_TRUE(at.starts_with("a/1-") && at.ends_with("-{")) << at;
  EXPECT_EQ(at.size(), 10u) << at;
  EXPECT_NEAR(std::stod(at.substr(4, 4)), loss, 0.00501);
  for (std::string_view wrong : {"{happiness}", "{epoch:.2f}", "{loss:02d}", "{loss:.99f}", "{}"}) {
    EXPECT_EQ(path(wrong),
              cat("filepath names ", wrong,
                  ": there are {epoch}, {epoch:03d}, and what is logged, as {loss:.2f}"));
  }
}

TEST(Model, StepsThatWouldHaveMeansOfTheirOwnAreNotTrained) {
  Threads threads(1);
  auto words = [&](bool trainable) -> std::string {
    Json around = layer("TimeDistributed", {{"layer", layer("BatchNormalization", Json::object())},
                                            {"input_shape", {3, 2}},
                                            {"trainable", trainable}});
    auto model = Model::fromJson(sequential({around, layer("Dense", {{"units", 2}})}), threads);
    if (!model) return model.error().message;
    EXPECT_TRUE((*model)->predict({{*Tensor::zeros({DType::kF32, {4, 3, 2}})}}));
    Status status = (*model)->compile(json(R"({"optimizer": "sgd", "loss": "mse"})"));
    return status ? "" : status.error().message;
  };
  EXPECT_EQ(words(false), "");
  std::string why = words(true);
  EXPECT_TRUE(why.contains("BatchNormalization within TimeDistributed is not trained")) << why;
}

TEST(Fit, CallbacksAreToldWhichWayIsBetterWhereNobodyKnows) {
  Threads threads(1);
  auto model = mlp(threads);
  Json compiled = model->compileOptions();
  compiled["metrics"] = {"accuracy", "true_positives"};
  ASSERT_TRUE(model->compile(compiled));
  auto end = [&](std::string_view mode) -> std::string {
    Json config = {{"monitor", "true_positives"}, {"mode", mode}};
    Json callbacks = Json::array({{{"class_name", "EarlyStopping"}, {"config", config}}});
    auto fit = Fit::begin(*model, clouds(32), {.callbacks = callbacks});
    while (!(*fit)->done()) {
      auto event = (*fit)->advance();
      if (!event) return event.error().message;
    }
    return "";
  };
  EXPECT_EQ(end("max"), "");
  EXPECT_EQ(
      end("auto"),
      "a callback watches \"true_positives\", of which nobody knows whether more is better: say "
      "mode \"min\" or \"max\"");
}

TEST(Model, ThreeThousandLayersTrain) {
  std::vector<Json> layers(
      3000,
      layer("Dense", {{"units", 16}, {"activation", "relu"}, {"kernel_initializer", "zeros"}}));
  layers[0]["config"]["input_shape"] = {16};
  layers.push_back(layer("Dense", {{"units", 1}, {"kernel_initializer", "zeros"}}));
  Threads threads(1);
  auto model = Model::fromJson(sequential(std::move(layers)), threads);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->weights()[5998].name, "dense_2999/kernel");
  Status status = (*model)->compile(json(R"({"optimizer": {"class_name": "SGD",
      "config": {"learning_rate": 0.25}}, "loss": "mse"})"));
  ASSERT_TRUE(status) << status.error().message;
  Tensor x[] = {*Tensor::zeros({DType::kF32, {8, 16}})},
         y[] = {*Tensor::zeros({DType::kF32, {8, 1}})};
  std::ranges::fill(y[0].span<float>(), 1.0f);
  Totals totals;
  status = (*model)->run(Model::kTrain, {.x = x, .y = y}, totals);
  ASSERT_TRUE(status) << status.error().message;
  // Every prediction is 0: the loss is 1, and its derivative by the last bias -2.
  EXPECT_EQ(totals.loss / totals.samples, 1.0);
  EXPECT_EQ((*model)->weights().back().value.data<float>()[0], 0.5f);
}

}  // namespace
}  // namespace fjord
