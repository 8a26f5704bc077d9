// A step allocates nothing: what is run again and again (plans, steps of models in all modes, batches
// of a fit, and the C functions that JavaScript calls for them) asks for no memory after its first
// time. What gives a new array allocates that array.
#include "testing/allocations.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "abi/runtime.h"
#include "testing/reference.h"

namespace fjord {
namespace {

using testing::allocationsOf;
using testing::draw;
using testing::kSeesArrays;
using testing::NamedChecks;
using testing::opChecks;
using testing::toTensor;

/// A counter that saw nothing would pass all tests below.
TEST(Allocations, AreSeen) {
  // An array that nobody writes to need not be made.
  std::vector<int> list;
  EXPECT_EQ(allocationsOf([&] { list.assign(100, 7); }), 1);
  EXPECT_EQ(list[99], 7);
  Tensor tensor;
  EXPECT_EQ(allocationsOf([&] { tensor = *Tensor::zeros({DType::kF32, {3}}); }), kSeesArrays);
  void* volatile block = nullptr;
  EXPECT_EQ(allocationsOf([&] { block = std::malloc(8); }), 1);
  EXPECT_EQ(allocationsOf([&] { block = std::realloc(block, 1 << 20); }), 1);
  std::free(block);
  EXPECT_EQ(allocationsOf([&] { block = std::calloc(2, 8); }), 1);
  std::free(block);
  Threads two(2);
  std::vector<int> lists[64];
  EXPECT_EQ(allocationsOf([&] { two.run(64, [&](int part) { lists[part].reserve(100); }); }), 64);
}

// ---- plans

/// A case of an op, and where `withGradient` says so its gradients, as one plan whose second operand
/// is a parameter, with memory bound to all of it.
struct Bound {
  Graph graph;
  std::vector<Tensor> tensors;
  std::optional<Executor> executor;

  Bound(OpId op, const Case& k, Threads& threads, bool withGradient) {
    std::vector<Value> in, xs;
    for (size_t i = 0; i < k.in.size(); ++i) {
      const Type& type = k.in[i].type;
      in.push_back(i == 1 ? graph.parameter(type) : graph.input(type));
      if (type.dtype == DType::kF32) xs.push_back(in.back());
      tensors.push_back(toTensor(draw(k.in[i], i + 1)));
    }
    Value y = emit(op, in, k.attrs);
    graph.output(y);
    if (withGradient) {
      for (Value d : grad(y, xs, {})) graph.output(d);
    }
    if (!graph.status()) return;
    Plan plan = *compile(graph, {.threads = threads.count(), .winograd = true});
    executor = *Executor::make(std::move(plan), threads);
    for (size_t i = 0; i < tensors.size(); ++i)
      executor->bindInput(static_cast<int>(i), tensors[i].view().data);
    const std::vector<Type>& outputs = executor->plan().outputs;
    for (size_t i = 0; i < outputs.size(); ++i) {
      tensors.push_back(*Tensor::empty(outputs[i]));
      executor->bindOutput(static_cast<int>(i), tensors.back().view().data);
    }
  }
};

/// Every kernel, and what prepares operands for it.
TEST(Allocations, APlanOfAnyOpHasNone) {
  Threads two(2);
  int values = 0, gradients = 0;
  for (const NamedChecks& named : opChecks()) {
    for (const Case& k : named.checks->cases()) {
      for (bool withGradient : {false, true}) {
        SCOPED_TRACE(cat(opInfo(named.op).name, ", ", k.name, withGradient ? ", gradient" : ""));
        Bound bound(named.op, k, two, withGradient);
        if (!bound.executor) {
          // Ops without a gradient.
          ASSERT_TRUE(withGradient) << bound.graph.status().error().message;
          continue;
        }
        ++(withGradient ? gradients : values);
        ASSERT_TRUE(bound.executor->run());
        Status ran[2];
        EXPECT_EQ(allocationsOf([&] {
                    ran[0] = bound.executor->run();
                    bound.executor->refresh();
                    ran[1] = bound.executor->run();
                  }),
                  0);
        EXPECT_TRUE(ran[0] && ran[1]);
      }
    }
  }
  EXPECT_GT(values, 100);
  EXPECT_GT(gradients, 100);
}

// ---- models

Json mlp() {
  return sequential(
      {layer("Dense",
             {{"units", 32}, {"activation", "relu"}, {"batch_input_shape", {nullptr, 12}}}),
       layer("BatchNormalization", Json::object()), layer("Dropout", {{"rate", 0.2}}),
       layer("Dense", {{"units", 3},
                       {"activation", "softmax"},
                       {"kernel_regularizer", "l2"},
                       {"kernel_constraint", "max_norm"}})});
}
Json cnn() {
  return sequential({layer("Conv2D", {{"filters", 8},
                                      {"kernel_size", 3},
                                      {"padding", "same"},
                                      {"activation", "relu"},
                                      {"batch_input_shape", {nullptr, 8, 8, 2}}}),
                     layer("BatchNormalization", Json::object()),
                     layer("MaxPooling2D", Json::object()),
                     layer("DepthwiseConv2D", {{"kernel_size", 3}, {"activation", "elu"}}),
                     layer("Conv2D", {{"filters", 16}, {"kernel_size", 1}, {"strides", 2}}),
                     layer("GlobalAveragePooling2D", Json::object()),
                     layer("Dense", {{"units", 3}, {"activation", "softmax"}})});
}

Tensor drawn(const Shape& shape, uint64_t seed) {
  return toTensor(draw({{DType::kF32, shape}, 0.1, 1}, seed));
}

/// A network with samples to train it on.
struct Network {
  const char* name;
  Json json;
  Tensor x, y, weights;

