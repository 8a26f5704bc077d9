#include "abi/trace.h"

#include <algorithm>
#include <bit>

#include "abi/abi.h"
#include "base/parts.h"

using namespace fjord;

namespace fjord {

#if defined(__EMSCRIPTEN__)
int (*traceCaller)(int number, const int32_t* inputs, int count, int training) = fj_trace;
#else
int (*traceCaller)(int number, const int32_t* inputs, int count, int training) = nullptr;
#endif

namespace {

/// A call that is going on. They nest: a layer may call another one.
struct OpenCall {
  int32_t number;  // of all calls
  Graph& graph;
  LayerContext* context;
  LayerOutputs outputs = {};
  std::string error = {};
};
std::vector<OpenCall*> calls;

int tensorFor(Value v, const OpenCall& call) {
  TensorEntry entry;
  entry.tensor = Tensor(Buffer(), v.type());
  entry.id = runtime().eager->newId();
  entry.value = v;
  entry.trace = call.number;
  return newTensor(std::move(entry));
}

/// The array of a tensor that is there already; a number where all elements are the same.
Value constantOf(Graph& graph, const Tensor& t) {
  std::span<const uint32_t> bits = t.span<const uint32_t>();
  bool isUniform =
      !bits.empty() && std::ranges::all_of(bits, [&](uint32_t b) { return b == bits[0]; });
  if (!isUniform) return graph.array(t);
  Value number = constant(graph, numberOf(bits[0], t.dtype()), t.dtype());
  return broadcastTo(number, {.shape = t.shape()});
}

/// What a tensor is in the graph that is being traced.
Result<Value> valueOf(const TensorEntry& t) {
  OpenCall& call = *calls.back();
  if (t.value) {
    bool goesOn = std::ranges::find(calls, t.trace, &OpenCall::number) != calls.end();
    // A loop's body reads what is around it.
    bool isHere = t.value.graph == &call.graph || call.graph.isInside(t.value.graph);
    if (goesOn && isHere) return t.value;
    return fail("a tensor of a function that was traced is used in another one, or after it");
  }
  if (t.model)
    return fail(
        "a weight of a model is used, whose value now would stay: a layer uses what its own ",
        "addWeight gives");
  FJORD_CHECK(needHere(t.tensor));
  return constantOf(call.graph, t.tensor);
}

/// The value of a handle; none for 0.
Result<Value> valueAt(int32_t handle) {
  if (handle == 0) return Value{};
  TensorEntry* t = tensorOf(handle);
  return t ? valueOf(*t) : fail(runtime().message);
}
Result<std::vector<Value>> valuesAt(const int32_t* handles, int count) {
  std::vector<Value> values;
  for (int i = 0; handles && i < count; ++i) {
    FJORD_TRY(Value v, valueAt(handles[i]));
    values.push_back(v);
  }
  return values;
}

/// Random ops that draw from the state of the step each get numbers of their own.
Attrs withStream(OpId op, const Attrs& attrs, std::span<const Value> inputs) {
  if (inputs.empty()) return attrs;
  const Node& state = inputs.back().graph->node(inputs.back());
  auto next = [&]<class A>(A a) {
    if (state.op == OpId::input) a.stream = inputs[0].graph->nextStream();
    return Attrs::of(a);
  };
  switch (op) {
    case OpId::randomUniform:
      return next(attrs.as<RandomUniformAttrs>());
    case OpId::randomNormal:
      return next(attrs.as<RandomNormalAttrs>());
    case OpId::truncatedNormal:
      return next(attrs.as<TruncatedNormalAttrs>());
    case OpId::dropout:
      return next(attrs.as<DropoutAttrs>());
    default:
      return attrs;
  }
}

int failed(const Status& status) { return failure(status.error()); }
template <class T>
int failed(const Result<T>& result) {
  return failure(result.error());
}

/// The innermost layer; null, and a failure, where no layer is being traced.
LayerContext* layerContext(std::string_view what) {
  LayerContext* context = calls.empty() ? nullptr : calls.back()->context;
  if (!context) failure(cat(what, " belongs to a layer: there is none around"));
  return context;
}

/// The handle of a value that a builder has given.
int given(Value v) {
  OpenCall& call = *calls.back();
  if (!call.graph.status()) return failed(call.graph.status());
  return v ? tensorFor(v, call) : failure("nothing was computed");
}

int giveAll(const LayerOutputs& outputs, int32_t* out, int room) {
  if (!outputs) return given({});
  int count = static_cast<int>(outputs.values.size());
  if (count > room) return failure(cat("there is room for ", room, " of ", count, " outputs"));
  for (int i = 0; i < count; ++i) out[i] = tensorFor(outputs.values[i], *calls.back());
  return count;
}

LayerOutputs trace(const TracedCall& call) {
  static int32_t number = 0;
  Graph& graph = *call.inputs[0].graph;
  OpenCall now{++number, graph, call.context};
  calls.push_back(&now);
  std::vector<int32_t> handles;
  for (Value v : call.inputs) handles.push_back(tensorFor(v, now));
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    Value mask = call.inputs.mask(i);
    handles.push_back(mask ? tensorFor(mask, now) : 0);
  }
  int count = static_cast<int>(call.inputs.size());
  bool training = call.context && call.context->training;
  int done = traceCaller && traceCaller(call.number, handles.data(), count, training);
  calls.pop_back();
  if (!done || !now.error.empty() || !now.outputs)
    graph.fail(now.error.empty() ? "the function gave nothing" : now.error);
  return graph.status() ? std::move(now.outputs) : LayerOutputs();
}

}  // namespace

