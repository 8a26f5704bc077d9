// Hoisting: what a loop computes in each trip, but need not.
//
// A node of the body that depends on captured values and constants alone is computed once, outside.
// One that depends on those and on scanned slices alone could be computed for all trips at once, on
// arrays with the trips as their first axis. That is done for products, as one large product is
// faster than many small ones; for what leads to them; and for what follows them as far as it goes.
// The rest stays in the body, where the slices are in the caches.
#include <algorithm>

#include "ir/loop.h"

namespace fjord {

namespace {

bool isProduct(OpId op) {
  return op == OpId::matMul || op == OpId::conv2d || op == OpId::depthwiseConv2d;
}

/// An operand of a node whose trips are computed together: either [trips, ..] or the same in all.
struct Operand {
  Value value;
  Shape slice;  // in the body
  bool isStack = false;
};

/// [trips] + shape.
Shape stacked(const Shape& shape, int32_t trips) {
  return stackOf({DType::kF32, shape}, trips).shape;
}

/// A stack seen with so many axes in each trip: ones come first, as broadcasting has it.
Value padded(const Operand& o, int rank, int32_t trips) {
  if (!o.isStack || o.slice.rank() == rank) return o.value;
  Shape shape = Shape::filled(rank - o.slice.rank(), 1);
  for (int32_t n : o.slice) shape.push(n);
  return reshape(o.value, {.shape = stacked(shape, trips)});
}

/// The stack with the trips as a part of the first axis.
Value merged(const Operand& o, int32_t trips) {
  Shape shape{int64_t{trips} * o.slice[0]};
  for (int i = 1; i < o.slice.rank(); ++i) shape.push(o.slice[i]);
  return reshape(o.value, {.shape = shape});
}

/// Rows times a matrix that is the same in all trips: the trips are further rows.
bool isRowsTimesMatrix(const Node& node, std::span<const Operand> in) {
  return in[0].isStack && !in[1].isStack && in[1].slice.rank() == 2 &&
         !node.attrs.as<MatMulAttrs>().transposeA;
}

bool canStack(const Node& node, std::span<const Operand> in, int32_t trips) {
  int64_t most = node.type.shape.size();
  int rank = node.type.shape.rank();
  for (const Operand& o : in) {
    most = std::max(most, o.slice.size());
    rank = std::max(rank, o.slice.rank());
  }
  if (rank + 1 > kMaxRank || most * trips > kMaxElements || trips == 0) return false;
  bool all = std::ranges::all_of(in, &Operand::isStack);
  switch (node.op) {
    case OpId::matMul:
    case OpId::reshape:
    case OpId::broadcastTo:
    case OpId::transpose:
    case OpId::slice:
      return true;
    case OpId::conv2d:
    case OpId::depthwiseConv2d:
      return in[0].isStack && !in[1].isStack;
    case OpId::concat:
      return all;
    case OpId::gather:
      return !in[0].isStack && node.attrs.as<GatherAttrs>().axis == 0;
    default:
      return opInfo(node.op).kind == OpKind::kElementwise;
  }
}

/// What the node computes in all trips.
Value stack(const Node& node, std::span<const Operand> in, int32_t trips) {
  const Shape& shape = node.type.shape;
  Shape all = stacked(shape, trips);
  std::vector<Value> values;
  for (const Operand& o : in) values.push_back(o.value);
  switch (node.op) {
    case OpId::reshape:
      return reshape(values[0], {.shape = all});
    case OpId::broadcastTo:
      return broadcastTo(padded(in[0], shape.rank(), trips), {.shape = all});
    case OpId::transpose: {
      Shape perm{0};
      for (int32_t axis : node.attrs.as<TransposeAttrs>().perm) perm.push(axis + 1);
      return transpose(values[0], {.perm = perm});
    }
    case OpId::slice: {
      const auto& a = node.attrs.as<SliceAttrs>();
      return slice(values[0], {.begin = stacked(a.begin, 0), .size = all});
    }
    case OpId::concat: {
      int axis = node.attrs.as<ConcatAttrs>().axis;
      return concat(values, {.axis = axisOf(axis, shape.rank()) + 1});
    }
    case OpId::conv2d:
    case OpId::depthwiseConv2d:
      values[0] = merged(in[0], trips);
      return reshape(emit(node.op, values, node.attrs), {.shape = all});
    case OpId::gather:
      return gather(values[0], values[1], node.attrs.as<GatherAttrs>());
    case OpId::matMul:
      if (isRowsTimesMatrix(node, in)) {
        int64_t rows = trips;
        for (int i = 0; i + 1 < in[0].slice.rank(); ++i) rows *= in[0].slice[i];
        values[0] = reshape(values[0], {.shape = {rows, in[0].slice[-1]}});
        return reshape(emit(node.op, values, node.attrs), {.shape = all});
      }
      [[fallthrough]];
    default:
      for (size_t i = 0; i < in.size(); ++i) values[i] = padded(in[i], shape.rank(), trips);
      return emit(node.op, values, node.attrs);
  }
}

class Hoister {
 public:
  Hoister(Graph& graph, LoopParts& loop)
      : graph_(graph), loop_(loop), old_(*loop.body), facts_(old_.nodes().size()) {}