  static std::vector<Network> all(int32_t samples) {
    Tensor y = drawn({samples, 3}, 2), weights = drawn({samples}, 3);
    return {{"MLP", mlp(), drawn({samples, 12}, 1), y, weights},
            {"CNN", cnn(), drawn({samples, 8, 8, 2}, 1), y, weights}};
  }
};

constexpr int kLogs = 7;  // the loss and these metrics
Json compileOptions(const Json& optimizer) {
  return {
      {"optimizer", optimizer},
      {"loss", "categoricalCrossentropy"},
      {"metrics",
       {"accuracy", "precision", "meanSquaredError",
        Json{{"class_name", "AUC"}, {"config", {{"num_thresholds", 20}, {"multi_label", true}}}},
        Json{{"class_name", "F1Score"}, {"config", {{"average", "macro"}}}},
        Json{{"class_name", "OneHotMeanIoU"}, {"config", {{"num_classes", 3}}}}}}};
}

/// Every optimizer as it is, and one with all that any may have beside it, for every schedule.
std::vector<Json> optimizers() {
  std::vector<Json> all;
  for (const OptimizerRow& row : optimizerRows()) all.push_back(firstName(row));
  for (const Named& row : scheduleTable().rows) {
    std::string name(firstName(row));
    Json config = {{"initial_learning_rate", 0.01}, {"decay_steps", 5}, {"decay_rate", 0.9}};
    if (name == "cosine_decay") config.erase("decay_rate");
    if (name == "cosine_decay_restarts")
      config = {{"initial_learning_rate", 0.01}, {"first_decay_steps", 2}};
    if (name == "polynomial_decay") config.erase("decay_rate");
    if (name == "piecewise_constant_decay")
      config = {{"boundaries", {2, 4}}, {"values", {0.1, 0.01, 0.001}}};
    all.push_back({{"class_name", "sgd"},
                   {"config",
                    {{"learning_rate", {{"class_name", name}, {"config", config}}},
                     {"momentum", 0.9},
                     {"weight_decay", 0.01},
                     {"use_ema", true},
                     {"ema_overwrite_frequency", 2},
                     {"gradient_accumulation_steps", 2},
                     {"clipnorm", 1}}}});
  }
  return all;
}

/// Steps in these modes on batches of a size that was seen: all samples as they lie, chosen rows, and
/// with weights.
void expectNone(Model& model, const Network& n) {
  const int32_t rows[] = {5, 0, 3, 2};
  Batch all{.x = {&n.x, 1}, .y = {&n.y, 1}};
  Batch some{.x = {&n.x, 1}, .y = {&n.y, 1}, .rows = rows};
  Batch weighted{.x = {&n.x, 1}, .y = {&n.y, 1}, .weights = {&n.weights, 1}, .rows = rows};
  Totals totals;
  Logs logs;
  for (Model::Mode mode : {Model::kTrain, Model::kTest}) {
    auto steps = [&] {
      bool ran = true;
      for (const Batch* batch : {&all, &some, &weighted}) {
        totals.clear();
        ran = ran && model.run(mode, *batch, totals);
        model.writeLogs(totals, logs);
      }
      return ran;
    };
    ASSERT_TRUE(steps());
    bool ran = false;
    EXPECT_EQ(allocationsOf([&] { ran = steps(); }), 0)
        << (mode == Model::kTrain ? "train" : "test");
    EXPECT_TRUE(ran);
  }
}

TEST(Allocations, AStepOfAModelHasNone) {
  Threads two(2);
  for (const Network& n : Network::all(6)) {
    auto model = *Model::fromJson(n.json, two, {.seed = 1});
    for (const Json& optimizer : optimizers()) {
      SCOPED_TRACE(cat(n.name, ", ", optimizer.dump()));
      Status compiled = model->compile(compileOptions(optimizer));
      ASSERT_TRUE(compiled) << compiled.error().message;
      expectNone(*model, n);
    }
  }
}

/// A prediction's arrays are new; its steps are not among what is allocated, however many they are.
TEST(Allocations, APredictionHasThoseOfItsResults) {
  Threads two(2);
  for (const Network& n : Network::all(6)) {
    SCOPED_TRACE(n.name);
    auto model = *Model::fromJson(n.json, two, {.seed = 1});
    for (int batchSize : {6, 3, 1}) {
      ASSERT_TRUE(model->predict({&n.x, 1}, batchSize));
      Result<std::vector<Tensor>> y;
      // The list and its one array.
      EXPECT_EQ(allocationsOf([&] { y = model->predict({&n.x, 1}, batchSize); }), 1 + kSeesArrays)
          << batchSize;
      EXPECT_TRUE(y);
    }
  }
}

/// All batches but the first of their kind; what is done between epochs is no step.
TEST(Allocations, ABatchOfAFitHasNone) {
  Threads two(2);
  for (const Network& n : Network::all(12)) {
    SCOPED_TRACE(n.name);
    auto model = *Model::fromJson(n.json, two, {.seed = 1});
    ASSERT_TRUE(model->compile(compileOptions("adam")));
    FitOptions options{.epochs = 2, .batchSize = 4};
    options.classWeight = {{"0", 1}, {"1", 2}, {"2", 3}};
    options.callbacks = {"terminateOnNaN",
                         {{"class_name", "ReduceLROnPlateau"}, {"config", {{"patience", 1}}}}};
    auto fit = *Fit::begin(*model, {{n.x}, {n.y}}, options, {{n.x}, {n.y}});
    int counted[3] = {};
    while (!fit->done()) {
      Result<Fit::Event> event;
      int64_t made = allocationsOf([&] { event = fit->advance(); });
      ASSERT_TRUE(event) << event.error().message;
      if (counted[*event]++ > 0 && *event != Fit::kEpochEnd)
        EXPECT_EQ(made, 0) << "event " << *event << " number " << counted[*event];
    }
    EXPECT_EQ(counted[Fit::kBatchEnd], 6);
    EXPECT_EQ(counted[Fit::kValidationBatch], 6);
  }
}

/// Also one that stops after every step of its plan; in the second epoch all of them are known.
TEST(Allocations, ABatchThatStopsHasNone) {
  Threads two(2);
  Budget budget(0, [] { return 1e300; });
  budget.betweenLooks = 0;
  for (const Network& n : Network::all(12)) {
    SCOPED_TRACE(n.name);
    auto model = *Model::fromJson(n.json, two, {.seed = 1});
    ASSERT_TRUE(model->compile(compileOptions("adam")));
    auto fit = *Fit::begin(*model, {{n.x}, {n.y}}, {.epochs = 2, .batchSize = 4}, {{n.x}, {n.y}});
    int counted[4] = {};
    while (!fit->done()) {
      bool isKnown = fit->epoch() > 0;
      Result<Fit::Event> event;
      int64_t made = allocationsOf([&] { event = fit->advance(&budget); });
      ASSERT_TRUE(event) << event.error().message;
      ++counted[*event];
      if (isKnown && *event != Fit::kEpochEnd) EXPECT_EQ(made, 0) << "event " << *event;
    }
    EXPECT_EQ(counted[Fit::kBatchEnd], 6);
    EXPECT_EQ(counted[Fit::kValidationBatch], 6);
    EXPECT_GT(counted[Fit::kPaused], 50);
  }
}

// ---- the border

int handleOf(const Tensor& t) { return newTensor(Traced{t, runtime().eager->newId()}); }

/// A model of the C ABI with its samples.
class Border : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    fj_init(2);
    Network n = Network::all(8)[GetParam()];
    model = fj_model(n.json.dump().c_str(), 1, 1, nullptr);
    ASSERT_EQ(fj_modelCompile(model, compileOptions("adam").dump().c_str()), 1) << fj_message();
    x = handleOf(n.x);
    y = handleOf(n.y);
  }
  void TearDown() override {
    fj_dispose(x);
    fj_dispose(y);
    fj_modelFree(model);
    fj_init(1);
  }
  int model = 0, x = 0, y = 0;
};

