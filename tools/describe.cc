// Prints the tables of ops and layers as JSON: what the JavaScript bindings and the documentation
// are generated from.
#include <algorithm>
#include <cstdio>
#include <set>

#include "argument_docs.h"
#include "base/alternatives.h"
#include "nn/activations.h"
#include "nn/fit.h"
#include "nn/layers.h"
#include "nn/losses.h"
#include "nn/metrics.h"
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
  void operator()(const char* name, const FillMode&) { add(name, "fill", "constant"); }
  void operator()(const char* name, const Pair& v) { add(name, "pair", Json::array({v.h, v.w})); }
  void operator()(const char* name, const Padding&) { add(name, "padding", "valid"); }
  void operator()(const char* name, const ShortText& v) {
    add(name, "text", std::string(v.view()));
  }
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

// ---- arguments

std::set<const ArgumentDoc*> used;
std::string missing;

/// What an argument means: in its owner's words, or those that all have.
std::string_view wordsOf(std::string_view owner, std::string_view argument) {
  for (std::string_view one : {owner, std::string_view("*")}) {
    const ArgumentDoc* doc = std::ranges::find_if(kArgumentDocs, [&](const ArgumentDoc& d) {
      return d.argument == argument && std::ranges::count(alternatives(d.owner), one);
    });
    if (doc == std::end(kArgumentDocs)) continue;
    used.insert(doc);
    return doc->words;
  }
  missing += cat(missing.empty() ? "" : ", ", owner, " ", argument);
  return "";
}

const char* kindOf(Argument::Kind kind) {
  constexpr const char* kNames[] = {"flag",      "whole",    "number", "text",        "choice",
                                    "perAxis",   "wholes",   "shape",  "borders",     "numbers",
                                    "oneOrMore", "interval", "texts",  "textsByName", "described",
                                    "json",      "only",     "also"};
  return kNames[kind];
}

Json fallbackOf(const Argument& a) {
  if (a.kind == Argument::kFlag) return a.fallback != 0;
  if (a.kind == Argument::kChoice) return alternatives(a.text)[0];
  if (a.kind == Argument::kText || a.kind == Argument::kDescribed)
    return a.text ? Json(a.text) : Json();
  return a.fallback == a.fallback ? Json(a.fallback) : Json();
}

/// What may be given, but for what is only put up with.
void addArguments(std::string_view owner, std::span<const Argument> table, Json& list) {
  for (const Argument& a : table) {
    if (a.kind == Argument::kAlso) {
      addArguments(owner, {a.rows, a.rowCount}, list);
      continue;
    }
    if (a.kind == Argument::kOnly) continue;
    std::vector<std::string_view> names = alternatives(a.name);
    Json j = {{"names", names},
              {"kind", kindOf(a.kind)},
              {"needed", a.needed},
              {"default", fallbackOf(a)},
              {"words", wordsOf(owner, names[0])}};
    if (a.kind == Argument::kChoice) j["choices"] = alternatives(a.text);
    list.push_back(j);
  }
}
Json argumentsOf(std::string_view owner, std::span<const Argument> table) {
  Json list = Json::array();
  addArguments(owner, table, list);
  return list;
}

Json describeTables() {
  Json tables = Json::object();
  for (const Table& table : {initializerTable(), regularizerTable(), constraintTable(),
                             callbackTable(), scheduleTable()}) {
    Json rows = Json::array();
    for (const Named& row : table.rows)
      rows.push_back(
          {{"name", firstName(row)}, {"arguments", argumentsOf(firstName(row), row.arguments)}});
    tables[std::string(table.what)] = rows;
  }
  return tables;
}

/// All names of all rows.
Json namesOf(const Table& table) {
  Json names = Json::array();
  for (const Named& row : table.rows) {
    for (std::string_view name : alternatives(row.name)) names.push_back(name);
  }
  return names;
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
    layers.push_back({{"className", row.className},
                      {"name", row.name},
                      {"inputs", row.inputs},
                      {"arguments", argumentsOf(row.className, row.arguments)}});
  Json refused = Json::object();
  for (const RefusedLayers& row : refusedLayers()) {
    for (std::string_view name : alternatives(row.classNames))
      refused[std::string(name)] = row.reason;
  }
  for (std::string_view name : activationNames()) activations.push_back(name);
  for (const OptimizerRow& row : optimizerRows())
    optimizers.push_back({{"name", row.name}, {"rate", row.rate}});
  return {{"ops", ops},
          {"layers", layers},
          {"everyLayer", argumentsOf("", everyLayer())},
          {"refusedLayers", refused},
          {"activations", activations},
          {"optimizers", optimizers},
          {"losses", namesOf(lossTable())},
          {"metrics", namesOf(metricTable())},
          {"tables", describeTables()}};
}

}  // namespace
}  // namespace fjord

int main() {
  std::string text = fjord::describe().dump(1);
  for (const fjord::ArgumentDoc& doc : fjord::kArgumentDocs) {
    if (!fjord::used.contains(&doc))
      fjord::missing += fjord::cat(fjord::missing.empty() ? "" : ", ", "no argument ", doc.owner,
                                   " ", doc.argument);
  }
  if (!fjord::missing.empty()) {
    std::fprintf(stderr, "describe: tools/argument_docs.h lacks words: %s\n",
                 fjord::missing.c_str());
    return 1;
  }
  std::puts(text.c_str());
  return 0;
}
