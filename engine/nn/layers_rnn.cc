// Recurrent layers, their cells, and what wraps these: RNN, StackedRNNCells, Bidirectional.
#include <algorithm>

#include "nn/recurrent.h"
#include "nn/traced.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

// ---- cells

// All gates are computed in one product, whatever `implementation` says.
constexpr Range kImplementation{0, 2};
constexpr Argument kUnits[] = {
    whole("units", kCount).isNeeded(),
    described("activation", checkLayerOrActivation, "tanh"),
    flag("use_bias", true),
    also(kKernelWeight),
    also(kRecurrentWeight),
    also(kBiasWeight),
    number("dropout", kBelowOne, 0),
    number("recurrent_dropout", kBelowOne, 0),
    kSeed,
};
constexpr Argument kGates[] = {
    described("recurrent_activation", checkLayerOrActivation, "sigmoid"),
    whole("implementation", kImplementation, 2),
    also(kUnits),
};

struct Kernels {
  Value input, recurrent;
};
/// Those of so many units on x, for so many gates.
Kernels kernelsOf(LayerContext& c, const Fields& f, Value x, int32_t gates) {
  int32_t units = f.whole("units");
  Shape input{x.shape()[-1], int64_t{units} * gates}, recurrent{units, int64_t{units} * gates};
  return {kernelOf(c, f, input), weightOf(c, f, "recurrent_kernel", "recurrent", recurrent)};
}

/// Elman 1990.
constexpr Argument kSimpleRnnCell[] = {also(kUnits)};
LayerOutputs simpleRnnCell(LayerContext& c, const Fields& f, Inputs in) {
  Kernels kernels = kernelsOf(c, f, in[0], 1);
  Value y = matMul(dropped(c, f, "dropout", in[0]), kernels.input);
  if (f.flag("use_bias")) y = y + weightOf(c, f, "bias", "bias", {f.whole("units")});
  y = y + matMul(dropped(c, f, "recurrent_dropout", in[1]), kernels.recurrent);
  y = activated(c, f.json("activation"), y);
  return y ? LayerOutputs{{y, y}} : LayerOutputs();
}

/// Hochreiter and Schmidhuber 1997, with forget gates: Gers et al. 2000.
constexpr Argument kLstmCell[] = {flag("unit_forget_bias", true), also(kGates)};
LayerOutputs lstmCell(LayerContext& c, const Fields& f, Inputs in) {
  Kernels kernels = kernelsOf(c, f, in[0], 4);
  Value z = matMul(dropped(c, f, "dropout", in[0]), kernels.input);
  if (f.flag("use_bias")) z = z + biasOfGates(c, f, f.whole("units"));
  z = z + matMul(dropped(c, f, "recurrent_dropout", in[1]), kernels.recurrent);
  return z ? afterGates(c, f, z, in[2]) : LayerOutputs();
}

/// Part `i` of three along the last axis, and so many more.
Value third(Value x, int i, int count = 1) {
  if (!x) return x;
  Shape begin = Shape::filled(x.shape().rank(), 0), size = x.shape();
  int32_t each = size[-1] / 3;
  begin[-1] = i * each;
  size[-1] = count * each;
  return slice(x, {.begin = begin, .size = size});
}

