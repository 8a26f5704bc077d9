// The tables of all ops, from the lists.
#include <algorithm>
#include <iterator>

#include "base/parts.h"
#include "ir/loop.h"
#include "ops/op.h"

namespace fjord {

#define EACH_OP(op, arity)              \
  extern const OpInfo op##Info;         \
  extern const OpGradient op##Gradient; \
  extern const OpShaders op##Shaders;
EACH_OP(cast, 1)
#include "ir/each.inc"

namespace {

// What only gradients, and updates by them, are made of.
constexpr std::string_view kOfGradients[] = {
    "conv2dFilter", "depthwiseConv2dInput", "depthwiseConv2dFilter", "maxPoolGrad",
    "avgPoolGrad",  "stridedSliceGrad",     "mirrorPadGrad",         "addRows"};

constexpr bool isOf(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}
constexpr bool isHere(std::string_view name) {
  return hasOp(name) && (kTrains || !isOf(kOfGradients, name));
}

constexpr std::string_view kNames[] = {
#define EACH_OP(op, arity) #op,
#include "ir/each.inc"
};
static_assert(std::ranges::all_of(kOfGradients, [](auto name) { return isOf(kNames, name); }));

// Of ops that this build is without.
#define EACH_OP(op, arity) \
  constinit const OpInfo op##LeftOut{.name = #op, .kind = OpKind::kLeftOut};
#include "ir/each.inc"

// Each table is a constant of its own: one that nothing asks for is not linked, nor what it points to.

struct Row {
  const OpInfo* info;
  int arity;
};
constinit const OpInfo inputInfo{.name = "input", .kind = OpKind::kSource};
constinit const OpInfo constantInfo{.name = "constant", .kind = OpKind::kSource};
constinit const OpInfo arrayInfo{.name = "array", .kind = OpKind::kSource};
constinit const OpInfo loopInfo{.name = "loop", .kind = OpKind::kSeveral, .results = typesOfLoop};
constinit const OpInfo loopLeftOut{.name = "loop", .kind = OpKind::kLeftOut};
constinit const OpInfo resultInfo{.name = "result", .kind = OpKind::kSeveral};
constexpr int N = -1;
constexpr Row kTable[] = {
    {&inputInfo, 0},  {&constantInfo, 0},
    {&arrayInfo, 0},  {kHasLoops ? &loopInfo : &loopLeftOut, N},
    {&resultInfo, 1}, {&castInfo, 1},
#define EACH_OP(op, arity) {isHere(#op) ? &op##Info : &op##LeftOut, arity},
#include "ir/each.inc"
};
static_assert(std::size(kTable) == static_cast<size_t>(OpId::kCount));

constinit const OpGradient noGradient;
constexpr const OpGradient* kGradients[] = {
    &noGradient, &noGradient, &noGradient, &noGradient, &noGradient, &castGradient,
#define EACH_OP(op, arity) isHere(#op) ? &op##Gradient : &noGradient,
#include "ir/each.inc"
};

constinit const OpShaders noShaders;
constexpr const OpShaders* kShaders[] = {
    &noShaders, &noShaders, &noShaders, &noShaders, &noShaders, &castShaders,
#define EACH_OP(op, arity) isHere(#op) ? &op##Shaders : &noShaders,
#include "ir/each.inc"
};

}  // namespace

const OpInfo& opInfo(OpId id) { return *kTable[static_cast<int>(id)].info; }
int opArity(OpId id) { return kTable[static_cast<int>(id)].arity; }
const OpGradient& opGradient(OpId id) { return *kGradients[static_cast<int>(id)]; }
const OpShaders& opShaders(OpId id) { return *kShaders[static_cast<int>(id)]; }

OpId opNamed(std::string_view name) {
  for (int i = 0; i < static_cast<int>(OpId::kCount); ++i) {
    if (kTable[i].info->name == name) return static_cast<OpId>(i);
  }
  return OpId::kCount;
}

}  // namespace fjord
