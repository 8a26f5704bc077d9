#include "ir/graph_json.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/base64.h"
#include "ir/loop.h"
#include "ir/op.h"

namespace fjord {

namespace {

/// f(attributes as their struct), for an op that can be a node.
template <class F>
void withAttrs(OpId op, const Attrs& attrs, F f) {
  auto as = [&]<class A>(A value) {
    if (attrs.size || attrs.shared) value = attrs.as<A>();
    f(value);
  };
  switch (op) {
#define OP(Name, name, arity, fields) \
  case OpId::name:                    \
    return as(Name##Attrs{});
#define COMPOSED(Name, name, arity, fields)
#include "ir/all.inc"
#undef OP
#undef COMPOSED
    case OpId::cast:
      return as(CastAttrs{});
    case OpId::result:
      return as(ResultAttrs{});
    case OpId::loop:
      return as(LoopAttrs{});
    default:
      return;
  }
}

// ---- writing

Json jsonOf(const Type& type) {
  return {{"dtype", name(type.dtype)},
          {"shape", std::vector<int32_t>(type.shape.begin(), type.shape.end())}};
}

template <class Bits>
std::string hexOf(Bits bits) {
  char digits[16];
  return {digits, std::to_chars(digits, digits + sizeof digits, bits, 16).ptr};
}

Json jsonOf(float v) {
  return std::isfinite(v) ? Json(static_cast<double>(v)) : Json(hexOf(std::bit_cast<uint32_t>(v)));
}
Json jsonOf(double v) {
  return std::isfinite(v) ? Json(v) : Json(hexOf(std::bit_cast<uint64_t>(v)));
}

struct FieldWriter {
  Json& json;

  template <class T>
  void operator()(const char* key, const T& v) const {
    if constexpr (std::is_enum_v<T>) {
      json[key] = static_cast<int>(v);
    } else if constexpr (std::is_floating_point_v<T>) {
      json[key] = jsonOf(v);
    } else {
      json[key] = v;
    }
  }
  void operator()(const char* key, const Pair& v) const { json[key] = {v.h, v.w}; }
  void operator()(const char* key, const Padding& v) const {
    json[key] = {v.kind, v.top, v.bottom, v.left, v.right};
  }
  template <int N>
  void operator()(const char* key, const Ints<N>& v) const {
    json[key] = std::vector<int32_t>(v.begin(), v.end());
  }
  template <class T>
  void operator()(const char* key, const std::vector<T>& v) const {
    json[key] = Json::array();
    for (T entry : v) json[key].push_back(static_cast<int>(entry));
  }
  void operator()(const char* key, const std::shared_ptr<const Graph>& v) const {
    json[key] = toJson(*v);
  }
};

Json jsonOf(const Node& node) {
  Json json = {{"op", opInfo(node.op).name}};
  if (!node.inputs.empty()) json["inputs"] = node.inputs;
  if (node.op == OpId::input) {
    json["type"] = jsonOf(node.type);
    if (node.attrs.as<InputAttrs>().isParameter) json["isParameter"] = true;
  } else if (node.op == OpId::constant) {
    json["dtype"] = name(node.type.dtype);
    json["value"] = jsonOf(node.attrs.as<ConstantAttrs>().value);
  } else if (node.op == OpId::array) {
    json["type"] = jsonOf(node.type);
    json["base64"] =
        base64Of(std::as_bytes(node.attrs.as<ArrayAttrs>().values.span<const uint32_t>()));
  } else {
    Json attrs = Json::object();
    withAttrs(node.op, node.attrs, [&](auto a) { visitAttrs(a, FieldWriter{attrs}); });
    if (!attrs.empty()) json["attrs"] = attrs;
  }
  return json;
}

}  // namespace

Json toJson(const Graph& graph) {
  Json nodes = Json::array(), assignments = Json::array();
  for (const Node& node : graph.nodes()) nodes.push_back(jsonOf(node));
  for (const Assignment& a : graph.assignments()) assignments.push_back({a.input, a.value});
  return {{"nodes", nodes}, {"outputs", graph.outputs()}, {"assignments", assignments}};
}

// ---- reading

namespace {

Result<int32_t> integerOf(const Json& j, int64_t least, int64_t most) {
  if (!j.is_number_integer()) return fail("must be a whole number");
  int64_t v = j.is_number_unsigned() && j.get<uint64_t>() > INT32_MAX ? int64_t{INT32_MAX} + 1
                                                                      : j.get<int64_t>();
  if (v < least || v > most) return fail("must be from ", least, " to ", most);
  return static_cast<int32_t>(v);
}

Result<std::vector<int32_t>> integersOf(const Json& j, int64_t least, int64_t most) {
  if (!j.is_array()) return fail("must be a list of whole numbers");
  std::vector<int32_t> list;
  for (const Json& entry : j) {
    FJORD_TRY(int32_t v, integerOf(entry, least, most));
    list.push_back(v);
  }
  return list;
}

template <class Float, class Bits>
Result<Float> floatOf(const Json& j) {
  if (j.is_number()) return static_cast<Float>(j.get<double>());
  if (!j.is_string()) return fail("must be a number");
  const std::string& text = j.get_ref<const std::string&>();
  Bits bits = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits, 16);
  if (error != std::errc() || end != text.data() + text.size())
    return fail("must be a number, or the hexadecimal digits of one");
  return std::bit_cast<Float>(bits);
}

Result<DType> dtypeOf(const Json& j) {
  for (DType t : {DType::kF32, DType::kI32, DType::kBool}) {
    if (j.is_string() && j.get_ref<const std::string&>() == name(t)) return t;
  }
  return fail("dtype must be \"float32\", \"int32\" or \"bool\"");
}

Result<Type> typeOf(const Json& j) {
  FJORD_TRY(DType dtype, dtypeOf(member(j, "dtype")));
  FJORD_TRY(std::vector<int32_t> sizes, integersOf(member(j, "shape"), 0, INT32_MAX));
  if (sizes.size() > kMaxRank) return fail("shape has more than ", kMaxRank, " axes");
  return Type{dtype, Shape(std::span<const int32_t>(sizes))};
}

Result<Tensor> tensorOf(const Json& j) {
  FJORD_TRY(Type type, typeOf(member(j, "type")));
  FJORD_CHECK(checkShape(type.shape));
  const Json& text = member(j, "base64");
  // Before there is memory for what is not there.
  if (!text.is_string() ||
      static_cast<int64_t>(text.get_ref<const std::string&>().size()) != (type.bytes() + 2) / 3 * 4)
    return fail("base64 must be the ", type.bytes(), " bytes of a ", type);
  FJORD_TRY(Tensor t, Tensor::empty(type));
  if (!fromBase64(text.get_ref<const std::string&>(), std::as_writable_bytes(t.span<uint32_t>())))
    return fail("base64 has other characters");
  for (int64_t i = 0; type.dtype == DType::kBool && i < t.size(); ++i) {
    if (t.data<uint32_t>()[i] > 1) return fail("a bool is 0 or 1");
  }
  return t;
}

/// Takes the fields of an op's attributes; the first that is wrong stays in `status`.
struct FieldReader {
  const Json& json;
  Status& status;
  size_t taken = 0;

