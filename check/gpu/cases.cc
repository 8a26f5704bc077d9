// Every op's cases as GPU programs with inputs and expected outputs, for a player to try them
// (check/gpu): one JSON object a line.
//
//   {"op", "name", "program" | "refused": why, "inputs": [{"dtype", "shape", "values"}],
//    "outputs": [the same], "tolerance"}
//
// What is expected is the double reference's value, never a kernel's.
#include <cmath>
#include <cstdio>

#include "abi/gpu_json.h"
#include "base/random.h"
#include "ir/loop.h"
#include "nn/layers.h"
#include "testing/reference.h"

namespace fjord::testing {
namespace {

Json valuesOf(const Reference& r) {
  Json values = Json::array();
  for (double v : r.values) {
    // JSON has no such numbers.
    if (std::isnan(v)) {
      values.push_back("nan");
    } else if (std::isinf(v)) {
      values.push_back(v > 0 ? "inf" : "-inf");
    } else {
      values.push_back(v);
    }
  }
  Json shape = Json::array();
  for (int32_t d : r.type.shape) shape.push_back(d);
  return {{"dtype", name(r.type.dtype)}, {"shape", shape}, {"values", values}};
}

/// One graph with these inputs; prints its case.
struct Trial {
  Graph graph;
  std::vector<Value> in;
  std::vector<Reference> references;

  Value add(const Input& input, uint64_t seed) {
    references.push_back(draw(input, seed));
    in.push_back(graph.input(references.back().type));
    return in.back();
  }
  /// `want` stands in for the reference of the only output. A product is tried as threads compute it that
  /// work alone, and in tiles.
  void print(std::string_view op, std::string_view name, double tolerance,
             const std::vector<double>* want = nullptr, const GpuLimits& limits = {}) {
    if (!graph.status()) {
      std::fprintf(stderr, "%s\n", graph.status().error().message.c_str());
      std::exit(1);
    }
    Json line = {{"op", op}, {"name", name}, {"tolerance", tolerance}};
    auto program = make(limits, PlanOptions().aloneTerms);
    if (!program) {
      line["refused"] = program.error().message;
    } else {
      line["program"] = toJson(*program);
      line["inputs"] = Json::array();
      for (const Reference& r : references) line["inputs"].push_back(valuesOf(r));
      line["outputs"] = Json::array();
      std::vector<Reference> nodes = evaluateReference(graph, references);
      for (int32_t id : graph.outputs()) {
        if (want) nodes[id].values = *want;
        line["outputs"].push_back(valuesOf(nodes[id]));
      }
    }
    std::printf("%s\n", line.dump().c_str());
    auto tiles = make(limits, 0);
    if (!program || !tiles || tiles->shaders == program->shaders) return;
    line["program"] = toJson(*tiles);
    line["name"] = cat(name, ", in tiles");
    std::printf("%s\n", line.dump().c_str());
  }

