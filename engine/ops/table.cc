// The table of all ops, from the lists.
#include "ops/op.h"

namespace fjord {

#define UNARY(name, ...) extern const OpInfo name##Info;
#define BINARY(name, ...) extern const OpInfo name##Info;
#define TERNARY(name, ...) extern const OpInfo name##Info;
#include "ops/elementwise.inc"
#undef UNARY
#undef BINARY
#undef TERNARY
#define OP(Name, name, arity, attrs) extern const OpInfo name##Info;
#define COMPOSED OP
#include "ops/all.inc"
#undef OP
#undef COMPOSED
extern const OpInfo castInfo;

namespace {

constinit const OpInfo inputInfo{.name = "input", .kind = OpKind::kSource};
constinit const OpInfo constantInfo{.name = "constant", .kind = OpKind::kSource};

struct Row {
  const OpInfo* info;
  int arity;
};

constexpr int N = -1;
constexpr Row kTable[] = {
    {&inputInfo, 0},
    {&constantInfo, 0},
    {&castInfo, 1},
#define UNARY(name, ...) {&name##Info, 1},
#define BINARY(name, ...) {&name##Info, 2},
#define TERNARY(name, ...) {&name##Info, 3},
#include "ops/elementwise.inc"
#undef UNARY
#undef BINARY
#undef TERNARY
#define OP(Name, name, arity, attrs) {&name##Info, arity},
#define COMPOSED OP
#include "ops/all.inc"
#undef OP
#undef COMPOSED
};
static_assert(std::size(kTable) == static_cast<size_t>(OpId::kCount));

}  // namespace

const OpInfo& opInfo(OpId id) { return *kTable[static_cast<int>(id)].info; }
int opArity(OpId id) { return kTable[static_cast<int>(id)].arity; }

OpId opNamed(std::string_view name) {
  for (int i = 0; i < static_cast<int>(OpId::kCount); ++i) {
    if (kTable[i].info->name == name) return static_cast<OpId>(i);
  }
  return OpId::kCount;
}

}  // namespace fjord
