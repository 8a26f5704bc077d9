#include "ir/graph.h"

#include <algorithm>

#include "base/parts.h"
#include "base/simd.h"
#include "ir/op.h"

namespace fjord {

namespace {

OpSet emitted;

}  // namespace

const Type& Value::type() const {
  static const Type kNone;
  return graph && id >= 0 ? graph->nodes()[id].type : kNone;
}

// ---- building

Value Graph::input(const Type& type) {
  return addInput({static_cast<int32_t>(inputs_.size())}, type);
}

Value Graph::parameter(const Type& type) {
  return addInput({static_cast<int32_t>(inputs_.size()), true}, type);
}

Value Graph::addInput(const InputAttrs& attrs, const Type& type) {
  Value v = add({OpId::input, type, {}, Attrs::of(attrs)});
  inputs_.push_back(v.id);
  return v;
}

Value Graph::constant(double value, DType dtype) {
  if (dtype != DType::kF32) value = numberOf(bitsOf(value, dtype), dtype);
  return add({OpId::constant, {dtype, {}}, {}, Attrs::of(ConstantAttrs{value})});
}

Value Graph::array(const Tensor& values) {
  emitted.set(static_cast<size_t>(OpId::array));
  return add({OpId::array, values.type(), {}, Attrs::of(ArrayAttrs{values})});
}

Value Graph::result(Value node, int index) {
  return node ? emit(OpId::result, {{node}}, Attrs::of(ResultAttrs{index})) : Value{};
}

Value Graph::again(const Node& node, std::span<const Value> inputs) {
  switch (node.op) {
    case OpId::input:
      return addInput(
          {static_cast<int32_t>(inputs_.size()), node.attrs.as<InputAttrs>().isParameter},
          node.type);
    case OpId::constant:
      return constant(node.attrs.as<ConstantAttrs>().value, node.type.dtype);
    case OpId::array:
      return array(node.attrs.as<ArrayAttrs>().values);
    default:
      return emit(node.op, inputs, node.attrs);
  }
}

Value constant(Graph& graph, double value, DType dtype) { return graph.constant(value, dtype); }

int Graph::output(Value value) {
  if (!value && status_) fail("output: the value is empty");
  outputs_.push_back(value.id);
  return static_cast<int>(outputs_.size()) - 1;
}

void Graph::assign(Value input, Value value) {
  if (!input || !value) return;
  if (node(input).op != OpId::input) return fail("assign: the target is not an input of the graph");
  if (input.type() != value.type()) {
    return fail(
        cat("assign: a value of type ", value.type(), " for an input of type ", input.type()));
  }
  assignments_.push_back({input.id, value.id});
}

void Graph::fail(std::string message) {
  if (status_) status_ = fjord::fail(scope_, message);
}

Graph::Scope::Scope(Graph& graph, std::string_view name)
    : graph_(graph), length_(graph.scope_.size()) {
  graph.scope_ += name;
  graph.scope_ += ": ";
}
Graph::Scope::~Scope() { graph_.scope_.resize(length_); }

const double* Graph::constantValue(Value v) const {
  return v && node(v).op == OpId::constant ? &node(v).attrs.as<ConstantAttrs>().value : nullptr;
}

// ---- nodes

namespace {

uint64_t hashOf(const Node& n) {
  uint64_t hash = n.attrs.hash(hashField(kHashStart, n.op));
  hash = hashField(hash, n.type.dtype);
  for (int32_t input : n.inputs) hash = hashField(hash, input);
  return hash;
}

}  // namespace

/// Every node comes through here.
Value Graph::add(Node node) {
  Status fits;
  auto look = [&](const Type& type) {
    if (fits) fits = checkShape(type.shape);
    if (fits && type.dtype > DType::kBool)
      fits = fjord::fail(type.dtype, " is a type of files: it is cast to be computed with");
  };
  look(node.type);
  for (const Type& type : node.results) look(type);
  if (!fits) {
    std::vector<Value> inputs;
    for (int32_t input : node.inputs) inputs.push_back({this, input});
    fail(located(node.op, inputs, fits.error().message));
    return {};
  }
  uint64_t hash = hashOf(node);
  auto [first, last] = known_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (nodes_[it->second] == node) return {this, it->second};
  }
  int32_t id = static_cast<int32_t>(nodes_.size());
  nodes_.push_back(std::move(node));
  known_.emplace(hash, id);
  return {this, id};
}