  std::vector<Value> run();

 private:
  /// What a node depends on, beside constants and what is captured.
  enum Depends : uint8_t { kNothing, kSlices, kReversedSlices, kCarried };
  struct Facts {
    Depends depends = kNothing;
    bool leads = false, follows = false;  // to a product of slices; it is one where it does both
    bool needed = false;                  // in the body, by what stays there
    Value outside, inside;
  };

  int32_t count() const { return static_cast<int32_t>(facts_.size()); }
  const Node& node(int32_t id) const { return old_.nodes()[id]; }
  int32_t numberOf(int32_t id) const { return node(id).attrs.as<InputAttrs>().index; }
  bool isInput(int32_t id) const { return node(id).op == OpId::input; }
  /// A broadcast, or a constant, costs nothing where it is read.
  bool isFree(int32_t id) const {
    return node(id).op == OpId::broadcastTo || node(id).op == OpId::constant;
  }
  bool isStack(int32_t id) const {
    return facts_[id].depends == kSlices || facts_[id].depends == kReversedSlices;
  }
  bool leaves(int32_t id) const {
    const Facts& f = facts_[id];
    return f.depends == kNothing || (isStack(id) && !isInput(id) && (f.leads || f.follows));
  }
  std::vector<Operand> operandsOf(int32_t id) const;
  void findDepends(int32_t id);
  void findProducts();
  void findNeeded(std::span<const int32_t> nexts);
  void computeOutside();
  Value importOf(int32_t id);
  void rebuild(const std::vector<int32_t>& nexts);
  Value addInput(LoopInput kind, Value outside, const Type& type);