  Result<GpuProgram> make(const GpuLimits& limits, int64_t aloneTerms) const {
    PlanOptions options = limits.planOptions();
    options.aloneTerms = aloneTerms;
    FJORD_TRY(Plan plan, compile(graph, options));
    return gpuProgram(plan, limits);
  }
};

void printRows() {
  uint64_t seed = 11'000;
  for (const RowChecks& row : rowChecks()) {
    for (DType dtype : {DType::kF32, DType::kI32}) {
      bool ints = row.kind == RowKind::kNumber || row.kind == RowKind::kFirst ||
                  row.kind == RowKind::kCompare;
      bool bits = row.kind == RowKind::kBits, logic = row.kind == RowKind::kLogic;
      if (dtype == DType::kI32 && !ints && !bits) continue;
      if (dtype == DType::kF32 && bits) continue;
      Trial t;
      std::vector<Value> in;
      for (int i = 0; i < row.arity; ++i) {
        bool condition = logic || (row.kind == RowKind::kSelect && i == 0);
        // Integers: what divides is not 0, for which the reference has infinity and int32 has not.
        bool whole = dtype == DType::kI32 && !bits;
        double lo = whole ? (i == 0 ? -9 : 1) : row.lo, hi = whole ? 9 : row.hi;
        in.push_back(
            t.add(condition ? Input{{DType::kBool, {300}}, 0, 2} : Input{{dtype, {300}}, lo, hi},
                  ++seed));
      }
      t.graph.output(emit(row.op, in, {}));
      t.print(opInfo(row.op).name, name(dtype), 3e-6);
    }
  }
}

void printOps() {
  uint64_t seed = 12'000;
  for (const NamedChecks& named : opChecks()) {
    for (const Case& k : named.checks->cases()) {
      Trial t;
      for (const Input& in : k.in) t.add(in, seed += 3);
      Value y = emit(named.op, t.in, k.attrs);
      t.graph.output(y);
      // Its gradients, so that the ops that only they use are tried with the operands that they get.
      std::vector<Value> xs;
      for (Value x : t.in) {
        if (x && x.dtype() == DType::kF32) xs.push_back(x);
      }
      bool differentiable =
          y && y.dtype() == DType::kF32 && !xs.empty() &&
          (opGradient(named.op).grad || opInfo(named.op).kind == OpKind::kComposed);
      if (differentiable) {
        Value dy = t.add({y.type(), 0.5, 1.5}, seed += 3);
        for (Value dx : grad(y, xs, dy)) t.graph.output(dx);
      }
      t.print(opInfo(named.op).name, k.name, std::max(k.tolerance, 5e-6));
    }
  }
}

/// Chains: broadcasts, several results, casts, a product with its epilogue.
void printChains() {
  uint64_t seed = 13'000;
  {
    Trial t;
    Value x = t.add(floats({64, 33}), ++seed), w = t.add(floats({33, 70}), ++seed);
    Value b = t.add(floats({70}), ++seed), column = t.add(floats({64, 1}), ++seed);
    Value y = relu(matMul(x, w) + b);
    t.graph.output(y);
    t.graph.output(tanh(y * column) - cast(y > 0.5, DType::kF32));
    t.print("chain", "product, bias, relu", 5e-6);
  }
  {
    Trial t;
    Value x = t.add({{DType::kI32, {5, 1, 7}}, -9, 9}, ++seed),
          y = t.add({{DType::kI32, {3, 1}}, 1, 9}, ++seed);
    t.graph.output(x * y + 3.0);
    t.graph.output(cast(x, DType::kF32) / cast(y, DType::kF32));
    t.graph.output(where(equal(x, y), x, -y));
    t.print("chain", "integers", 5e-6);
  }
}

/// Arrays that are the same in each run, as an operand of a product, of a chain, and as indices.
void printConstants() {
  auto array = [](Graph& graph, const Type& type, auto valueAt) {
    Tensor t = *Tensor::empty(type);
    for (int64_t i = 0; i < t.size(); ++i) t.data<decltype(valueAt(i))>()[i] = valueAt(i);
    return graph.array(t);
  };
  Trial t;
  Value x = t.add(floats({5, 33}), 16'000);
  auto wave = [](int64_t i) { return static_cast<float>(i % 7) - 2.5f; };
  Value w = array(t.graph, {DType::kF32, {33, 12}}, wave),
        b = array(t.graph, {DType::kF32, {12}}, wave);
  Value rows =
      array(t.graph, {DType::kI32, {3}}, [](int64_t i) { return static_cast<int32_t>(4 - 2 * i); });
  Value y = relu(matMul(x, w) + b);
  t.graph.output(gather(y, rows, {.axis = 0}));
  t.graph.output(b);
  for (Value dx : grad(sum(square(y)), {{x}})) t.graph.output(dx);
  t.print("array", "constants", 5e-6);
}

/// Sums of many numbers 0.1, which one accumulator gets wrong.
void printLongSums() {
  auto print = [](std::string_view name, double tolerance, Value (*make)(Value tenth)) {
    Trial t;
    t.graph.output(make(t.add({{DType::kF32, {1}}, 0.1, 0.1}, 15'000)));
    t.print("long sum", name, tolerance);
  };
  print("of all", 1e-6, [](Value x) { return sum(broadcastTo(x, {.shape = {1'000'000}}), {}); });
  print("of columns", 1e-6,
        [](Value x) { return mean(broadcastTo(x, {.shape = {100'000, 3}}), {.axes = {0}}); });
  print("of products", 5e-6, [](Value x) {
    return matMul(broadcastTo(x, {.shape = {1, 400'000}}), broadcastTo(x, {.shape = {400'000, 1}}));
  });
  print("of a window", 1e-6, [](Value x) {
    return avgPool(broadcastTo(x, {.shape = {1, 300, 300, 1}}), {{300, 300}, {1, 1}, {}});
  });
  print("so far", 1e-6, [](Value x) { return cumsum(broadcastTo(x, {.shape = {20'000}}), {}); });
}

/// Gradients whose arrays are in several buffers, because one may not be so large.
void printPages() {
  uint64_t seed = 14'000;
  Trial t;
  Value x = t.add(floats({64, 33}), ++seed), v = t.add(floats({33, 40}), ++seed);
  Value w = t.add(floats({40, 33}), ++seed);
  Value y = sum(square(relu(matMul(relu(matMul(x, v)), w)) - x), {});
  t.graph.output(y);
  for (Value dx : grad(y, {{v, w}})) t.graph.output(dx);
  t.print("pages", "of 16 KB", 5e-6, nullptr, {.bufferBytes = 16 << 10});
}

/// A network of one axis and one of three, as layers make them, with their gradients; and one whose
/// channels come first.
void printDimensions() {
  uint64_t seed = 17'000;
  auto printWithGradients = [](Trial& t, std::string_view name, Value y,
                               std::span<const Value> xs) {
    t.graph.output(y);
    for (Value d : grad(mean(y * y), xs)) t.graph.output(d);
    t.print("dimensions", name, 1e-5);
  };
  {
    Trial t;
    Value x = t.add(floats({3, 1, 37, 5}), ++seed), w = t.add(floats({1, 4, 5, 9}), ++seed);
    Value b = t.add(floats({9}), ++seed);
    Padding causal{Padding::kExplicit, 0, 0, 6, 0};
    Value h = relu(conv2d(x, w, {.dilations = {1, 2}, .padding = causal}) + b);
    Value y = reshape(maxPool(h, {{1, 2}, {1, 2}, {Padding::kSame}}), {.shape = {3, 19, 9}});
    printWithGradients(t, "steps", y, {{x, w, b}});
  }
  {
    Trial t;
    Value x = t.add(floats({2, 5, 6, 7, 3}), ++seed), v = t.add(floats({3, 3, 3, 3, 8}), ++seed);
    Value w = t.add(floats({2, 2, 2, 4, 8}), ++seed);
    Value h = tanh(conv3d(x, v, {.padding = {Padding::kSame}}));
    Value small =
        avgPool3d(h, {.window = {2, 2, 2}, .strides = {2, 2, 2}, .padding = {Padding::kSame}});
    Value y = conv3dTranspose(small, w, {.strides = {2, 2, 2}, .outputShape = {2, 6, 6, 8, 4}});
    printWithGradients(t, "volumes", y, {{x, v, w}});
  }
  {
    Trial t;
    Value x = t.add(floats({2, 3, 8, 9}), ++seed), v = t.add(floats({3, 3, 3, 6}), ++seed);
    Value w = t.add(floats({3, 3, 12, 4}), ++seed);
    auto last = [](Value a) { return transpose(a, {.perm = {0, 2, 3, 1}}); };
    auto first = [](Value a) { return transpose(a, {.perm = {0, 3, 1, 2}}); };
    Value h = relu(first(conv2d(last(x), v)));
    Value y = first(conv2d(last(concat({{h, square(h)}}, {.axis = 1})), w));
    printWithGradients(t, "channels first", y, {{x, v, w}});
  }
}

/// Loops: slices that do not lie at a multiple of 256 bytes, in both directions, one in the other, and
/// their gradients.
void printLoops() {
  uint64_t seed = 16'000;
  for (int trips : {1, 5, 300}) {
    Trial t;
    Value xs = t.add(floats({trips, 3, 5}), ++seed), h0 = t.add(floats({3, 7}), ++seed);
    Value w = t.add(floats({5, 7}), ++seed), u = t.add(floats({7, 7}, -0.4, 0.4), ++seed);
    LoopBuilder loop(t.graph, trips);
    Value x = loop.scan(xs, true), h = loop.carry(h0);
    Value next = tanh(matMul(x, w) + matMul(h, u));
    loop.next(h, next);
    loop.collect(next);
    loop.collect(h * h, true);
    std::vector<Value> r = loop.finish();
    for (Value v : r) t.graph.output(v);
    for (Value d : grad(mean(r[1] * r[1]) + mean(r[0]), {{xs, h0, w, u}})) t.graph.output(d);
    t.print("loop", cat(trips, " trips"), 1e-5);
  }
  Trial t;
  Value xs = t.add(floats({3, 4, 2, 5}), ++seed), w = t.add(floats({5, 5}), ++seed);
  Value s0 = t.add(floats({2, 5}), ++seed);
  LoopBuilder outer(t.graph, 3);
  Value rows = outer.scan(xs), s = outer.carry(s0);
  LoopBuilder inner(outer.body(), 4);
  Value row = inner.scan(rows, true), c = inner.carry(s);
  inner.next(c, tanh(matMul(c, w) + row));
  inner.collect(c * row);
  std::vector<Value> r = inner.finish();
  outer.next(s, r[0] * 0.5 + s);
  outer.collect(r[1]);
  std::vector<Value> all = outer.finish();
  for (Value v : all) t.graph.output(v);
  for (Value d : grad(mean(all[0]) + mean(all[1]), {{xs, w, s0}})) t.graph.output(d);
  t.print("loop", "in a loop", 1e-5);
}

/// A layer whose weights are inputs of a trial.
class LayerTrial : public LayerContext {
 public:
  explicit LayerTrial(uint64_t seed) : seed_(seed) {}

  Value add(const Input& input) { return trial.add(input, ++seed_); }
  Value weight(std::string_view, const Shape& shape, const Json&, bool, const Json&,
               const Json&) override {
    weights.push_back(add(floats(shape, -0.6, 0.6)));
    return weights.back();
  }
  Value state(std::string_view, const Shape& shape, const Json&) override {
    return add(floats(shape));
  }
  Value kept(std::string_view, const Shape& shape) override { return add(floats(shape)); }
  void update(Value, Value value) override { trial.graph.output(value); }
  void replace(Value, Value) override {}
  void addLoss(Value) override {}
  Value randomState() override { return add(ints({4}, 0, 99)); }
  LayerOutputs callInner(const Json& description, const LayerInputs& inputs) override {
    const LayerRow* row = findLayer(stringOr(description, "class_name", ""));
    return callLayer(*row, *this, member(description, "config"), inputs);
  }

  Trial trial;
  std::vector<Value> weights;

 private:
  uint64_t seed_;
};

/// Recurrent layers, with masks and without, and their gradients.
void printRecurrent() {
  uint64_t seed = 17'000;
  Json units = {{"units", 7}, {"return_sequences", true}};
  Json before = units;
  before["reset_after"] = false;
  struct {
    const char *name, *className;
    Json config;
    bool isMasked = false;
  } layers[] = {
      {"LSTM", "LSTM", units},
      {"LSTM with a mask", "LSTM", units, true},
      {"GRU", "GRU", units},
      {"GRU reset before", "GRU", before, true},
      {"SimpleRNN", "SimpleRNN", units},
      {"in both directions",
       "Bidirectional",
       {{"layer", {{"class_name", "LSTM"}, {"config", units}}}}},
  };
  for (const auto& [name, className, config, isMasked] : layers) {
    LayerTrial layer(seed += 20);
    Trial& t = layer.trial;
    Value x = layer.add(floats({3, 6, 5})), mask;
    if (isMasked) mask = layer.add({{DType::kBool, {3, 6}}, 0, 2});
    Value values[] = {x}, masks[] = {mask};
    LayerOutputs y = callLayer(*findLayer(className), layer, config, {values, masks});
    std::vector<Value> xs;
    for (Value in : t.in) {
      if (in.dtype() == DType::kF32) xs.push_back(in);
    }
    if (y) {
      t.graph.output(y.values[0]);
      for (Value d : grad(mean(y.values[0] * y.values[0]), xs)) t.graph.output(d);
    }
    t.print("recurrent layer", name, 1e-5);
  }
}

/// Forward and backward, by inputs of floats and by weights.
void printLayer(std::string_view name, std::string_view className, const Json& config,
                const std::vector<Input>& inputs, const Json& call = nullptr) {
  LayerTrial layer(17'000);
  std::vector<Value> in, xs;
  for (const Input& input : inputs) {
    in.push_back(layer.add(input));
    if (input.type.dtype == DType::kF32) xs.push_back(in.back());
  }
  LayerOutputs outputs = callLayer(*findLayer(className), layer, config, {in}, call);
  if (outputs) {
    for (Value y : outputs.values) layer.trial.graph.output(y);
    xs.insert(xs.end(), layer.weights.begin(), layer.weights.end());
    for (Value dx : grad(mean(square(outputs.values[0])), xs)) layer.trial.graph.output(dx);
  }
  layer.trial.print("layer", name, 1e-5);
}

void printLayers() {
  printLayer("Embedding", "Embedding", {{"input_dim", 30}, {"output_dim", 7}},
             {ints({4, 50}, 0, 29)});
  Input steps = floats({2, 9, 12});
  Json heads = {{"num_heads", 3}, {"key_dim", 4}};
  printLayer("MultiHeadAttention", "MultiHeadAttention", heads, {steps, floats({2, 7, 5})},
             {{"return_attention_scores", true}});
  printLayer("MultiHeadAttention, causal", "MultiHeadAttention", heads, {steps, steps},
             {{"use_causal_mask", true}});
  printLayer("GroupQueryAttention", "GroupQueryAttention",
             {{"num_query_heads", 4}, {"num_key_value_heads", 2}, {"head_dim", 3}}, {steps, steps});
  printLayer("AdditiveAttention", "AdditiveAttention", Json::object(), {steps, steps});
  printLayer("GroupNormalization", "GroupNormalization", {{"groups", 3}}, {steps});
}

/// Random numbers have no reference but their definition: bit for bit where they are uniform.
void printRandom() {
  const PhiloxKey key{12345, 678};
  const int32_t stream = 7;
  Reference state{{DType::kI32, {4}}, {12345, 678, 90, 12}};
  auto words = [&](uint32_t block, uint32_t stream) {
    return philox({block, stream, 90, 12}, key);
  };
  for (std::string_view op : {"randomUniform", "randomNormal", "truncatedNormal"}) {
    Trial t;
    t.references.push_back(state);
    t.in.push_back(t.graph.input(state.type));
    Shape shape{1003};
    std::vector<double> want;
    for (uint32_t block = 0; want.size() < 1003; ++block) {
      std::vector<double> four;
      for (uint32_t again = 0; four.size() < 4; ++again) {
        PhiloxCounter w = words(block, stream + again * 0x01000000u);
        for (int i = 0; i < 4 && op == "randomUniform"; ++i) four.push_back(uniformFloat(w[i]));
        for (int i = 0; i < 4 && op != "randomUniform"; i += 2) {
          for (double x : normalFloats(w[i], w[i + 1])) {
            bool taken = op == "randomNormal" || std::fabs(x) < 2;
            if (taken && four.size() < 4) four.push_back(x * 0.5 + 1);
          }
        }
      }
      want.insert(want.end(), four.begin(), four.end());
    }
    want.resize(1003);
    if (op == "randomUniform") {
      t.graph.output(randomUniform(t.in[0], {.shape = shape, .stream = stream}));
    } else if (op == "randomNormal") {
      t.graph.output(randomNormal(t.in[0], {shape, 1, 0.5f, stream}));
    } else {
      t.graph.output(truncatedNormal(t.in[0], {shape, 1, 0.5f, stream}));
    }
    t.print(op, "1003 numbers", op == "randomUniform" ? 0 : 5e-6, &want);
  }
}

}  // namespace
}  // namespace fjord::testing

int main() {
  fjord::testing::printRows();
  fjord::testing::printOps();
  fjord::testing::printChains();
  fjord::testing::printConstants();
  fjord::testing::printLongSums();
  fjord::testing::printPages();
  fjord::testing::printRandom();
  fjord::testing::printLoops();
  fjord::testing::printDimensions();
  fjord::testing::printRecurrent();
  fjord::testing::printLayers();
}
