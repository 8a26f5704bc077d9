// Recurrent layers: what they keep from batch to batch, what is dropped, how their weights begin and are
// named, what is refused. Values against Keras stand in golden_layers_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "nn/fit.h"
#include "nn/model.h"
#include "testing/models.h"

namespace fjord {
namespace {

using testing::errorOf;
using testing::json;
using testing::made;
using testing::namesOf;
using testing::numbers;
using testing::valuesOf;

/// A layer on sequences of 4 steps of 3 numbers.
Json alone(std::string_view className, Json config) {
  config["batch_input_shape"] = Json::array({nullptr, 4, 3});
  return sequential({layer(className, std::move(config))});
}
Json lstm(Json config) {
  config["units"] = 2;
  return alone("LSTM", std::move(config));
}

std::vector<float> predicted(Model& model, const Tensor& x, int batch = 32) {
  auto y = model.predict({&x, 1}, batch);
  EXPECT_TRUE(y) << y.error().message;
  return y ? valuesOf((*y)[0]) : std::vector<float>();
}
std::string faultOf(Model& model, const Tensor& x) {
  auto y = model.predict({&x, 1}, 32);
  return y ? "" : y.error().message;
}
Weight& weightOf(Model& model, std::string_view name) {
  auto found = std::ranges::find(model.mutableWeights(), name, &Weight::name);
  EXPECT_NE(found, model.mutableWeights().end()) << name;
  return *found;
}

// ---- weights

TEST(Recurrent, WeightsAreNamedByTheirCells) {
  Threads threads;
  using Names = std::vector<std::string>;
  auto named = [&](const Json& description) {
    return namesOf(*made(description, threads, {.seed = 1}));
  };
  EXPECT_EQ(named(lstm({{"name", "a"}})), (Names{"a/kernel", "a/recurrent_kernel", "a/bias"}));
  EXPECT_EQ(named(lstm({{"name", "a"}, {"use_bias", false}})),
            (Names{"a/kernel", "a/recurrent_kernel"}));
  Json gru = layer("GRUCell", {{"units", 2}, {"name", "g"}});
  EXPECT_EQ(named(alone("RNN", {{"name", "a"}, {"cell", gru}})),
            (Names{"a/g/kernel", "a/g/recurrent_kernel", "a/g/bias"}));
  Json simple = layer("SimpleRNNCell", {{"units", 2}, {"use_bias", false}});
  Json cells = Json::array({gru, simple, simple});
  EXPECT_EQ(named(alone("RNN", {{"name", "a"}, {"cell", cells}})),
            (Names{"a/stacked_rnn_cells/g/kernel", "a/stacked_rnn_cells/g/recurrent_kernel",
                   "a/stacked_rnn_cells/g/bias", "a/stacked_rnn_cells/simplernncell/kernel",
                   "a/stacked_rnn_cells/simplernncell/recurrent_kernel",
                   "a/stacked_rnn_cells/simplernncell_1/kernel",
                   "a/stacked_rnn_cells/simplernncell_1/recurrent_kernel"}));
  Json inner = layer("GRU", {{"units", 2}, {"name", "g"}, {"use_bias", false}});
  EXPECT_EQ(named(alone("Bidirectional", {{"name", "a"}, {"layer", inner}})),
            (Names{"a/forward_g/kernel", "a/forward_g/recurrent_kernel", "a/backward_g/kernel",
                   "a/backward_g/recurrent_kernel"}));
}

TEST(Recurrent, WeightsBeginAsKerasHasThem) {
  Threads threads;
  auto model = made(alone("LSTM", {{"units", 5}, {"name", "a"}}), threads, {.seed = 1});
  // 0 but for the forget gate, the second of four.
  std::vector<float> bias = valuesOf(weightOf(*model, "a/bias").value);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(bias[i], i >= 5 && i < 10 ? 1 : 0) << i;
  auto closed = made(alone("LSTM", {{"units", 5}, {"name", "a"}, {"unit_forget_bias", false}}),
                     threads, {.seed = 1});
  EXPECT_EQ(valuesOf(weightOf(*closed, "a/bias").value), std::vector<float>(20));
  // The rows of [5,20] are orthonormal.
  std::vector<float> u = valuesOf(weightOf(*model, "a/recurrent_kernel").value);
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 5; ++j) {
      double dot = 0;
      for (int k = 0; k < 20; ++k) dot += static_cast<double>(u[i * 20 + k]) * u[j * 20 + k];
      EXPECT_NEAR(dot, i == j, 1e-6) << i << ", " << j;
    }
  }
  // Drawn parts are not the same numbers.
  Json drawn = alone("LSTM", {{"units", 5}, {"name", "a"}, {"bias_initializer", "random_normal"}});
  bias = valuesOf(weightOf(*made(drawn, threads, {.seed = 1}), "a/bias").value);
  EXPECT_EQ(std::set<float>(bias.begin(), bias.end()).size(), 16u);
}

