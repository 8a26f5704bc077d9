// Transposes meet: those of layers that compute with channels last, in a model whose channels come
// first, stand in pairs around elementwise work. A transpose is put off past what can as well be
// computed before it, until it meets its inverse and both are gone, or something has to see its result.
//
// It is put off past elementwise ops, concatenations, slices and paddings. Operands of such an op that
// have no transpose get the inverse of it. Whether all that is for the better is counted at the end:
// the elements of all transposes, before and after.
#include <algorithm>

#include "ops/op.h"
#include "plan/copier.h"
#include "plan/plan.h"

namespace fjord {

namespace {

/// A value: transpose(base, perm), or base itself where there is no perm.
struct Moved {
  Value base;
  Shape perm = {};
};

/// Axis i of the second of two transposes, one after the other, is this axis of what the first reads.
Shape afterOneAnother(const Shape& first, const Shape& second) {
  if (first.empty()) return second;
  Shape both;
  for (int32_t axis : second) both.push(first[axis]);
  return both;
}
bool isIdentity(const Shape& perm) {
  for (int i = 0; i < perm.rank(); ++i) {
    if (perm[i] != i) return false;
  }
  return true;
}
Shape inverseOf(const Shape& perm) {
  Shape inverse = perm;
  for (int i = 0; i < perm.rank(); ++i) inverse[perm[i]] = i;
  return inverse;
}
/// Entries that stand for the axes of the transpose's result, in the order of what it reads; `each` of
/// them stand together.
template <int N>
Ints<N> beforeTranspose(const Ints<N>& entries, const Shape& perm, int each = 1) {
  Ints<N> out = entries;
  for (int i = 0; i < perm.rank(); ++i) {
    for (int k = 0; k < each; ++k) out[perm[i] * each + k] = entries[i * each + k];
  }
  return out;
}

/// The elements that live transposes move.
int64_t elementsMoved(const Graph& graph) {
  Liveness liveness(graph);
  int64_t elements = 0;
  for (int32_t id = 0; id < static_cast<int32_t>(graph.nodes().size()); ++id) {
    const Node& n = graph.nodes()[id];
    if (n.op == OpId::transpose && liveness.isLive(id)) elements += n.type.shape.size();
  }
  return elements;
}

class Meeting {
 public:
  Meeting(const Graph& graph, Graph& out) : graph_(graph), out_(out), copier_(graph, out) {}

  void run() {
    Liveness liveness(graph_);
    copier_.addInputs();
    moved_.resize(graph_.nodes().size());
    for (int32_t id = 0; id < static_cast<int32_t>(graph_.nodes().size()); ++id) {
      const Node& n = graph_.nodes()[id];
      if (!liveness.isLive(id) && n.op != OpId::input) continue;
      copier_.comesTo(id);
      moved_[id] = meet(n);
    }
    for (int32_t id : graph_.outputs()) out_.output(plain(id));
    for (const Assignment& a : graph_.assignments()) out_.assign(plain(a.input), plain(a.value));
  }

 private:
  static Value plain(const Moved& m) {
    return m.perm.empty() ? m.base : transpose(m.base, {.perm = m.perm});
  }
  Value plain(int32_t id) { return plain(moved_[id]); }

  Moved meet(const Node& n) {
    if (n.op == OpId::transpose) return meetTranspose(n);
    const Shape* perm = permOf(n);
    if (perm && opInfo(n.op).kind == OpKind::kElementwise) return putOff(n, *perm, n.attrs);
    if (perm && n.op == OpId::concat) {
      ConcatAttrs a = n.attrs.as<ConcatAttrs>();
      a.axis = (*perm)[axisOf(a.axis, perm->rank())];
      return putOff(n, *perm, Attrs::of(a));
    }
    if (perm && n.op == OpId::slice) {
      SliceAttrs a = n.attrs.as<SliceAttrs>();
      return putOff(
          n, *perm,
          Attrs::of(SliceAttrs{beforeTranspose(a.begin, *perm), beforeTranspose(a.size, *perm)}));
    }
    if (perm && n.op == OpId::pad) {
      PadAttrs a = n.attrs.as<PadAttrs>();
      a.paddings = beforeTranspose(a.paddings, *perm, 2);
      return putOff(n, *perm, Attrs::of(a));
    }
    std::vector<Value> inputs;
    for (int32_t input : n.inputs) inputs.push_back(plain(input));
    return {copier_.again(n, std::move(inputs))};
  }

  Moved meetTranspose(const Node& n) {
    Shape perm = n.attrs.as<TransposeAttrs>().perm;
    int rank = n.type.shape.rank();
    for (int32_t& axis : perm) axis = axisOf(axis, rank);
    for (int i = rank - 1; perm.rank() < rank; --i) perm.push(i);
    const Moved& in = moved_[n.inputs[0]];
    Shape both = afterOneAnother(in.perm, perm);
    return isIdentity(both) ? Moved{in.base} : Moved{in.base, both};
  }

  /// The transpose before an operand, of an elementwise op one that is as large as the result.
  const Shape* permOf(const Node& n) const {
    bool isElementwise = opInfo(n.op).kind == OpKind::kElementwise;
    for (int32_t input : n.inputs) {
      bool isLarge = !isElementwise || graph_.nodes()[input].type.shape == n.type.shape;
      if (isLarge && !moved_[input].perm.empty()) return &moved_[input].perm;
    }
    return nullptr;
  }

  /// The op on what comes before the transpose.
  Moved putOff(const Node& n, const Shape& given, const Attrs& attrs) {
    Shape perm = given;
    std::vector<Value> inputs;
    for (int32_t input : n.inputs) inputs.push_back(before(moved_[input], perm));
    return {emit(n.op, inputs, attrs), perm};
  }

  /// What this transpose would make the value of.
  Value before(const Moved& m, const Shape& perm) {
    if (m.perm == perm) return m.base;
    Value v = plain(m);
    if (v.shape().rank() == 0) return v;
    Shape full = Shape::filled(perm.rank(), 1);
    for (int i = 1; i <= v.shape().rank(); ++i) full[-i] = v.shape()[-i];
    // Of one axis that is longer than 1 the elements stay where they are.
    if (std::ranges::count_if(full, [](int32_t d) { return d != 1; }) <= 1)
      return reshape(v, {.shape = beforeTranspose(full, perm)});
    return transpose(reshape(v, {.shape = full}), {.perm = inverseOf(perm)});
  }

  const Graph& graph_;
  Graph& out_;
  Copier copier_;
  std::vector<Moved> moved_;
};

}  // namespace

bool meetTransposes(const Graph& graph, Graph& out) {
  // One alone has nothing to meet.
  if (std::ranges::count(graph.nodes(), OpId::transpose, &Node::op) < 2) return false;
  Meeting(graph, out).run();
  return out.status() && elementsMoved(out) < elementsMoved(graph);
}

}  // namespace fjord