bool operator==(const Graph& a, const Graph& b) {
  return a.nodes() == b.nodes() && a.inputs() == b.inputs() && a.outputs() == b.outputs() &&
         a.assignments() == b.assignments();
}
bool sameField(const std::shared_ptr<const Graph>& a, const std::shared_ptr<const Graph>& b) {
  return a == b || (a && b && *a == *b);
}
uint64_t hashField(uint64_t h, const std::shared_ptr<const Graph>& a) {
  if (!a) return h;
  for (const Node& node : a->nodes()) h = hashField(h, hashOf(node));
  return hashField(h, a->outputs());
}

// ---- a graph inside of another one

Value Graph::capture(Value outside) {
  if (!outside || outside.graph == this) return outside;
  if (!outer_) {
    fail("capture: the value belongs to another graph");
    return {};
  }
  outside = outer_->capture(outside);
  if (!outside) return {};
  const Type& type = outside.type();
  if (const double* number = outer_->spreadConstant(outside))
    return broadcastTo(constant(*number, type.dtype), {.shape = type.shape});
  auto known = std::ranges::find(captures_, outside.id, &Capture::outside);
  if (known != captures_.end()) return {this, known->inside};
  Value inside = parameter(type);
  captures_.push_back({outside.id, inside.id});
  return inside;
}

std::shared_ptr<Graph> Graph::copy(const std::vector<bool>& keptOutputs,
                                   const std::vector<bool>& keptAssignments) const {
  auto out = std::make_shared<Graph>();
  out->nodes_ = nodes_;
  out->inputs_ = inputs_;
  out->known_ = known_;
  out->status_ = status_;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (keptOutputs[i]) out->outputs_.push_back(outputs_[i]);
  }
  for (size_t i = 0; i < assignments_.size(); ++i) {
    if (keptAssignments[i]) out->assignments_.push_back(assignments_[i]);
  }
  return out;
}

std::shared_ptr<Graph> Graph::copy() const {
  return copy(std::vector<bool>(outputs_.size(), true),
              std::vector<bool>(assignments_.size(), true));
}

void Graph::widen(Value node, const Attrs& attrs) {
  Node& n = nodes_[node.id];
  std::vector<Type> in;
  for (int32_t input : n.inputs) in.push_back(nodes_[input].type);
  Result<std::vector<Type>> results = opInfo(n.op).results(in, attrs);
  if (!results) return fail(cat(opInfo(n.op).name, ": ", results.error().message));
  n.attrs = attrs;
  n.results = std::move(*results);
  // Under its old hash it is found by nothing any more that is equal to it.
  known_.emplace(hashOf(n), node.id);
}

std::string Graph::located(OpId op, std::span<const Value> inputs, std::string_view problem) const {
  std::string message = cat(opInfo(op).name, ": ", problem);
  if (!inputs.empty()) {
    message += " (inputs: ";
    for (size_t i = 0; i < inputs.size(); ++i) {
      append(message, i ? ", " : "");
      append(message, inputs[i].type());
    }
    message += ')';
  }
  return message;
}

// ---- emit

namespace {

std::vector<Type> typesOf(std::span<const Value> inputs) {
  std::vector<Type> types;
  for (Value v : inputs) types.push_back(v.type());
  return types;
}

}  // namespace

Value emit(OpId op, std::span<const Value> inputs, const Attrs& attrs) {
  emitted.set(static_cast<size_t>(op));
  // The innermost: it captures what it is given of those around it.
  Graph* graph = nullptr;
  bool mixed = false;
  for (Value v : inputs) {
    mixed = mixed || (graph && v.graph && v.graph != graph);
    if (!graph || (v.graph && v.graph->isInside(graph))) graph = v.graph;
  }
  if (!graph || !graph->status()) return {};
  for (Value v : inputs) {
    if (!v) {
      graph->fail(graph->located(op, inputs, "an input is empty"));
      return {};
    }
    if (!v.graph->node(v).results.empty() && op != OpId::result) {
      graph->fail(graph->located(op, inputs, "an input has several results: one of them is read"));
      return {};
    }
    if (v.graph != graph && !graph->isInside(v.graph)) {
      graph->fail(graph->located(op, inputs, "the inputs belong to different graphs"));
      return {};
    }
  }
  if (mixed) {
    std::vector<Value> own;
    for (Value v : inputs) own.push_back(graph->capture(v));
    return emit(op, own, attrs);
  }
  int arity = opArity(op);
  if (arity >= 0 && inputs.size() != static_cast<size_t>(arity)) {
    graph->fail(graph->located(op, inputs, cat("needs ", arity, " inputs, got ", inputs.size())));
    return {};
  }
  switch (opInfo(op).kind) {
    case OpKind::kLeftOut:
      graph->fail(leftOut(opInfo(op).name));
      return {};
    case OpKind::kElementwise:
      return graph->emitElementwise(op, inputs, attrs);
    case OpKind::kComposed: {
      if (Status status = opInfo(op).check ? opInfo(op).check(typesOf(inputs), attrs) : Status();
          !status) {
        graph->fail(graph->located(op, inputs, status.error().message));
        return {};
      }
      Graph::Scope scope(*graph, opInfo(op).name);
      return opInfo(op).expand(inputs, attrs);
    }
    case OpKind::kSeveral:
      return graph->emitSeveral(op, inputs, attrs);
    default:
      return graph->emitStructured(op, inputs, attrs);
  }
}

