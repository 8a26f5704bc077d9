// Graphs below the kernels: this program is linked from engine/base, engine/ir and the table of ops
// below, and from nothing else. If a symbol of ir/ were defined above it, in ops/ or plan/, the linker
// would say so. The table is all that ir/ asks for: who uses it fills one.
#include <cstdio>

#include "ir/graph.h"
#include "ir/loop.h"
#include "ir/op.h"

namespace fjord {

namespace {

Result<Type> sameType(std::span<const Type> in, const Attrs&) { return in[0]; }

/// y = op(x): d x = op(d y).
std::vector<Value> again(const GradCall& g, const Attrs&) {
  return {emit(OpId::neg, {{g.dy}}, {})};
}

void noTile(void*, const void* const*, int) {}

constinit const OpInfo inputRow{.name = "input", .kind = OpKind::kSource};
constinit const OpInfo loopRow{.name = "loop", .kind = OpKind::kSeveral, .results = typesOfLoop};
constinit const OpInfo otherRow{.name = "other", .type = sameType};
constinit const OpInfo elementwiseRow{.name = "elementwise",
                                      .kind = OpKind::kElementwise,
                                      .row = RowKind::kNumber,
                                      .tileF32 = noTile,
                                      .tileI32 = noTile};
constinit const OpGradient gradient{.grad = again};

}  // namespace

const OpInfo& opInfo(OpId id) {
  if (id == OpId::input || id == OpId::constant) return inputRow;
  if (id == OpId::loop || id == OpId::result) return loopRow;
  return id == OpId::add ? elementwiseRow : otherRow;
}
const OpGradient& opGradient(OpId) { return gradient; }
int opArity(OpId id) { return id == OpId::loop ? -1 : id == OpId::add ? 2 : 1; }
OpId opNamed(std::string_view) { return OpId::kCount; }

}  // namespace fjord

int main() {
  using namespace fjord;
  Graph graph;
  Value x = graph.input({DType::kF32, {4, 3}}), h0 = graph.input({DType::kF32, {3}});
  LoopBuilder loop(graph, 4);
  Value row = loop.scan(x), h = loop.carry(h0);
  loop.next(h, neg(h));
  loop.collect(neg(row));
  std::vector<Value> r = loop.finish();
  std::vector<Value> d = grad(r[0], {{h0}}, h0);
  bool right =
      graph.status() && r.size() == 2 && r[1].shape() == Shape{4, 3} && d[0].shape() == Shape{3};
  std::puts(right ? "graphs, loops and gradients are linked without the kernels"
                  : graph.status().error().message.c_str());
  return right ? 0 : 1;
}
