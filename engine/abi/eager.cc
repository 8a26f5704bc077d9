#include "abi/eager.h"

#include <algorithm>
#include <deque>
#include <unordered_set>

#include "ops/elementwise.h"

namespace fjord {

namespace {

/// The outputs of a graph, built again in another one with these as its inputs.
std::vector<Value> splice(Graph& to, const Graph& from, std::span<const Value> inputs) {
  std::vector<Value> copies;
  for (const Node& node : from.nodes()) {
    std::vector<Value> in;
    for (int32_t input : node.inputs) in.push_back(copies[input]);
    bool isInput = node.op == OpId::input;
    copies.push_back(isInput ? inputs[node.attrs.as<InputAttrs>().index] : to.again(node, in));
  }
  std::vector<Value> outputs;
  for (int32_t output : from.outputs()) outputs.push_back(copies[output]);
  return outputs;
}

// The key of a plan: what it was made for, each part with its length or of one that is known, so that
// no two are written alike.

template <class T>
  requires std::is_integral_v<T> || std::is_enum_v<T>
void put(std::string& key, T value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put(std::string& key, const Type& type) {
  put(key, type.dtype);
  put(key, type.shape.count);
  for (int32_t d : type.shape) put(key, d);
}
/// The op says how long its attributes are.
void put(std::string& key, OpId op, const Attrs& attrs) {
  put(key, op);
  key += attrs.text();
}

}  // namespace

Runner* PlanCache::find(const std::string& key) {
  auto it = byKey_.find(key);
  if (it == byKey_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it->second);
  return &it->second->runner;
}

Runner* PlanCache::add(const std::string& key, Runner runner) {
  if (entries_.size() == limit_) {
    byKey_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({key, std::move(runner)});
  byKey_[key] = entries_.begin();
  return &entries_.front().runner;
}

void PlanCache::clear() {
  entries_.clear();
  byKey_.clear();
}

// ---- one op

void Eager::clear() {
  ops_.clear();
  gradients_.clear();
}

Result<Tensor> Eager::copy(const Tensor& t) {
  std::string key;
  put(key, OpId::input);
  put(key, t.type());
  Runner* runner = ops_.find(key);
  if (!runner) {
    Graph graph;
    graph.output(graph.input(t.type()));
    FJORD_TRY(Runner made, place_.runner(graph));
    runner = ops_.add(key, std::move(made));
  }
  FJORD_TRY(std::vector<Tensor> outputs, runner->run({&t, 1}));
  return outputs[0];
}

Result<Traced> Eager::run(OpId op, std::span<const Traced> inputs, const Attrs& attrs) {
  std::string key;
  put(key, op, attrs);
  std::vector<Tensor> tensors;
  for (const Traced& t : inputs) {
    put(key, t.tensor.type());
    tensors.push_back(t.tensor);
  }
  Runner* runner = ops_.find(key);
  if (!runner) {
    Graph graph;
    std::vector<Value> values;
    for (const Tensor& t : tensors) values.push_back(graph.input(t.type()));
    Value y = emit(op, values, attrs);
    FJORD_CHECK(graph.status());
    if (!y) return fail(opInfo(op).name, ": needs at least one input");
    graph.output(y);
    FJORD_TRY(Runner made, place_.runner(graph));
    runner = ops_.add(key, std::move(made));
  }
  FJORD_TRY(std::vector<Tensor> outputs, runner->run(tensors));
  Traced result{std::move(outputs[0]), newId()};
  for (Tape& tape : tapes_) {
    if (!isPaused_) tape.push_back({op, attrs, {inputs.begin(), inputs.end()}, result});
  }
  return result;
}

// ---- gradients

void Eager::stopTape() {
  if (!tapes_.empty()) tapes_.pop_back();
}

/// The part of a graph that only computes derivatives: its forward nodes are known values.
struct Eager::Backward {
  Graph graph;
  std::vector<Value> xs, results;
  std::vector<Traced> known;     // values of forward nodes
  std::vector<int32_t> knownAt;  // their nodes
  std::string key;
};

void Eager::recordModel(const Traced& input, const Traced& output) {
  for (Tape& tape : tapes_) tape.push_back({OpId::kCount, {}, {input}, output});
}

void Eager::record(std::shared_ptr<const TapedGraph> made, std::span<const Traced> inputs,
                   std::span<const Traced> outputs) {
  for (Tape& tape : tapes_) {
    for (size_t i = 0; i < outputs.size() && !isPaused_; ++i)
      tape.push_back({OpId::kCount,
                      {},
                      {inputs.begin(), inputs.end()},
                      outputs[i],
                      made,
                      static_cast<int>(i)});
  }
}

/// What an entry has computed, again, in the graph of the inputs.
Value Eager::rebuilt(const Entry& e, std::span<const Value> inputs) {
  if (!e.made) return emit(e.op, inputs, e.attrs);
  // The other outputs of a model are made of the same nodes: equal nodes are one.
  return splice(*inputs[0].graph, e.made->graph, inputs)[e.number];
}

Status Eager::refuseModels(const Traced& y, std::span<const Traced> xs, bool all) const {
  std::unordered_set<uint64_t> moving, hidden;  // what depends on xs, and that through a model
  for (const Traced& x : xs) moving.insert(x.id);
  for (const Entry& e : tapes_.back()) {
    auto among = [&](const std::unordered_set<uint64_t>& ids) {
      return std::ranges::any_of(e.inputs, [&](const Traced& t) { return ids.contains(t.id); });
    };
    bool moves = among(moving);
    if (moves) moving.insert(e.output.id);
    if (among(hidden) || (e.isHidden() && (moves || all))) hidden.insert(e.output.id);
  }
  if (!hidden.contains(y.id)) return {};
  return fail(
      "the function that is differentiated calls a model's evaluate, through which no gradient ",
      "goes: call predict or apply, and compute the loss of what they give");
}

Result<std::vector<Traced>> Eager::gradients(const Traced& y, std::span<const Traced> xs,
                                             const Traced* dy, bool all) {
  if (tapes_.empty()) return fail("gradients: nothing was recorded");
  if (dy && dy->tensor.type() != y.tensor.type())
    return fail("gradients: dy is ", dy->tensor.type(), ", y is ", y.tensor.type());
  FJORD_CHECK(refuseModels(y, xs, all));
  Backward b;
  std::unordered_map<uint64_t, Value> nodes;
  auto nodeOf = [&](const Traced& t) {
    auto [it, isNew] = nodes.try_emplace(t.id);
    if (isNew) {
      it->second = b.graph.input(t.tensor.type());
      b.known.push_back(t);
      b.knownAt.push_back(it->second.id);
      put(b.key, OpId::input);
      put(b.key, t.tensor.type());
    }
    return it->second;
  };
  std::vector<Value> sources;
  for (const Traced& x : xs) sources.push_back(nodeOf(x));
  // Only what depends on an x has a derivative; all else is a known value when something reads it.
  for (const Entry& e : tapes_.back()) {
    bool depends =
        std::ranges::any_of(e.inputs, [&](const Traced& t) { return nodes.contains(t.id); });
    if (!depends || e.isHidden() || nodes.contains(e.output.id)) continue;
    std::vector<Value> in;
    for (const Traced& t : e.inputs) in.push_back(nodeOf(t));
    Value out = rebuilt(e, in);
    FJORD_CHECK(b.graph.status());
    nodes[e.output.id] = out;
    b.known.push_back(e.output);
    b.knownAt.push_back(out.id);
    // Loops are no ops of a tape, so that theirs says that a model's graph follows.
    put(b.key, e.made ? OpId::loop : e.op, e.attrs);
    put(b.key, e.made ? e.made->serial : 0);
    put(b.key, e.number);
    put(b.key, static_cast<int32_t>(in.size()));
    for (Value v : in) put(b.key, v.id);
  }
  auto target = nodes.find(y.id);
  std::vector<Traced> results(xs.size());
  std::vector<size_t> connected;
  if (target == nodes.end()) return results;
  std::vector<bool> from = ancestors(target->second);
  for (size_t i = 0; i < xs.size(); ++i) {
    if (sources[i].id >= static_cast<int32_t>(from.size()) || !from[sources[i].id]) continue;
    connected.push_back(i);
    b.xs.push_back(sources[i]);
  }
  if (connected.empty()) return results;
  Value seed = dy ? nodeOf(*dy) : Value{};
  put(b.key, OpId::kCount);
  put(b.key, target->second.id);
  put(b.key, seed.id);
  for (Value x : b.xs) put(b.key, x.id);
  bool hasPlan = tapes_.size() == 1 && gradients_.find(b.key);
  if (!hasPlan) {
    b.results = grad(target->second, b.xs, seed);
    FJORD_CHECK(b.graph.status());
  }
  FJORD_TRY(std::vector<Traced> found, tapes_.size() > 1 ? replay(b) : runBackward(b));
  for (size_t i = 0; i < connected.size(); ++i) results[connected[i]] = std::move(found[i]);
  return results;
}

/// As one plan. The forward nodes whose values are known become inputs; what lies inside a composed
/// op is computed again.
Result<std::vector<Traced>> Eager::runBackward(const Backward& b) {
  std::vector<Tensor> inputs;
  for (const Traced& t : b.known) inputs.push_back(t.tensor);
  Runner* runner = gradients_.find(b.key);
  if (!runner) {
    Graph cut;
    std::vector<Value> copies(b.graph.nodes().size());
    for (size_t i = 0; i < b.known.size(); ++i) {
      Value in = cut.input(b.known[i].tensor.type());
      if (!copies[b.knownAt[i]]) copies[b.knownAt[i]] = in;
    }
    for (size_t id = 0; id < copies.size(); ++id) {
      const Node& node = b.graph.nodes()[id];
      if (copies[id]) continue;
      std::vector<Value> in;
      for (int32_t input : node.inputs) in.push_back(copies[input]);
      copies[id] = cut.again(node, in);
    }
    for (Value r : b.results) cut.output(copies[r.id]);
    FJORD_TRY(Runner made, place_.runner(cut));
    runner = gradients_.add(b.key, std::move(made));
  }
  FJORD_TRY(std::vector<Tensor> outputs, runner->run(inputs));
  std::vector<Traced> results;
  for (Tensor& t : outputs) results.push_back({std::move(t), newId()});
  return results;
}

/// Node by node, so that an outer tape sees how the derivatives came about.
Result<std::vector<Traced>> Eager::replay(const Backward& b) {
  Tape inner = std::move(tapes_.back());
  tapes_.pop_back();
  std::vector<Traced> values(b.graph.nodes().size());
  Status status;
  for (size_t i = 0; i < b.known.size(); ++i) {
    if (!values[b.knownAt[i]].tensor) values[b.knownAt[i]] = b.known[i];
  }
  for (size_t id = 0; id < values.size() && status; ++id) {
    const Node& node = b.graph.nodes()[id];
    if (values[id].tensor) continue;
    if (node.op == OpId::constant) {
      int32_t bits =
          static_cast<int32_t>(bitsOf(node.attrs.as<ConstantAttrs>().value, node.type.dtype));
      Result<Tensor> t = Tensor::of({}, std::span<const int32_t>(&bits, 1));
      if (t) values[id] = {Tensor(t->buffer(), node.type), newId()};
      if (!t) status = std::unexpected(t.error());
      continue;
    }
    if (node.op == OpId::array) {
      values[id] = {node.attrs.as<ArrayAttrs>().values, newId()};
      continue;
    }
    if (!node.results.empty()) {
      status =
          fail("a gradient of a gradient through a layer that repeats its steps, such as lstm, ",
               "is not supported");
      break;
    }
    std::vector<Traced> in;
    for (int32_t input : node.inputs) in.push_back(values[input]);
    Result<Traced> out = run(node.op, in, node.attrs);
    if (out) values[id] = *out;
    if (!out) status = std::unexpected(out.error());
  }
  tapes_.push_back(std::move(inner));
  FJORD_CHECK(status);
  std::vector<Traced> results;
  for (Value r : b.results) results.push_back(values[r.id]);
  return results;
}

// ---- optimizers over loose variables

class EagerOptimizer::Update : public UpdateContext {
 public:
  Update(Graph& graph, uint64_t id, std::vector<std::string>& names,
         std::unordered_map<std::string, double>& starts)
      : graph_(graph), prefix_(cat(id, "/")), names_(names), starts_(starts) {}
  Value slot(std::string_view name, const Shape& shape, double start) override {
    auto known = std::ranges::find(slots_, name, &Slot::name);
    if (known != slots_.end()) return known->input;
    Value input = graph_.input({DType::kF32, shape});
    slots_.push_back({std::string(name), input});
    names_.push_back(prefix_ + std::string(name));
    starts_.try_emplace(names_.back(), start);
    return input;
  }
  void assign(Value slot, Value value) override { graph_.assign(slot, value); }

 private:
  struct Slot {
    std::string name;
    Value input;
  };
  Graph& graph_;
  std::string prefix_;
  std::vector<std::string>& names_;
  std::unordered_map<std::string, double>& starts_;
  std::vector<Slot> slots_;
};

/// Inputs: rate, step, then all weights, all gradients, then the slots in the order of their names.
Status EagerOptimizer::build(std::span<const Variable> variables, Graph& graph,
                             std::vector<std::string>& names) {
  Value rate = graph.input({DType::kF32, {}}), step = graph.input({DType::kF32, {}});
  std::vector<Value> weights, gradients;
  for (const Variable& v : variables) weights.push_back(graph.input(v.value.type()));
  for (const Variable& v : variables) gradients.push_back(graph.input(v.gradient.type()));
  std::deque<Update> updates;
  std::vector<UpdateContext*> contexts;
  for (size_t i = 0; i < variables.size(); ++i) {
    contexts.push_back(&updates.emplace_back(graph, variables[i].id, names, starts_));
    contexts[i]->weight = weights[i];
    contexts[i]->gradient = gradients[i];
  }
  // No variable has this number.
  Update whole(graph, 0, names, starts_);
  std::vector<Value> next = optimizer_.update(contexts, whole, rate, step);
  for (size_t i = 0; i < next.size(); ++i) graph.assign(weights[i], next[i]);
  return graph.status();
}

Result<Tensor> EagerOptimizer::slot(const std::string& name, const Type& type, double start) {
  Tensor& t = slots_[name];
  if (!t || t.type() != type) {
    FJORD_TRY(t, Tensor::zeros(type));
    std::ranges::fill(t.span<float>(), static_cast<float>(start));
  }
  return t;
}

Status EagerOptimizer::apply(std::span<const Variable> variables) {
  std::string key;
  for (const Variable& v : variables) {
    if (v.value.type() != v.gradient.type())
      return fail("a gradient of type ", v.gradient.type(), " for a variable of type ",
                  v.value.type());
    put(key, v.id);
    put(key, v.value.type());
  }
  Runner* runner = plans_.find(key);
  if (!runner) {
    Graph graph;
    std::vector<std::string>& names = slotNames_[key];
    names.clear();
    FJORD_CHECK(build(variables, graph, names));
    FJORD_TRY(Runner made, place_.runner(graph));
    runner = plans_.add(key, std::move(made));
  }
  std::vector<Tensor> inputs;
  for (double number : {rate(), static_cast<double>(step_ + 1)}) {
    float scalar = static_cast<float>(number);
    FJORD_TRY(Tensor t, Tensor::of({}, std::span<const float>(&scalar, 1)));
    inputs.push_back(std::move(t));
  }
  for (const Variable& v : variables) inputs.push_back(v.value);
  for (const Variable& v : variables) inputs.push_back(v.gradient);
  for (const std::string& name : slotNames_[key]) {
    FJORD_TRY(Tensor t, slot(name, runner->inputs()[inputs.size()], starts_[name]));
    inputs.push_back(std::move(t));
  }
  FJORD_CHECK(runner->run(inputs));
  ++step_;
  return {};
}

}  // namespace fjord