  Graph& graph_;
  LoopParts& loop_;
  const Graph& old_;
  std::vector<Facts> facts_;  // by node of the old body
  std::shared_ptr<Graph> body_;
  struct Input {
    int32_t inside;
    LoopInput kind;
    Value outside;
  };
  std::vector<Input> inputs_;
};

std::vector<Operand> Hoister::operandsOf(int32_t id) const {
  std::vector<Operand> operands;
  for (int32_t input : node(id).inputs)
    operands.push_back({facts_[input].outside, node(input).type.shape, isStack(input)});
  return operands;
}

void Hoister::findDepends(int32_t id) {
  Facts& f = facts_[id];
  if (isInput(id)) {
    LoopInput kind = loop_.kinds[numberOf(id)];
    f.depends = kind == LoopInput::kCaptured  ? kNothing
                : kind == LoopInput::kCarried ? kCarried
                : kind == LoopInput::kScanned ? kSlices
                                              : kReversedSlices;
    return;
  }
  for (int32_t input : node(id).inputs) {
    Depends other = facts_[input].depends;
    // Slices in both directions do not meet outside.
    f.depends = f.depends == kNothing || f.depends == other ? std::max(f.depends, other)
                : other == kNothing                         ? f.depends
                                                            : kCarried;
  }
  if (isStack(id) && !canStack(node(id), operandsOf(id), loop_.trips)) f.depends = kCarried;
}

void Hoister::findProducts() {
  for (int32_t id = count() - 1; id >= 0; --id) {
    if (!isStack(id) || !(facts_[id].leads || isProduct(node(id).op))) continue;
    facts_[id].leads = true;
    for (int32_t input : node(id).inputs) facts_[input].leads = true;
  }
  auto follows = [&](int32_t id) { return facts_[id].follows; };
  auto isOutside = [&](int32_t id) {
    return !isStack(id) || isInput(id) || facts_[id].leads || follows(id);
  };
  for (int32_t id = 0; id < count(); ++id) {
    if (!isStack(id)) continue;
    const Node& n = node(id);
    // A slice after a product is read where it lies, in the body: outside it would be an array.
    bool stays = n.op == OpId::slice && !facts_[id].leads;
    bool can = !stays && std::ranges::any_of(n.inputs, follows) &&
               std::ranges::all_of(n.inputs, isOutside);
    facts_[id].follows = isProduct(n.op) || can;
  }
}

/// From what is carried and collected down to what is computed outside.
void Hoister::findNeeded(std::span<const int32_t> nexts) {
  for (int32_t next : nexts) {
    if (next >= 0) facts_[next].needed = true;
  }
  for (size_t i = 0; i < old_.outputs().size(); ++i) {
    int32_t id = old_.outputs()[i];
    if (!(leaves(id) && isStack(id))) facts_[id].needed = true;
  }
  for (int32_t id = count() - 1; id >= 0; --id) {
    if (!facts_[id].needed || (leaves(id) && !isFree(id))) continue;
    for (int32_t input : node(id).inputs) facts_[input].needed = true;
  }
}

void Hoister::computeOutside() {
  for (int32_t id = 0; id < count(); ++id) {
    Facts& f = facts_[id];
    if (isInput(id)) {
      f.outside = loop_.outside[numberOf(id)];
    } else if (f.depends == kNothing) {
      std::vector<Value> in;
      for (int32_t input : node(id).inputs) in.push_back(facts_[input].outside);
      f.outside = graph_.again(node(id), in);
    } else if (leaves(id)) {
      f.outside = stack(node(id), operandsOf(id), loop_.trips);
    }
  }
}

Value Hoister::addInput(LoopInput kind, Value outside, const Type& type) {
  Value inside = body_->input(type);
  inputs_.push_back({inside.id, kind, outside});
  return inside;
}

/// What is computed outside, in the new body.
Value Hoister::importOf(int32_t id) {
  const Facts& f = facts_[id];
  if (f.depends == kNothing) return body_->capture(f.outside);
  LoopInput kind = f.depends == kSlices ? LoopInput::kScanned : LoopInput::kScannedReversed;
  return addInput(kind, f.outside, node(id).type);
}

void Hoister::rebuild(const std::vector<int32_t>& nexts) {
  body_ = std::make_shared<Graph>(&graph_);
  // In their order, which is that of the results.
  for (int32_t id : old_.inputs()) {
    if (facts_[id].depends == kCarried)
      facts_[id].inside = addInput(LoopInput::kCarried, facts_[id].outside, node(id).type);
  }
  for (int32_t id = 0; id < count(); ++id) {
    Facts& f = facts_[id];
    if (!f.needed || f.inside) continue;
    if (isInput(id) || (leaves(id) && !isFree(id))) {
      f.inside = importOf(id);
      continue;
    }
    std::vector<Value> in;
    for (int32_t input : node(id).inputs) in.push_back(facts_[input].inside);
    f.inside = node(id).op == OpId::constant ? body_->again(node(id), {})
                                             : emit(node(id).op, in, node(id).attrs);
  }
  for (int32_t id : old_.inputs()) {
    int32_t next = nexts[numberOf(id)];
    if (next >= 0) body_->assign(facts_[id].inside, facts_[next].inside);
  }
}

std::vector<Value> Hoister::run() {
  for (int32_t id = 0; id < count(); ++id) findDepends(id);
  findProducts();
  std::vector<int32_t> nexts = nextsOf(old_);
  findNeeded(nexts);
  std::vector<Value> stacks(old_.outputs().size());
  auto moves = [&](int32_t id) {
    return leaves(id) && !isInput(id) && node(id).op != OpId::constant;
  };
  bool any = false;
  for (int32_t id = 0; id < count(); ++id) any = any || moves(id);
  if (!any) return stacks;

  computeOutside();
  rebuild(nexts);
  std::vector<int32_t> reversed;
  for (size_t i = 0; i < stacks.size(); ++i) {
    int32_t id = old_.outputs()[i];
    // What is stacked in the other direction than it is scanned stays.
    bool isReversed = facts_[id].depends == kReversedSlices;
    if (leaves(id) && isStack(id) && isReversed == (loop_.reversed[i] != 0)) {
      stacks[i] = facts_[id].outside;
      continue;
    }
    Value inside = facts_[id].inside ? facts_[id].inside : importOf(id);
    body_->output(inside);
    reversed.push_back(loop_.reversed[i]);
  }
  loop_.body = body_;
  loop_.reversed = std::move(reversed);
  size_t inputs = body_->inputs().size();
  loop_.kinds.assign(inputs, LoopInput::kCaptured);
  loop_.outside.assign(inputs, Value{});
  auto indexOf = [&](int32_t id) { return body_->nodes()[id].attrs.as<InputAttrs>().index; };
  for (const Graph::Capture& c : body_->captures())
    loop_.outside[indexOf(c.inside)] = {&graph_, c.outside};
  for (const Input& input : inputs_) {
    loop_.kinds[indexOf(input.inside)] = input.kind;
    loop_.outside[indexOf(input.inside)] = input.outside;
  }
  return stacks;
}

}  // namespace

std::vector<Value> hoist(Graph& graph, LoopParts& loop) { return Hoister(graph, loop).run(); }

}  // namespace fjord
