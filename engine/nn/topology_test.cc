// Descriptions of models that are refused, each in its own words; and that TensorFlow.js's way to
// write the same is the same.
#include "nn/topology.h"

#include <gtest/gtest.h>

#include "testing/models.h"

namespace fjord {
namespace {

using testing::json;

/// The value at a path such as /config/layers/0.
Json& placeOf(Json& model, std::string_view path) {
  if (path.empty()) return model;
  path.remove_prefix(1);
  std::string key(path.substr(0, path.find('/')));
  path.remove_prefix(key.size());
  return placeOf(model.is_array() ? model[std::stoul(key)] : model[key], path);
}

std::string errorOf(const Json& model) {
  Result<Topology> topology = Topology::fromJson(model);
  return topology ? "" : topology.error().message;
}

// x -> a -> d, as Keras 2 and TensorFlow.js write it.
constexpr const char* kKeras2 = R"({"class_name": "Functional", "config": {"name": "m", "layers": [
  {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_input_shape": [null, 2]},
   "inbound_nodes": []},
  {"class_name": "Dense", "name": "a", "config": {"name": "a", "units": 2},
   "inbound_nodes": [[["x", 0, 0, {}]]]},
  {"class_name": "Dropout", "name": "d", "config": {"name": "d", "rate": 0.5},
   "inbound_nodes": [[["a", 0, 0, {}]]]}],
  "input_layers": [["x", 0, 0]], "output_layers": [["d", 0, 0]]}})";

// The same as Keras 3 writes it.
constexpr const char* kKeras3 = R"({"class_name": "Functional", "config": {"name": "m", "layers": [
  {"module": "keras.layers", "class_name": "InputLayer", "name": "x", "registered_name": null,
   "config": {"name": "x", "batch_shape": [null, 2]}, "inbound_nodes": []},
  {"module": "keras.layers", "class_name": "Dense", "name": "a", "registered_name": null,
   "config": {"name": "a", "units": 2}, "inbound_nodes": [{"args": [
     {"class_name": "__keras_tensor__", "config": {"shape": [null, 2], "dtype": "float32",
      "keras_history": ["x", 0, 0]}}], "kwargs": {}}]},
  {"module": "keras.layers", "class_name": "Dropout", "name": "d", "registered_name": null,
   "config": {"name": "d", "rate": 0.5}, "inbound_nodes": [{"args": [
     {"class_name": "__keras_tensor__", "config": {"shape": [null, 2], "dtype": "float32",
      "keras_history": ["a", 0, 0]}}], "kwargs": {}}]}],
  "input_layers": [["x", 0, 0]], "output_layers": [["d", 0, 0]]}})";

/// What is set to what, and the error; "" where that is allowed.
struct Change {
  const char *where, *value, *error;
};

void expectErrors(const char* description, std::span<const Change> changes) {
  ASSERT_EQ(errorOf(json(description)), "");
  for (const Change& change : changes) {
    Json model = json(description);
    placeOf(model, change.where) = json(change.value);
    EXPECT_EQ(errorOf(model), change.error) << change.where << ": " << change.value;
  }
}

