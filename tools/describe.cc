// Prints the tables of ops and layers as JSON: what the JavaScript bindings and the documentation
// are generated from.
#include <cstdio>

#include "nn/activations.h"
#include "nn/layers.h"
#include "nn/optimizers.h"
#include "ops/op.h"

namespace fjord {

namespace {

/// An attribute's name, type and default, in the words of the bindings.
struct AttrPrinter {
  Json list = Json::array();
  void add(const char* name, const char* type, Json fallback) {
    list.push_back({{"name", name}, {"type", type}, {"default", fallback}});
  }
  void operator()(const char* name, const bool& v) { add(name, "bool", v); }
  void operator()(const char* name, const int32_t& v) { add(name, "int", v); }
  void operator()(const char* name, const float& v) { add(name, "float", v); }
  void operator()(const char* name, const DType& v) { add(name, "dtype", fjord::name(v)); }
  void operator()(const char* name, const MirrorMode&) { add(name, "mirror", "reflect"); }
  void operator()(const char* name, const Pair& v) { add(name, "pair", Json::array({v.h, v.w})); }
  void operator()(const char* name, const Padding&) { add(name, "padding", "valid"); }
  template <int N>
  void operator()(const char* name, const Ints<N>& v) {
    Json values = Json::array();
    for (int32_t i : v) values.push_back(i);
    add(name, "ints", values);
  }
};

template <class A>
Json attrsOf() {
  A attrs;
  AttrPrinter printer;
  visitAttrs(attrs, printer);
  return printer.list;
}

const char* kindOf(const OpInfo& info) {
  switch (info.kind) {
    case OpKind::kElementwise:
      return "elementwise";
    case OpKind::kView:
      return "view";
    case OpKind::kComposed:
      return "composed";
    default:
      return "structured";
  }
}

const char* rowOf(RowKind kind) {
  constexpr const char* kNames[] = {"float",   "number", "whole", "first",  "test",
                                    "compare", "logic",  "bits",  "select", "cast"};
  return kNames[static_cast<int>(kind)];
}

Json describeOp(OpId id, Json attrs) {
  const OpInfo& info = opInfo(id);
  Json j = {{"name", info.name},
            {"number", static_cast<int>(id)},
            {"arity", opArity(id)},
            {"kind", kindOf(info)},
            {"attrs", std::move(attrs)}};
  if (info.kind == OpKind::kElementwise) j["row"] = rowOf(info.row);
  const OpGradient& gradient = opGradient(id);
  j["gradient"] = gradient.grad || info.kind == OpKind::kComposed ? "yes"
                  : gradient.reason.empty()                       ? "zero"
                                                                  : std::string(gradient.reason);
  // What is composed has the GPU form of its parts, and a view needs none.
  std::string_view none = opShaders(id).reason;
  j["gpu"] = none.empty() ? "yes" : std::string(none);
  return j;
}

Json describe() {
  Json ops = Json::array(), layers = Json::array(), activations = Json::array(),
       optimizers = Json::array();
  ops.push_back(describeOp(OpId::cast, attrsOf<CastAttrs>()));
#define UNARY(name, ...) ops.push_back(describeOp(OpId::name, Json::array()));
#define BINARY UNARY
#define TERNARY UNARY
#include "ir/elementwise.inc"
#undef UNARY
#undef BINARY
#undef TERNARY
#define OP(Name, name, arity, attrs) ops.push_back(describeOp(OpId::name, attrsOf<Name##Attrs>()));
#define COMPOSED OP
#include "ir/all.inc"
#undef OP
#undef COMPOSED
  for (const LayerRow& row : layerRows())
    layers.push_back({{"className", row.className}, {"name", row.name}, {"inputs", row.inputs}});
  for (std::string_view name : activationNames()) activations.push_back(name);
  for (const OptimizerRow& row : optimizerRows())
    optimizers.push_back({{"name", row.name}, {"rate", row.rate}});
  return {
      {"ops", ops}, {"layers", layers}, {"activations", activations}, {"optimizers", optimizers}};
}

}  // namespace
}  // namespace fjord

int main() {
  std::puts(fjord::describe().dump(1).c_str());
  return 0;
}