const OpSet& emittedOps() { return emitted; }

namespace {

std::vector<int32_t> idsOf(std::span<const Value> values) {
  std::vector<int32_t> ids;
  for (Value v : values) ids.push_back(v.id);
  return ids;
}

}  // namespace

/// A node of several results, and one of those.
Value Graph::emitSeveral(OpId op, std::span<const Value> inputs, const Attrs& attrs) {
  if (op == OpId::result) {
    const std::vector<Type>& results = node(inputs[0]).results;
    size_t index = static_cast<size_t>(attrs.as<ResultAttrs>().index);
    if (index < results.size()) return add({op, results[index], idsOf(inputs), attrs});
    fail(located(op, inputs,
                 cat("the node has ", results.size(), " results, number ",
                     attrs.as<ResultAttrs>().index, " is none of them")));
    return {};
  }
  Result<std::vector<Type>> results = opInfo(op).results(typesOf(inputs), attrs);
  if (results) return add({op, {}, idsOf(inputs), attrs, std::move(*results)});
  fail(located(op, inputs, results.error().message));
  return {};
}

namespace {

/// Whether an op that moves elements leaves them where they are. `type` is that of what it gives.
bool movesNothing(OpId op, std::span<const Value> inputs, const Type& type, const Attrs& attrs) {
  if (inputs.empty() || type != inputs[0].type()) return false;
  if (op == OpId::transpose) {
    const Shape& perm = attrs.as<TransposeAttrs>().perm;
    for (int i = 0; i < perm.rank(); ++i) {
      if (perm[i] != i) return false;
    }
    return !perm.empty();
  }
  // Of the same shape there is nothing around it, or cut off.
  return op == OpId::reshape || op == OpId::broadcastTo || op == OpId::pad || op == OpId::slice ||
         (op == OpId::concat && inputs.size() == 1);
}

}  // namespace

Value Graph::emitStructured(OpId op, std::span<const Value> inputs, const Attrs& attrs) {
  Result<Type> type = opInfo(op).type(typesOf(inputs), attrs);
  if (!type) {
    fail(located(op, inputs, type.error().message));
    return {};
  }
  if (movesNothing(op, inputs, *type, attrs)) return inputs[0];
  if (const double* number = op == OpId::reshape ? spreadConstant(inputs[0]) : nullptr) {
    return broadcastTo(constant(*number, type->dtype), {.shape = type->shape});
  }
  return add({op, *type, idsOf(inputs), attrs});
}

Value emitRow(OpId op, Value a) { return emit(op, {{a}}, {}); }
Value emitRow(OpId op, Value a, Value b) { return emit(op, {{a, b}}, {}); }
Value emitRow(OpId op, Value a, Value b, Value c) { return emit(op, {{a, b, c}}, {}); }

Value like(Value x, double c) {
  return x ? constant(*x.graph, c, x.dtype() == DType::kBool ? DType::kI32 : x.dtype()) : Value{};
}

Value cast(Value x, DType dtype) {
  return x && x.dtype() == dtype ? x : emit(OpId::cast, {{x}}, Attrs::of(CastAttrs{dtype}));
}