TEST(Topology, ConnectionsThatCannotBeAreNamed) {
  constexpr Change kChanges[] = {
      {"/config/layers/1/inbound_nodes/0/0/2", "1",
       "a connection takes output number 1 of the layer x, which has one output, number 0"},
      {"/config/output_layers/0/2", "3",
       "a connection takes output number 3 of the layer d, which has one output, number 0"},
      {"/config/input_layers/0/2", "2147483647",
       "a connection takes output number 2147483647 of the layer x, which has one output, number "
       "0"},
      {"/config/layers/1/inbound_nodes/0/0/0", "\"y\"",
       "a connection names the layer y, which does not exist"},
      {"/config/layers/1/inbound_nodes/0/0/2", "-1",
       "a: a connection is [layer, call, 0], got \"x\""},
      {"/config/layers/1/inbound_nodes/0/0/1", "0.5",
       "a: a connection is [layer, call, 0], got \"x\""},
      {"/config/layers/1/inbound_nodes/0/0/1", "1e300",
       "a: a connection is [layer, call, 0], got \"x\""},
      {"/config/output_layers/0", "3", "the model: a connection is [layer, call, 0], got 3"},
      {"/config/layers/1/inbound_nodes", "[]", "layer a is not connected to anything"},
      {"/config/layers/1/inbound_nodes", "[[]]", "layer a: a call without inputs"},
      {"/config/output_layers", "[]", "the model has no output_layers"},
      {"/config/output_layers", "null", "output_layers is missing"},
      {"/config/input_layers", "null", "input_layers is missing"},
  };
  expectErrors(kKeras2, kChanges);
  constexpr const char* kHistory = "/config/layers/1/inbound_nodes/0/args/0/config/keras_history/2";
  constexpr Change kKeras3Changes[] = {
      {kHistory, "1",
       "a connection takes output number 1 of the layer x, which has one output, number 0"},
      {kHistory, "\"0\"",
       R"(a: a connection is [layer, call, 0], got {"class_name":"__keras_tensor__","config":)"
       R"({"shape":[null,2],"dtype":"float32","k..)"},
  };
  expectErrors(kKeras3, kKeras3Changes);
}

TEST(Topology, ArgumentsOfCallsAreTrainingAndStates) {
  constexpr const char* kMasks =
      R"(a: it is called with mask = ["x",0,0], which is not supported: arguments of calls are )"
      "training, true or false, initial_state, or null";
  constexpr Change kChanges[] = {
      {"/config/layers/1/inbound_nodes/0/0/3", R"({"mask": ["x", 0, 0]})", kMasks},
      {"/config/layers/1/inbound_nodes/0/0/3", R"({"mask": null})", ""},
      {"/config/layers/1/inbound_nodes/0/0/3", R"({"training": true})", ""},
      {"/config/layers/1/inbound_nodes/0/0/3", R"({"training": 1})",
       "a: it is called with training = 1, which is not supported: arguments of calls are "
       "training, true or false, initial_state, or null"},
      {"/config/layers/2/inbound_nodes/0/0/3", R"({"training": true})", ""},
      {"/config/layers/2/inbound_nodes/0/0/3", R"({"training": null})", ""},
      {"/config/layers/1/inbound_nodes/0/0/3", R"({"initial_state": [["x", 0, 0], ["x", 0, 0]]})",
       ""},
      {"/config/layers/1/inbound_nodes/0/0/3", R"({"initialState": [["x", 0, 0, {}]]})", ""},
      {"/config/layers/1/inbound_nodes/0/0/3", R"({"initial_state": null})", ""},
      {"/config/layers/1/inbound_nodes/0/0/3", R"({"initial_state": 3})",
       "the model: a connection is [layer, call, 0], got 3"},
  };
  expectErrors(kKeras2, kChanges);
  constexpr Change kKeras3Changes[] = {
      {"/config/layers/1/inbound_nodes/0/kwargs", R"({"mask": ["x", 0, 0]})", kMasks},
      {"/config/layers/1/inbound_nodes/0/kwargs", R"({"mask": null})", ""},
      {"/config/layers/1/inbound_nodes/0/kwargs", R"({"training": false})", ""},
      {"/config/layers/2/inbound_nodes/0/kwargs", R"({"training": true})", ""},
      {"/config/layers/2/inbound_nodes/0/kwargs", R"({"training": null})", ""},
  };
  expectErrors(kKeras3, kKeras3Changes);
}