/// Cho et al. 2014: gates z, r and the candidate. `reset_after` is the form of cuDNN, with r after the
/// product and a bias of its own for that.
constexpr Argument kGruCell[] = {flag("reset_after", true), also(kGates)};
LayerOutputs gruCell(LayerContext& c, const Fields& f, Inputs in) {
  bool after = f.flag("reset_after");
  int32_t units = f.whole("units");
  Kernels kernels = kernelsOf(c, f, in[0], 3);
  Value x = matMul(dropped(c, f, "dropout", in[0]), kernels.input);
  Value h = dropped(c, f, "recurrent_dropout", in[1]);
  Value inner = matMul(h, after ? kernels.recurrent : third(kernels.recurrent, 0, 2));
  if (f.flag("use_bias")) {
    int64_t all = int64_t{3} * units;
    Value bias = weightOf(c, f, "bias", "bias", after ? Shape{2, all} : Shape{all});
    auto row = [&](int i) { return slice(bias, {.begin = {i, 0}, .size = {1, all}}); };
    x = x + (after ? row(0) : bias);
    if (after) inner = inner + row(1);
  }
  if (!x || !inner) return {};
  auto part = [&](int i) {
    return slice(inner, {.begin = {0, int64_t{i} * units}, .size = {in[1].shape()[0], units}});
  };
  auto gate = [&](Value v) { return activated(c, f.json("recurrent_activation"), v); };
  Value z = gate(third(x, 0) + part(0)), r = gate(third(x, 1) + part(1));
  Value candidate = after ? r * part(2) : matMul(r * h, third(kernels.recurrent, 2));
  candidate = activated(c, f.json("activation"), third(x, 2) + candidate);
  Value next = z * in[1] + (1.0 - z) * candidate;
  return next ? LayerOutputs{{next, next}} : LayerOutputs();
}

// ---- cells as layers, and the layers that are cells over a sequence

using CellFunction = LayerOutputs (*)(LayerContext&, const Fields&, Inputs);

std::vector<Shape> statesOf(const Fields& f, int32_t samples, int count) {
  return std::vector<Shape>(static_cast<size_t>(count), Shape{samples, f.whole("units")});
}

/// Inputs: x [N,F] and the states.
template <CellFunction cell, int states>
LayerOutputs oneStep(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  if (x.shape().rank() != 2 || in.size() == 1) {
    x.graph->fail(cat("needs x [N,F] and ", states, " states, got ", x.type(), " and ",
                      in.size() - 1, " states"));
    return {};
  }
  if (!areStates(in, statesOf(f, x.shape()[0], states))) return {};
  return cell(c, f, in);
}

bool isSequence(Value x) {
  if (x.shape().rank() == 3) return true;
  x.graph->fail(cat("needs a sequence [N,T,F], got ", x.type()));
  return false;
}

template <CellFunction cell, int states>
LayerOutputs allSteps(LayerContext& c, const Fields& f, Inputs in) {
  if (!isSequence(in[0])) return {};
  return recur(c, f, in, {.states = statesOf(f, in[0].shape()[0], states), .own = cell});
}

constexpr Argument kUseCudnn[] = {only("use_cudnn", "\"auto\"|true|false")};
constexpr Argument kSimpleRnn[] = {also(kRecurrent), also(kSimpleRnnCell),
                                   whole("implementation", kImplementation, 2)};
constexpr Argument kLstm[] = {also(kRecurrent), also(kLstmCell), also(kUseCudnn)};
constexpr Argument kGru[] = {also(kRecurrent), also(kGruCell), also(kUseCudnn)};

// ---- cells that are described

struct CellClass {
  std::string_view name;
  int states;
};
constexpr CellClass kCells[] = {{"SimpleRNNCell", 1}, {"LSTMCell", 2}, {"GRUCell", 1}};
constexpr std::string_view kStack = "StackedRNNCells";

/// The sizes of the states of a cell that is written in JavaScript.
std::optional<Shape> stateSizes(const Json& description) {
  std::optional<Shape> sizes = intsOf<kMaxRank>(member(configOf(description), "state_sizes"));
  bool are =
      sizes && !sizes->empty() && std::ranges::all_of(*sizes, [](int32_t d) { return d > 0; });
  return are ? sizes : std::nullopt;
}

Status checkCell(const Json& description) {
  if (tracedNumber(description)) {
    if (stateSizes(description)) return {};
    return fail("must be a cell whose stateSize is the size of its state, or a list of them");
  }
  std::string name = stringOr(description, "class_name", "");
  if (name != kStack && std::ranges::find(kCells, name, &CellClass::name) == std::end(kCells))
    return fail(
        "must be a cell, SimpleRNNCell, LSTMCell, GRUCell, StackedRNNCells or an RNNCell, got ",
        shown(description));
  FJORD_CHECK(layerFields(*findLayer(name), member(description, "config")));
  return {};
}