namespace {

/// bool < int32 < float32, as TensorFlow.js promotes.
int widthOf(DType t) { return t == DType::kF32 ? 2 : t == DType::kI32 ? 1 : 0; }

/// The type that all operands of a row of this kind are brought to.
DType operandType(RowKind kind, std::span<const Value> inputs) {
  switch (kind) {
    case RowKind::kFloat:
    case RowKind::kWhole:
    case RowKind::kTest:
      return DType::kF32;
    case RowKind::kFirst:
      return inputs[0].dtype() == DType::kF32 ? DType::kF32 : DType::kI32;
    case RowKind::kLogic:
      return DType::kBool;
    case RowKind::kBits:
      return DType::kI32;
    case RowKind::kCast:
      return inputs[0].dtype();
    default: {
      // kNumber and kCompare work on numbers; a selection keeps bools as they are.
      DType widest = kind == RowKind::kSelect ? DType::kBool : DType::kI32;
      for (Value v : inputs.subspan(kind == RowKind::kSelect ? 1 : 0)) {
        if (widthOf(v.dtype()) > widthOf(widest)) widest = v.dtype();
      }
      return widest;
    }
  }
}

/// x * 1, x / 1, x + 0, x - 0: formulas for gradients make many of these.
bool isIdentity(OpId op, const double* right) {
  if (!right) return false;
  return ((op == OpId::mul || op == OpId::div) && *right == 1) ||
         ((op == OpId::add || op == OpId::sub) && *right == 0);
}

DType resultType(RowKind kind, DType operand, const Attrs& attrs) {
  if (kind == RowKind::kTest || kind == RowKind::kCompare) return DType::kBool;
  return kind == RowKind::kCast ? attrs.as<CastAttrs>().dtype : operand;
}

}  // namespace

const double* Graph::spreadConstant(Value v) const {
  while (node(v).op == OpId::broadcastTo) v = {v.graph, node(v).inputs[0]};
  return constantValue(v);
}

/// The value of an elementwise op whose operands are all constants, by the op's own kernel.
std::optional<double> Graph::foldConstants(OpId op, std::span<const Value> in,
                                           const Attrs& attrs) const {
  uint32_t arrays[4][kLanes] = {};
  const void* operands[3] = {arrays[0], arrays[1], arrays[2]};
  for (size_t i = 0; i < in.size(); ++i) {
    const double* number = spreadConstant(in[i]);
    if (!number) return {};
    std::fill_n(arrays[i], kLanes, bitsOf(*number, in[i].dtype()));
  }
  DType operand = in.back().dtype();
  tileKernel(op, operand, attrs)(arrays[3], operands, kLanes);
  return numberOf(arrays[3][0], resultType(opInfo(op).row, operand, attrs));
}

Value Graph::emitElementwise(OpId op, std::span<const Value> inputs, const Attrs& attrs) {
  bool ints = std::ranges::none_of(inputs, [](Value v) { return v.dtype() == DType::kF32; });
  if (ints && opInfo(op).row == RowKind::kWhole) return cast(inputs[0], DType::kI32);
  if (ints && (op == OpId::div || op == OpId::divNoNan)) return emit(OpId::floorDiv, inputs, attrs);
  RowKind kind = opInfo(op).row;
  DType operand = operandType(kind, inputs);
  Value in[3];
  Shape shape;
  for (size_t i = 0; i < inputs.size(); ++i) {
    bool isCondition = kind == RowKind::kSelect && i == 0;
    const double* number = constantValue(inputs[i]);
    DType wanted = isCondition ? DType::kBool : operand;
    in[i] =
        number && inputs[i].dtype() != wanted ? constant(*number, wanted) : cast(inputs[i], wanted);
    shape = i == 0 ? in[i].shape() : broadcastShapes(shape, in[i].shape());
    if (shape.count < 0) {
      fail(located(op, inputs, "the shapes do not broadcast"));
      return {};
    }
  }
  if (inputs.size() == 2) {
    bool keeps = in[0].shape() == shape && in[0].dtype() == inputs[0].dtype();
    if (keeps && isIdentity(op, constantValue(in[1]))) return in[0];
    bool swaps = in[1].shape() == shape && in[1].dtype() == inputs[1].dtype();
    bool commutes = op == OpId::mul || op == OpId::add;
    if (swaps && commutes && isIdentity(op, constantValue(in[0]))) return in[1];
  }
  if (auto folded = foldConstants(op, {in, inputs.size()}, attrs)) {
    return broadcastTo(constant(*folded, resultType(kind, operand, attrs)), {.shape = shape});
  }
  return add({op, {resultType(kind, operand, attrs), shape}, idsOf({in, inputs.size()}), attrs});
}

}  // namespace fjord