TEST_P(Border, AStepHasNone) {
  double out[8];
  for (int train : {1, 0}) {
    auto step = [&] { return fj_modelBatch(model, train, &x, 1, &y, 1, out, 8); };
    ASSERT_EQ(step(), kLogs) << fj_message();
    int logs = 0;
    EXPECT_EQ(allocationsOf([&] { logs = step(); }), 0) << (train ? "train" : "test");
    EXPECT_EQ(logs, kLogs);
  }
}

TEST_P(Border, ABatchOfAFitHasNone) {
  int arrays[] = {x, y}, counts[] = {1, 1, 0, 0, 0, 0};
  int fit = fj_fit(model, arrays, counts, R"({"epochs": 2, "batchSize": 2})");
  ASSERT_NE(fit, 0) << fj_message();
  double out[3];
  std::vector<int> events;
  events.reserve(10);
  for (int i = 0; i < 10; ++i) {
    int event = 0;
    int64_t made = allocationsOf([&] { event = fj_fitAdvance(fit, 0, out); });
    if (i > 0 && event == 1 + Fit::kBatchEnd) EXPECT_EQ(made, 0) << i;
    events.push_back(event);
  }
  EXPECT_EQ(events, (std::vector{1, 1, 1, 1, 3, 1, 1, 1, 1, 3}));
  fj_fitFree(fit);
}