Status checkCells(const Json& list) {
  if (!list.is_array() || list.empty()) return fail("must be a list of cells, got ", shown(list));
  for (const Json& cell : list) FJORD_CHECK(checkCell(cell));
  return {};
}

Status checkCellOrCells(const Json& description) {
  return description.is_array() ? checkCells(description) : checkCell(description);
}

/// A list is a stack.
Json cellOf(Json description) {
  if (!description.is_array()) return description;
  return {{"class_name", kStack},
          {"config", {{"name", "stacked_rnn_cells"}, {"cells", std::move(description)}}}};
}

void addStates(const Json& cell, int32_t samples, std::vector<Shape>& states) {
  if (tracedNumber(cell)) {
    Shape sizes = *stateSizes(cell);
    for (int32_t size : sizes) states.push_back({samples, size});
    return;
  }
  std::string name = stringOr(cell, "class_name", "");
  Result<Fields> f = layerFields(*findLayer(name), member(cell, "config"));
  if (!f) return;  // it was checked
  if (name == kStack) {
    for (const Json& one : f->json("cells")) addStates(one, samples, states);
  } else {
    const CellClass* row = std::ranges::find(kCells, name, &CellClass::name);
    for (int i = 0; i < row->states; ++i) states.push_back({samples, f->whole("units")});
  }
}

/// The cells one after the other, each with its own states.
constexpr Argument kStackedCells[] = {json("cells", checkCells).isNeeded()};
LayerOutputs stackedCells(LayerContext& c, const Fields& f, Inputs in) {
  LayerOutputs out{{in[0]}};
  std::vector<std::string> names;
  size_t at = 1;
  for (Json cell : f.json("cells")) {
    cell["config"]["name"] = nameWithin(cell, names);
    std::vector<Shape> states;
    addStates(cell, in[0].shape()[0], states);
    std::vector<Value> step{out.values[0]};
    for (size_t i = 0; i < states.size() && at < in.size(); ++i) step.push_back(in[at++]);
    LayerOutputs next = c.callInner(cell, {step});
    if (!next) return {};
    out.values[0] = next.values[0];
    out.values.insert(out.values.end(), next.values.begin() + 1, next.values.end());
  }
  return out;
}

constexpr Argument kRnn[] = {json("cell", checkCellOrCells).isNeeded(), also(kRecurrent)};
LayerOutputs rnn(LayerContext& c, const Fields& f, Inputs in) {
  if (!isSequence(in[0])) return {};
  Json description = cellOf(f.json("cell"));
  Cell cell{.states = {}, .wrapped = &description};
  addStates(description, in[0].shape()[0], cell.states);
  return recur(c, f, in, cell);
}

// ---- in both directions

Status checkRecurrent(const Json& description) {
  constexpr std::string_view kClasses[] = {"SimpleRNN",  "LSTM",       "GRU",       "RNN",
                                           "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"};
  std::string name = stringOr(description, "class_name", "");
  if (std::ranges::find(kClasses, name) == std::end(kClasses))
    return fail("must be a recurrent layer, SimpleRNN, LSTM, GRU, RNN or ConvLSTM1D to 3D, got ",
                shown(description));
  FJORD_CHECK(layerFields(*findLayer(name), member(description, "config")));
  return {};
}

/// One of the two layers; what is derived has Keras's name for it.
struct Direction {
  Json description;
  bool backwards = false, sequences = false, states = false, stateful = false;

  Direction(const Json& layer, std::string_view prefix, bool turned) {
    std::string className = stringOr(layer, "class_name", "");
    Result<Fields> f = layerFields(*findLayer(className), member(layer, "config"));
    if (!f) return;  // it was checked
    backwards = f->flag("go_backwards") != turned;
    sequences = f->flag("return_sequences");
    states = f->flag("return_state");
    stateful = f->flag("stateful");
    Json config = f->plain();
    std::string name = stringOr(config, "name", canonicalName(className));
    config["name"] = name.starts_with(prefix) ? name : cat(prefix, name);
    config["go_backwards"] = backwards;
    // Or the sides would repeat different steps.
    config["zero_output_for_mask"] = sequences;
    description = {{"class_name", className}, {"config", std::move(config)}};
  }
};