// ---- what is kept

TEST(Recurrent, AStatefulLayerGoesOnWhereTheLastBatchEnded) {
  Threads threads;
  Tensor x = numbers({2, 8, 3}), first = numbers({2, 4, 3}), second = numbers({2, 4, 3});
  for (int n = 0; n < 2; ++n) {
    std::copy_n(x.data<float>() + n * 24, 12, first.data<float>() + n * 12);
    std::copy_n(x.data<float>() + n * 24 + 12, 12, second.data<float>() + n * 12);
  }
  Json config = {{"units", 2}, {"name", "a"}, {"batch_input_shape", Json::array({nullptr, 8, 3})}};
  auto whole = made(sequential({layer("LSTM", config)}), threads, {.seed = 1});
  auto kept = made(lstm({{"stateful", true}, {"name", "a"}}), threads, {.seed = 1});
  std::vector<float> all = predicted(*whole, x), begun = predicted(*kept, first);
  EXPECT_EQ(predicted(*kept, second), all);
  kept->resetStates();
  EXPECT_EQ(predicted(*kept, first), begun);
  EXPECT_EQ(namesOf(*kept), namesOf(*whole)) << "states are no weights";
  // Not the layer's own name, and that.
  kept->resetStates("b");
  EXPECT_EQ(predicted(*kept, second), all);
  kept->resetStates("a");
  EXPECT_EQ(predicted(*kept, first), begun);
}

TEST(Recurrent, StatesAreOfBatchesOfOneSizeUntilTheyAreReset) {
  Threads threads;
  auto model = made(lstm({{"stateful", true}, {"name", "a"}}), threads, {.seed = 1});
  Tensor two = numbers({2, 4, 3}), three = numbers({3, 4, 3});
  std::vector<float> begun = predicted(*model, three);
  EXPECT_EQ(faultOf(*model, two),
            "the layer a is stateful and has the states of 3 samples, got 2: batches have one size "
            "until resetStates");
  model->resetStates();
  predicted(*model, two);
  model->resetStates();
  EXPECT_EQ(predicted(*model, three), begun);
}

/// Also one that is put aside for a prediction: each sees the states that the other has left.
TEST(Recurrent, APausedStepOfAStatefulModelEndsBeforeAnother) {
  Threads threads;
  Json description =
      sequential({layer("LSTM", {{"units", 8},
                                 {"stateful", true},
                                 {"batch_input_shape", Json::array({nullptr, 4, 3})}}),
                  layer("Dense", {{"units", 1}})});
  auto straight = made(description, threads, {.seed = 1}),
       paused = made(description, threads, {.seed = 1});
  Tensor x = numbers({2, 4, 3}), y = numbers({2, 1}, 5);
  Json options = json(R"({"optimizer": "sgd", "loss": "mse"})");
  for (Model* model : {straight.get(), paused.get()}) ASSERT_TRUE(model->compile(options));
  Totals a, b;
  Batch batch{.x = {&x, 1}, .y = {&y, 1}};
  ASSERT_TRUE(straight->run(Model::kTrain, batch, a));
  std::vector<float> want = predicted(*straight, x);
  PausedStep step;
  Budget none(0, [] { return 1e300; });
  none.betweenLooks = 0;
  Result<bool> done = paused->run(Model::kTrain, batch, b, step, &none);
  ASSERT_TRUE(done && !*done);
  EXPECT_EQ(predicted(*paused, x), want);
  ASSERT_TRUE(*paused->run(Model::kTrain, batch, b, step, nullptr));
  EXPECT_EQ(a.loss, b.loss);
}