/// They are inputs that come after the others, however they are written.
TEST(Topology, StatesAreFurtherInputs) {
  auto inputsOf = [](const char* description, std::string_view where, const char* value) {
    Json model = json(description);
    placeOf(model, where) = json(value);
    Result<Topology> topology = Topology::fromJson(model);
    EXPECT_TRUE(topology) << topology.error().message;
    std::vector<int> layers;
    for (Topology::TensorRef ref : topology->layers[2].calls[0].inputs) layers.push_back(ref.layer);
    return layers;
  };
  constexpr const char* kState =
      R"({"initial_state": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}]})";
  constexpr const char* kNode = R"([["a", 0, 0, {"initial_state": ["x", 0, 0]}]])";
  using Layers = std::vector<int>;
  EXPECT_EQ(inputsOf(kKeras3, "/config/layers/2/inbound_nodes/0/kwargs", kState), (Layers{1, 0}));
  EXPECT_EQ(inputsOf(kKeras2, "/config/layers/2/inbound_nodes/0", kNode), (Layers{1, 0}));
  EXPECT_EQ(inputsOf(kKeras2, "/config/layers/2/inbound_nodes/0",
                     R"([["a", 0, 0, {}], ["x", 0, 0, {}]])"),
            (Layers{1, 0}));
}

TEST(Topology, LayersThatCannotBeAreNamed) {
  constexpr Change kChanges[] = {
      {"/config/layers/2/config/name", "\"a\"", "two layers are called a"},
      {"/config/layers/1", R"({"class_name": "Dense", "config": {"units": 2}})",
       "a layer of a functional model has no name"},
      {"/config/layers/1", "\"Dense\"",
       "a layer's description must be an object {..}, got \"Dense\""},
      {"/config/layers/1/class_name", "\"Functional\"",
       "a: units is not an argument of a functional model; there are name, trainable, dtype, "
       "layers, input_layers, output_layers"},
      {"/config/layers/1/class_name", "null",
       "class_name is missing: it must be a text that is not empty"},
      {"/config/layers/0/config/batch_input_shape", "null",
       "input x: needs the shape of a sample: inputShape, such as [28, 28, 1], or batch_shape, "
       "such as [null, 28, 28, 1]"},
      {"/config/layers", "3", "a functional model needs a list of layers"},
      {"/config/layers", "null", "layers is missing"},
      {"/config/layer", "[]",
       "layer is not an argument of a functional model; did you mean layers? There are name, "
       "trainable, dtype, layers, input_layers, output_layers"},
  };
  expectErrors(kKeras2, kChanges);
  EXPECT_EQ(errorOf(json(R"({"class_name": "Sequential", "config": {"layers": []}})")),
            "a Sequential model needs a list of layers");
  EXPECT_EQ(errorOf(json(R"({"class_name": "Sequential", "config": []})")),
            "a Sequential model needs a list of layers");
  EXPECT_EQ(errorOf(json(R"({"class_name": "Sequential", "config": {"name": "s"}})")),
            "layers is missing");
  constexpr std::string_view kClasses =
      "a model's class_name is Sequential, Functional or Model, got ";
  EXPECT_EQ(errorOf(json(R"({"class_name": "Transformer", "config": {}})")),
            cat(kClasses, "\"Transformer\""));
  EXPECT_EQ(errorOf(json("{}")), cat(kClasses, "null"));
  EXPECT_EQ(errorOf(json("3")), cat(kClasses, "null"));
}

TEST(Topology, NamesThatAreNearlyRightAreToldTheRightOne) {
  constexpr const char* kDense =
      " There are units, use_bias, activation, bias_initializer, bias_regularizer, "
      "bias_constraint, kernel_initializer, kernel_regularizer, kernel_constraint";
  for (auto [wrong, right] : {std::pair("kernelInitialiser", "kernel_initializer"),
                              {"kernel_initialiser", "kernel_initializer"},
                              {"useBais", "use_bias"},
                              {"unit", "units"}}) {
    Json model = json(kKeras2);
    model["config"]["layers"][1]["config"][wrong] = nullptr;
    EXPECT_EQ(errorOf(model),
              cat("a: ", wrong, " is not an argument of Dense; did you mean ", right, "?", kDense));
  }
  Json model = json(kKeras2);
  model["config"]["layers"][1]["inboundNode"] = nullptr;
  EXPECT_EQ(errorOf(model),
            "inboundNode is not an argument of a layer's description; did you mean inbound_nodes? "
            "There are class_name, config, name, inbound_nodes, module, registered_name, "
            "build_config, shared_object_id, compile_config");
  model = json(kKeras2);
  model["config"]["layers"][1]["class_name"] = "Dens";
  EXPECT_TRUE(errorOf(model).starts_with(
      "a: unknown layer class \"Dens\"; did you mean Dense? There are Dense, Activation, "))
      << errorOf(model);
}