bool tracesAll() { return !calls.empty() && runtime().place->isRemote; }

int traceOp(OpId op, const Attrs& attrs, const int32_t* inputs, int count) {
  if (calls.empty())
    return failure("a tensor of a function that was traced is used after it: it has no values");
  Result<std::vector<Value>> values = valuesAt(inputs, count);
  if (!values) return failed(values);
  return given(emit(op, *values, withStream(op, attrs, *values)));
}

int traceGradients(int y, int dy, const int32_t* xs, int count, int32_t* out) {
  if (calls.empty()) return failure("gradients: the function that was traced is over");
  Result<Value> target = valueAt(y), seed = valueAt(dy);
  Result<std::vector<Value>> sources = valuesAt(xs, count);
  if (!target) return failed(target);
  if (!seed) return failed(seed);
  if (!sources) return failed(sources);
  std::vector<bool> from = ancestors(*target);
  std::vector<Value> connected;
  for (Value x : *sources) {
    if (x.id < static_cast<int32_t>(from.size()) && from[x.id]) connected.push_back(x);
  }
  std::vector<Value> found = grad(*target, connected, *seed);
  if (!calls.back()->graph.status()) return failed(calls.back()->graph.status());
  for (size_t i = 0, k = 0; i < sources->size(); ++i) {
    bool is = k < connected.size() && connected[k] == (*sources)[i];
    out[i] = is ? tensorFor(found[k++], *calls.back()) : 0;
  }
  return 1;
}

void startTracing() { callTraced = trace; }

}  // namespace fjord

// ---- what a function calls while it is traced

void fj_traced(const int32_t* outputs, int count, const int32_t* masks, const char* error) {
  if (calls.empty()) return;
  OpenCall& call = *calls.back();
  if (error) {
    call.error = error;
    return;
  }
  Result<std::vector<Value>> values = valuesAt(outputs, count), shadows = valuesAt(masks, count);
  if (values && shadows) {
    call.outputs = {std::move(*values), std::move(*shadows)};
  } else {
    call.error = values ? shadows.error().message : values.error().message;
  }
}

int fj_traceWeight(const char* json) {
  LayerContext* context = layerContext("a weight");
  if (!context) return 0;
  return withJson(json, [&](const Json& j) {
    auto shape = intsOf<kMaxRank>(member(j, "shape"));
    if (!shape) return failure("a weight needs a shape");
    std::string name = stringOr(j, "name", "");
    const Json& initializer = member(j, "initializer");
    if (Status known = checkInitializer(initializer); !known) return failed(known);
    if (!boolOr(j, "trainable", true)) return given(context->state(name, *shape, initializer));
    return given(context->weight(name, *shape, initializer, true, member(j, "regularizer"),
                                 member(j, "constraint")));
  });
}

int fj_traceUpdate(int weight, int value) {
  LayerContext* context = layerContext("a weight");
  if (!context) return 0;
  Result<Value> from = valueAt(weight), to = valueAt(value);
  if (!from) return failed(from);
  if (!to) return failed(to);
  if (from->type() != to->type())
    return failure(cat("the weight is ", from->type(), ", its new value ", to->type()));
  context->update(*from, *to);
  return 1;
}

int fj_traceRandom() {
  LayerContext* context = layerContext("a random number, which is another one in each step,");
  return context ? given(context->randomState()) : 0;
}

int fj_traceLayer(const char* json, const int32_t* inputs, int count, int32_t* out, int room) {
  LayerContext* context = layerContext("a call of a layer");
  if (!context) return 0;
  Result<std::vector<Value>> values = valuesAt(inputs, count);
  if (!values) return failed(values);
  return withJson(
      json, [&](const Json& j) { return giveAll(context->callInner(j, {*values}), out, room); });
}