// ---- what is dropped

/// x -> layer, called as in training, with initial states.
Json trainingCall(std::string_view className, Json config, int states) {
  config["name"] = "a";
  Json layers = Json::array(), node = Json::array(), inputs = Json::array();
  for (int i = 0; i <= states; ++i) {
    std::string name = cat("x", i);
    Json shape = i == 0 ? Json::array({nullptr, 4, 3}) : Json::array({nullptr, 3});
    layers.push_back({{"class_name", "InputLayer"},
                      {"name", name},
                      {"config", {{"name", name}, {"batch_input_shape", shape}}},
                      {"inbound_nodes", Json::array()}});
    node.push_back(Json::array({name, 0, 0, {{"training", true}}}));
    inputs.push_back(Json::array({name, 0, 0}));
  }
  layers.push_back({{"class_name", className},
                    {"name", "a"},
                    {"config", std::move(config)},
                    {"inbound_nodes", Json::array({node})}});
  return {{"class_name", "Functional"},
          {"config",
           {{"name", "m"},
            {"layers", layers},
            {"input_layers", inputs},
            {"output_layers", Json::array({Json::array({"a", 0, 0})})}}}};
}
Tensor ones(const Shape& shape) {
  Tensor t = *Tensor::zeros({DType::kF32, shape});
  std::ranges::fill(t.span<float>(), 1.0f);
  return t;
}

TEST(Recurrent, InputsAreDroppedAlikeInEachStep) {
  Threads threads;
  Json config = {{"units", 3},
                 {"activation", "linear"},
                 {"kernel_initializer", "identity"},
                 {"recurrent_initializer", "zeros"},
                 {"dropout", 0.5},
                 {"return_sequences", true}};
  auto model = made(trainingCall("SimpleRNN", config, 0), threads, {.seed = 1});
  std::vector<float> y = predicted(*model, ones({16, 4, 3}));
  int dropped = 0;
  for (int i = 0; i < 16 * 12; ++i) {
    EXPECT_TRUE(y[i] == 0 || y[i] == 2) << y[i];
    EXPECT_EQ(y[i], y[i / 12 * 12 + i % 3]) << "sample " << i / 12 << ", step " << i % 12 / 3;
    dropped += y[i] == 0;
  }
  // Of 48 numbers, 24 in the mean with a standard deviation of 3.5.
  EXPECT_GT(dropped / 4, 10);
  EXPECT_LT(dropped / 4, 38);
  EXPECT_NE(predicted(*model, ones({16, 4, 3})), y) << "and not alike in each call";
}

TEST(Recurrent, StatesAreDroppedAlikeInEachStep) {
  Threads threads;
  Json config = {{"units", 3},
                 {"activation", "linear"},
                 {"kernel_initializer", "zeros"},
                 {"recurrent_initializer", "identity"},
                 {"recurrent_dropout", 0.5},
                 {"return_sequences", true}};
  auto model = made(trainingCall("SimpleRNN", config, 1), threads, {.seed = 1});
  Tensor in[] = {ones({16, 4, 3}), ones({16, 3})};
  auto got = model->predict(in);
  ASSERT_TRUE(got) << got.error().message;
  std::vector<float> y = valuesOf((*got)[0]);
  int dropped = 0;
  for (int n = 0; n < 16; ++n) {
    for (int f = 0; f < 3; ++f) {
      bool lives = y[n * 12 + f] != 0;
      dropped += !lives;
      for (int t = 0; t < 4; ++t) EXPECT_EQ(y[n * 12 + t * 3 + f], lives ? 2 << t : 0);
    }
  }
  EXPECT_GT(dropped, 10);
  EXPECT_LT(dropped, 38);
}