TEST_P(Border, APredictionHasThoseOfItsResult) {
  int result = 0;
  auto predict = [&] { return fj_modelPredict(model, &x, 1, 4, 0, &result, 1); };
  ASSERT_EQ(predict(), 1) << fj_message();
  fj_dispose(result);
  int outputs = 0;
  EXPECT_EQ(allocationsOf([&] { outputs = predict(); }), 1 + kSeesArrays);
  EXPECT_EQ(outputs, 1);
  fj_dispose(result);
}

/// The half of a step that the engine does where a GPU does the other.
TEST_P(Border, AStepOnAGpuHasNone) {
  const double limits[] = {10, 1 << 27, 1 << 28, 65535};
  ASSERT_EQ(fj_modelSetGpu(model, limits), 1);
  int32_t numbers[64];
  double out[8];
  int arrays[] = {x, y}, counts[] = {1, 1, 0, 0, 0, 0};
  int fit = fj_fit(model, arrays, counts, R"({"epochs": 1, "batchSize": 2})");
  ASSERT_NE(fit, 0) << fj_message();
  for (int i = 0; i < 4; ++i) {
    int done[3] = {};
    int64_t made = allocationsOf([&] {
      done[0] = fj_fitBegin(fit);
      done[1] = fj_gpuStep(model, numbers, 64);
      done[2] = fj_fitAdvance(fit, 0, out);
    });
    EXPECT_TRUE(done[0] == 2 && done[1] > 1 && done[2] == 1) << fj_message();
    if (i > 0) EXPECT_EQ(made, 0);
  }
  fj_fitFree(fit);
  for (int i = 0; i < 2; ++i) {
    int done[3] = {};
    int64_t made = allocationsOf([&] {
      done[0] = fj_gpuBatch(model, 1, &x, 1, &y, 1);
      done[1] = fj_gpuStep(model, numbers, 64);
      done[2] = fj_gpuFinish(model, out, 8);
    });
    EXPECT_TRUE(done[0] == 1 && done[1] > 1 && done[2] == kLogs) << fj_message();
    if (i > 0) EXPECT_EQ(made, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Allocations, Border, ::testing::Values(0, 1),
                         [](const auto& info) { return info.param ? "Cnn" : "Mlp"; });

}  // namespace
}  // namespace fjord