TEST(Topology, AGraphModelIsNoModelOfLayers) {
  constexpr const char* kError =
      "this is a TensorFlow.js graph model, which holds operations of TensorFlow and no layers; "
      "convert the Keras model with tensorflowjs_converter --output_format=tfjs_layers_model";
  EXPECT_EQ(errorOf(json(R"({"format": "graph-model", "modelTopology": {}})")), kError);
  EXPECT_EQ(errorOf(json(R"({"modelTopology": {"node": [{"name": "x", "op": "Placeholder"}],
                             "library": {}, "versions": {"producer": 1}}})")),
            kError);
  EXPECT_EQ(errorOf(json(R"({"node": [], "versions": {}})")), kError);
}

// ---- TensorFlow.js's getConfig() --------------------------------------------------------------

constexpr const char* kCamel = R"({"className": "Functional", "config": {"name": "m", "layers": [
  {"className": "InputLayer", "name": "x", "config": {"name": "x", "batchInputShape": [null, 2]},
   "inboundNodes": []},
  {"className": "Dense", "name": "a", "config": {"name": "a", "units": 2,
    "kernelInitializer": {"className": "RandomUniform", "config": {"minval": 0, "maxval": 1}}},
   "inboundNodes": [[["x", 0, 0, {}]]]}],
  "inputLayers": [["x", 0, 0]], "outputLayers": [["a", 0, 0]]}})";

TEST(Topology, MembersOfJavaScriptAreThoseOfKeras) {
  constexpr const char* kSnake = R"({"class_name": "Functional", "config": {"name": "m", "layers": [
    {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_input_shape": [null, 2]},
     "inbound_nodes": []},
    {"class_name": "Dense", "name": "a", "config": {"name": "a", "units": 2,
      "kernel_initializer": {"class_name": "RandomUniform", "config": {"minval": 0, "maxval": 1}}},
     "inbound_nodes": [[["x", 0, 0, {}]]]}],
    "input_layers": [["x", 0, 0]], "output_layers": [["a", 0, 0]]}})";
  Result<Topology> camel = Topology::fromJson(json(kCamel)),
                   snake = Topology::fromJson(json(kSnake));
  ASSERT_TRUE(camel) << camel.error().message;
  ASSERT_TRUE(snake) << snake.error().message;
  ASSERT_EQ(camel->layers.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(camel->layers[i].className, snake->layers[i].className);
    EXPECT_EQ(camel->layers[i].config, snake->layers[i].config);
    EXPECT_EQ(camel->layers[i].calls.size(), 1u);
  }
  EXPECT_EQ(camel->inputs.size(), 1u);
  EXPECT_EQ(camel->outputs[0].layer, 1);
  // And so they are saved.
  EXPECT_EQ(asKerasWrites(json(kCamel)), json(kSnake));
  EXPECT_EQ(asKerasWrites(json(kSnake)), json(kSnake));
}

TEST(Topology, AMemberIsNotGivenInBothWays) {
  Json model = json(kKeras2);
  model["config"]["layers"][1]["inboundNodes"] = Json::array();
  EXPECT_EQ(errorOf(model),
            "inboundNodes is given twice, also by another of its names inbound_nodes");
}

}  // namespace
}  // namespace fjord