TEST(Recurrent, NothingIsDroppedInPrediction) {
  Threads threads;
  Tensor x = numbers({2, 4, 3});
  for (const char* className : {"LSTM", "GRU", "SimpleRNN"}) {
    auto plain = made(alone(className, {{"units", 2}}), threads, {.seed = 1});
    Json config = {{"units", 2}, {"dropout", 0.5}, {"recurrent_dropout", 0.5}};
    auto dropping = made(alone(className, config), threads, {.seed = 1});
    EXPECT_EQ(predicted(*plain, x), predicted(*dropping, x)) << className;
    EXPECT_NE(predicted(*made(trainingCall(className, config, 0), threads, {.seed = 1}), x),
              predicted(*plain, x));
  }
}

/// What TensorFlow.js and Keras 2 write beside Keras 3's arguments.
TEST(Recurrent, TakesWhatOthersWrite) {
  EXPECT_EQ(errorOf(lstm({{"time_major", false}, {"implementation", 1}, {"seed", nullptr}})), "");
  EXPECT_EQ(errorOf(lstm({{"recurrentActivation", "hardSigmoid"}, {"returnSequences", true}})), "");
  EXPECT_EQ(errorOf(alone("Bidirectional",
                          {{"layer", layer("LSTM", {{"units", 2}, {"goBackwards", false}})},
                           {"mergeMode", "concat"}})),
            "");
}

// ---- what is refused

TEST(Recurrent, RefusesInWords) {
  Json cell = layer("LSTMCell", {{"units", 2}});
  struct {
    Json description;
    const char* error;
  } cases[] = {
      {sequential(
           {layer("LSTM", {{"units", 2}, {"batch_input_shape", Json::array({nullptr, 3})}})}),
       "lstm: needs a sequence [N,T,F], got float32[2,3]"},
      {lstm({{"time_major", true}}),
       "LSTM: time_major must be false: anything else is not supported, got true"},
      {lstm({{"dropout", 1}}), "LSTM: dropout must be a finite number from 0 to below 1, got 1"},
      {alone("RNN", Json::object()), "RNN: cell is missing"},
      {alone("RNN", {{"cell", layer("Dense", {{"units", 2}})}}),
       "RNN: cell must be a cell, SimpleRNNCell, LSTMCell, GRUCell, StackedRNNCells or an RNNCell, "
       "got "
       R"({"class_name":"Dense","config":{"units":2}})"},
      {alone("RNN", {{"cell", layer("LSTMCell", {{"units", 0}})}}),
       "RNN: cell: units must be a whole number from 1 to 2147483647, got 0"},
      {alone("RNN", {{"cell", Json::array()}}), "RNN: cell must be a list of cells, got []"},
      {alone("Bidirectional", {{"layer", layer("Dense", {{"units", 2}})}}),
       "Bidirectional: layer must be a recurrent layer, SimpleRNN, LSTM, GRU, RNN or ConvLSTM1D to "
       "3D, "
       "got "
       R"({"class_name":"Dense","config":{"units":2}})"},
      {alone("Bidirectional", {{"layer", layer("LSTM", {{"units", 2}})}, {"merge_mode", "max"}}),
       R"(Bidirectional: merge_mode must be one of concat, sum, mul, ave, null, got "max")"},
      {alone("Bidirectional", {{"layer", layer("LSTM", {{"units", 2}})},
                               {"backward_layer", layer("LSTM", {{"units", 2}})}}),
       "bidirectional: layer and backward_layer must differ in go_backwards, and agree in "
       "return_sequences, return_state and stateful"},
      {trainingCall("LSTM", {{"units", 3}}, 1), "a: has 2 states, got 1"},
      {trainingCall("LSTM", {{"units", 4}}, 2),
       "a: state number 0 is to be float32[2,4], got float32[2,3]"},
      {trainingCall("Bidirectional", {{"layer", layer("GRU", {{"units", 3}})}}, 1),
       "a: takes as many initial states for each direction, got 1"},
      {sequential(
           {layer("LSTMCell", {{"units", 2}, {"batch_input_shape", Json::array({nullptr, 3})}})}),
       "lstmcell: needs x [N,F] and 2 states, got float32[2,3] and 0 states"},
  };
  for (const auto& [description, error] : cases) EXPECT_EQ(errorOf(description), error);
}

}  // namespace
}  // namespace fjord