Value merged(std::string_view mode, Value a, Value b) {
  if (mode == "concat") return concat({{a, b}}, {.axis = -1});
  if (mode == "mul") return a * b;
  return mode == "ave" ? (a + b) * 0.5 : a + b;
}

/// Schuster and Paliwal 1997.
constexpr Argument kBidirectional[] = {json("layer", checkRecurrent).isNeeded(),
                                       json("backward_layer", checkRecurrent),
                                       choice("merge_mode", "concat|sum|mul|ave|null")};
LayerOutputs bidirectional(LayerContext& c, const Fields& f, Inputs in) {
  Graph& graph = *in[0].graph;
  Json layer = f.json("layer"), other = f.json("backward_layer");
  Direction forward(layer, "forward_", false);
  bool derived = other.is_null();
  Direction backward(derived ? layer : other, derived ? "backward_" : "", derived);
  if (forward.backwards == backward.backwards || forward.sequences != backward.sequences ||
      forward.states != backward.states || forward.stateful != backward.stateful) {
    graph.fail(
        "layer and backward_layer must differ in go_backwards, and agree in return_sequences, "
        "return_state and stateful");
    return {};
  }
  if (in.size() % 2 == 0) {
    graph.fail(cat("takes as many initial states for each direction, got ", in.size() - 1));
    return {};
  }
  size_t half = in.size() / 2;
  auto call = [&](const Direction& d, size_t firstState) {
    std::vector<Value> values{in[0]}, masks{in.mask(0)};
    for (size_t i = 0; i < half; ++i) values.push_back(in[firstState + i]);
    return c.callInner(d.description, {values, masks});
  };
  LayerOutputs a = call(forward, 1), b = call(backward, 1 + half);
  if (!a || !b) return {};
  if (forward.sequences) b.values[0] = reverse(b.values[0], {.axes = {1}});
  std::string_view mode = f.choice("merge_mode");
  LayerOutputs out;
  out.values = {mode == "null" ? a.values[0] : merged(mode, a.values[0], b.values[0])};
  if (mode == "null") out.values.push_back(b.values[0]);
  if (forward.sequences) out.masks.assign(out.values.size(), in.mask(0));
  out.values.insert(out.values.end(), a.values.begin() + 1, a.values.end());
  out.values.insert(out.values.end(), b.values.begin() + 1, b.values.end());
  return out;
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"SimpleRNN", "simpleRNN", kSimpleRnn, nullptr, 0, Masks::kEnd, allSteps<simpleRnnCell, 1>},
    {"LSTM", "lstm", kLstm, nullptr, 0, Masks::kEnd, allSteps<lstmCell, 2>},
    {"GRU", "gru", kGru, nullptr, 0, Masks::kEnd, allSteps<gruCell, 1>},
    {"SimpleRNNCell", "simpleRNNCell", kSimpleRnnCell, nullptr, 0, Masks::kEnd,
     oneStep<simpleRnnCell, 1>},
    {"LSTMCell", "lstmCell", kLstmCell, nullptr, 0, Masks::kEnd, oneStep<lstmCell, 2>},
    {"GRUCell", "gruCell", kGruCell, nullptr, 0, Masks::kEnd, oneStep<gruCell, 1>},
    {"StackedRNNCells", "stackedRNNCells", kStackedCells, nullptr, 0, Masks::kEnd, stackedCells},
    {"RNN", "rnn", kRnn, nullptr, 0, Masks::kEnd, rnn},
    {"Bidirectional", "bidirectional", kBidirectional, nullptr, 0, Masks::kEnd, bidirectional},
}));

}  // namespace

std::span<const LayerRow> recurrentLayers() { return kRows; }

}  // namespace fjord
