#include "ir/graph.h"

#include <algorithm>

#include "base/parts.h"
#include "base/simd.h"
#include "ir/op.h"

namespace fjord {

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
  Value v = add(OpId::input, {}, Attrs::of(attrs), type);
  inputs_.push_back(v.id);
  return v;
}

Value Graph::constant(double value, DType dtype) {
  if (dtype != DType::kF32) value = numberOf(bitsOf(value, dtype), dtype);
  return add(OpId::constant, {}, Attrs::of(ConstantAttrs{value}), {dtype, {}});
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

namespace {

uint64_t hashBytes(uint64_t h, const void* data, size_t n) {  // FNV-1a
  auto* p = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < n; ++i) h = (h ^ p[i]) * 0x100000001b3;
  return h;
}

}  // namespace

/// Every node comes through here.
Value Graph::add(OpId op, std::span<const Value> inputs, const Attrs& attrs, const Type& type) {
  Status fits = checkShape(type.shape);
  if (type.dtype > DType::kBool)
    fits = fjord::fail(type.dtype, " is a type of files: it is cast to be computed with");
  if (!fits) {
    fail(located(op, inputs, fits.error().message));
    return {};
  }
  uint64_t hash = hashBytes(0xcbf29ce484222325, &op, sizeof op);
  hash = hashBytes(hash, attrs.bytes, attrs.size);
  hash = hashBytes(hash, &type.dtype, sizeof type.dtype);
  for (Value v : inputs) hash = hashBytes(hash, &v.id, sizeof v.id);
  auto [first, last] = known_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    const Node& n = nodes_[it->second];
    if (n.op == op && n.attrs == attrs && n.type == type &&
        std::ranges::equal(n.inputs, inputs, {}, {}, &Value::id)) {
      return {this, it->second};
    }
  }
  Node n{op, type, {}, attrs};
  for (Value v : inputs) n.inputs.push_back(v.id);
  int32_t id = static_cast<int32_t>(nodes_.size());
  nodes_.push_back(std::move(n));
  known_.emplace(hash, id);
  return {this, id};
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

OpSet emitted;

std::vector<Type> typesOf(std::span<const Value> inputs) {
  std::vector<Type> types;
  for (Value v : inputs) types.push_back(v.type());
  return types;
}

}  // namespace

Value emit(OpId op, std::span<const Value> inputs, const Attrs& attrs) {
  emitted.set(static_cast<size_t>(op));
  Graph* graph = nullptr;
  for (Value v : inputs) graph = graph ? graph : v.graph;
  if (!graph || !graph->status()) return {};
  for (Value v : inputs) {
    if (!v) {
      graph->fail(graph->located(op, inputs, "an input is empty"));
      return {};
    }
    if (v.graph != graph) {
      graph->fail(graph->located(op, inputs, "the inputs belong to different graphs"));
      return {};
    }
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
    default:
      return graph->emitStructured(op, inputs, attrs);
  }
}

const OpSet& emittedOps() { return emitted; }

Value Graph::emitStructured(OpId op, std::span<const Value> inputs, const Attrs& attrs) {
  Result<Type> type = opInfo(op).type(typesOf(inputs), attrs);
  if (!type) {
    fail(located(op, inputs, type.error().message));
    return {};
  }
  bool identity = (op == OpId::reshape || op == OpId::broadcastTo) && *type == inputs[0].type();
  if (identity) return inputs[0];
  if (const double* number = op == OpId::reshape ? spreadConstant(inputs[0]) : nullptr) {
    return broadcastTo(constant(*number, type->dtype), {.shape = type->shape});
  }
  return add(op, inputs, attrs, *type);
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
  return add(op, {in, inputs.size()}, attrs, {resultType(kind, operand, attrs), shape});
}

// ---- compositions that every gradient needs

std::vector<Value> split(Value x, int count, int axis) {
  std::vector<Value> parts;
  if (!x) return parts;
  Shape begin = Shape::filled(x.shape().rank(), 0), size = x.shape();
  Result<int> at = checkedAxis(axis, x.shape().rank());
  if (!at || count < 1 || size[*at] % count != 0) {
    x.graph->fail(
        cat("split: ", x.type(), " does not divide into ", count, " parts along axis ", axis));
    return std::vector<Value>(count < 1 ? 0 : count);
  }
  size[*at] /= count;
  for (int i = 0; i < count; ++i) {
    begin[*at] = i * size[*at];
    parts.push_back(slice(x, {.begin = begin, .size = size}));
  }
  return parts;
}

Value sumTo(Value x, const Shape& shape) {
  if (!x || x.shape() == shape) return x;
  int extra = x.shape().rank() - shape.rank();
  if (extra < 0) return broadcastTo(x, {.shape = shape});  // a gradient that is one scalar for all
  Shape axes;
  for (int i = 0; i < x.shape().rank(); ++i) {
    if (i < extra || (shape[i - extra] == 1 && x.shape()[i] != 1)) axes.push(i);
  }
  Value y = axes.empty() ? x : sum(x, {.axes = axes});
  // What broadcasting rows left smaller than the input (a constant scalar) is spread again.
  return y.shape().size() == shape.size() ? reshape(y, {.shape = shape})
                                          : broadcastTo(y, {.shape = shape});
}

}  // namespace fjord