  template <class T>
  void set(const char* key, Result<T> value, auto&& assign) {
    if (value) return assign(*value);
    if (status) status = fail(key, " ", value.error().message);
  }
  /// The value of a field, if it is there.
  const Json* find(const char* key) {
    if (!json.is_object() || !json.contains(key)) return nullptr;
    ++taken;
    return &json[key];
  }
  template <class T>
  void whole(const char* key, T& v, int64_t least, int64_t most) {
    if (const Json* j = find(key))
      set(key, integerOf(*j, least, most), [&](int32_t n) { v = static_cast<T>(n); });
  }
  void list(const char* key, int64_t least, int64_t most, auto&& assign) {
    if (const Json* j = find(key)) set(key, integersOf(*j, least, most), assign);
  }
  void numbers(const char* key, std::initializer_list<int32_t*> fields) {
    list(key, INT32_MIN, INT32_MAX, [&](const std::vector<int32_t>& v) {
      if (v.size() != fields.size() && status)
        status = fail(key, " must be ", fields.size(), " numbers");
      for (size_t i = 0; status && i < v.size(); ++i) *fields.begin()[i] = v[i];
    });
  }

  void operator()(const char* key, bool& v) {
    const Json* j = find(key);
    if (j && !j->is_boolean() && status) status = fail(key, " must be true or false");
    if (j && j->is_boolean()) v = j->get<bool>();
  }
  void operator()(const char* key, int32_t& v) { whole(key, v, INT32_MIN, INT32_MAX); }
  void operator()(const char* key, float& v) {
    if (const Json* j = find(key)) set(key, floatOf<float, uint32_t>(*j), [&](float f) { v = f; });
  }
  void operator()(const char* key, DType& v) { whole(key, v, 0, static_cast<int>(DType::kBool)); }
  void operator()(const char* key, MirrorMode& v) { whole(key, v, 0, 1); }
  void operator()(const char* key, FillMode& v) { whole(key, v, 0, 3); }
  void operator()(const char* key, Pair& v) { numbers(key, {&v.h, &v.w}); }
  void operator()(const char* key, Padding& v) {
    numbers(key, {&v.kind, &v.top, &v.bottom, &v.left, &v.right});
    if (status && (v.kind < Padding::kValid || v.kind > Padding::kExplicit))
      status = fail(key, " must be valid (0), same (1) or explicit (2)");
  }
  template <int N>
  void operator()(const char* key, Ints<N>& v) {
    list(key, INT32_MIN, INT32_MAX, [&](const std::vector<int32_t>& list) {
      if (list.size() > N && status) status = fail(key, " has more than ", N, " numbers");
      if (status) v = Ints<N>(std::span<const int32_t>(list));
    });
  }
  void operator()(const char* key, std::vector<int32_t>& v) {
    list(key, 0, 1, [&](const std::vector<int32_t>& list) { v = list; });
  }
  void operator()(const char* key, std::vector<LoopInput>& v) {
    list(key, 0, static_cast<int>(LoopInput::kScannedReversed),
         [&](const std::vector<int32_t>& list) {
           for (int32_t kind : list) v.push_back(static_cast<LoopInput>(kind));
         });
  }
  void operator()(const char* key, std::shared_ptr<const Graph>& v) {
    auto body = std::make_shared<Graph>();
    const Json* j = find(key);
    Status read = j ? readGraph(*j, *body) : fail("is missing");
    if (!read && status) status = fail(key, ": ", read.error().message);
    v = body;
  }
};

Result<Attrs> attrsOf(OpId op, const Json& json) {
  Attrs attrs;
  Status status;
  size_t taken = 0;
  withAttrs(op, {}, [&](auto a) {
    FieldReader reader{json, status};
    visitAttrs(a, reader);
    taken = reader.taken;
    attrs = Attrs::of(a);
  });
  FJORD_CHECK(status);
  if (!json.is_null() && (!json.is_object() || json.size() != taken))
    return fail("attrs has what the op has not");
  return attrs;
}

Result<Value> readNode(const Json& json, Graph& graph) {
  const Json& op = member(json, "op");
  OpId id = op.is_string() ? opNamed(op.get_ref<const std::string&>()) : OpId::kCount;
  if (id == OpId::kCount) return fail("there is no such op: ", jsonText(op));
  if (id == OpId::input) {
    FJORD_TRY(Type type, typeOf(member(json, "type")));
    return boolOr(json, "isParameter", false) ? graph.parameter(type) : graph.input(type);
  }
  if (id == OpId::constant) {
    FJORD_TRY(DType dtype, dtypeOf(member(json, "dtype")));
    FJORD_TRY(double value, (floatOf<double, uint64_t>(member(json, "value"))));
    return graph.constant(value, dtype);
  }
  if (id == OpId::array) {
    FJORD_TRY(Tensor values, tensorOf(json));
    return graph.array(values);
  }
  if (opInfo(id).kind == OpKind::kComposed)
    return fail(opInfo(id).name, " is made of other ops: it is no node");
  int64_t last = static_cast<int64_t>(graph.nodes().size()) - 1;
  FJORD_TRY(std::vector<int32_t> inputs, integersOf(member(json, "inputs"), 0, last));
  if (inputs.empty()) return fail(opInfo(id).name, " needs inputs");
  std::vector<Value> values;
  for (int32_t input : inputs) values.push_back({&graph, input});
  FJORD_TRY(Attrs attrs, attrsOf(id, member(json, "attrs")));
  return emit(id, values, attrs);
}

/// A node that is given by its number.
Result<Value> valueOf(const Json& j, Graph& graph) {
  FJORD_TRY(int32_t id, integerOf(j, 0, static_cast<int64_t>(graph.nodes().size()) - 1));
  if (!graph.nodes()[id].results.empty())
    return fail("graph: node ", id, " has several results: one of them is read");
  return Value{&graph, id};
}

}  // namespace

Status readGraph(const Json& json, Graph& graph) {
  const Json& nodes = member(json, "nodes");
  if (!nodes.is_array()) return fail("graph: nodes must be a list");
  for (size_t i = 0; i < nodes.size(); ++i) {
    Result<Value> value = readNode(nodes[i], graph);
    FJORD_CHECK(graph.status());
    if (!value) return fail("graph: node ", i, ": ", value.error().message);
    if (value->id != static_cast<int32_t>(i) || graph.nodes().size() != i + 1)
      return fail("graph: node ", i, ": another node computes the same");
  }
  for (const Json& output : member(json, "outputs")) {
    FJORD_TRY(Value value, valueOf(output, graph));
    graph.output(value);
  }
  for (const Json& a : member(json, "assignments")) {
    if (!a.is_array() || a.size() != 2) return fail("graph: an assignment is two nodes");
    FJORD_TRY(Value input, valueOf(a[0], graph));
    FJORD_TRY(Value value, valueOf(a[1], graph));
    graph.assign(input, value);
  }
  return graph.status();
}

}  // namespace fjord
