// Any description of a model: one that is taken predicts a sample in the shape that it promised, and
// trains on it; one that is not says why. Bytes that begin with a brace are the description as text;
// others choose layers, which of them feed which, and arguments from the tables of the layers.
#include <cstdlib>
#include <span>

#include "nn/layers.h"
#include "nn/model.h"
#include "testing/fuzz_bytes.h"

using namespace fjord;

namespace {

/// What a model may have and an input reach the end in time under sanitizers: elements of weights,
/// bytes of a step, and how often weights and step meet.
constexpr int64_t kMostWeights = 1'000'000, kMostBytes = int64_t{1} << 24,
                  kMostWork = int64_t{1} << 28;

Json listOf(Bytes& bytes, int most, auto item) {
  Json list = Json::array();
  for (int i = bytes.next() % (most + 1); i > 0; --i) list.push_back(item());
  return list;
}

/// Mostly small, so that models come about.
Json whole(Bytes& bytes) {
  constexpr double kOdd[] = {-1, 0, 255, 65536, 2147483647, -2147483648.0, 1e300, 2.5};
  uint8_t b = bytes.next();
  return b < 240 ? 1 + b % 5 : kOdd[b % std::size(kOdd)];
}

Json number(Bytes& bytes) {
  constexpr double kNumbers[] = {0.1, 0, 0.5, 1, 0.9, 2, 1e-7, -0.5, 1e30, 1e-30, -1, 3e38};
  return bytes.of(kNumbers);
}

Json described(Bytes& bytes) {
  constexpr const char* kNames[] = {"relu",    "softmax", "tanh",     "sigmoid",   "linear",
                                    "gelu",    "zeros",   "ones",     "he_normal", "orthogonal",
                                    "l2",      "l1",      "max_norm", "non_neg",   "glorot_uniform",
                                    "float32", "int32",   "nobody"};
  const char* name = bytes.of(kNames);
  if (bytes.next() % 4) return name;
  return {{"class_name", name}, {"config", Json::object()}};
}

/// One of "a|b|c".
std::string partOf(Bytes& bytes, std::string_view list) {
  for (int skip = bytes.next() % 4; skip > 0 && list.find('|') != list.npos; --skip)
    list.remove_prefix(list.find('|') + 1);
  return std::string(list.substr(0, list.find('|')));
}

Json layer(Bytes& bytes, const LayerRow& row, int depth);

Json value(Bytes& bytes, const Argument& a, int depth) {
  auto some = [&] { return whole(bytes); };
  switch (a.kind) {
    case Argument::kFlag:
      return bytes.next() % 2 == 0;
    case Argument::kWhole:
      return some();
    case Argument::kNumber:
      return number(bytes);
    case Argument::kChoice:
      return partOf(bytes, a.text);
    case Argument::kPerAxis:
    case Argument::kWholes:
    case Argument::kShape:
    case Argument::kBorders:
      return bytes.next() % 2 ? some() : listOf(bytes, 4, some);
    case Argument::kNumbers:
      return listOf(bytes, 4, [&] { return number(bytes); });
    case Argument::kOnly:
      return parseJson(partOf(bytes, a.text)).value_or(nullptr);
    case Argument::kJson:
      // A layer within a layer, or the axes that some layers take.
      if (bytes.next() % 2 && depth > 0) {
        std::span<const LayerRow> rows = layerRows();
        return layer(bytes, rows[bytes.next() % rows.size()], depth - 1);
      }
      return bytes.next() % 2 ? some() : listOf(bytes, 3, some);
    default:
      return described(bytes);
  }
}

/// The arguments that are needed, and some of the others.
void addArguments(Bytes& bytes, std::span<const Argument> table, int depth, Json& config) {
  for (const Argument& a : table) {
    if (a.kind == Argument::kAlso) {
      addArguments(bytes, {a.rows, a.rowCount}, depth, config);
    } else if (a.needed || bytes.next() % 4 == 1) {
      config[partOf(bytes, a.name)] = value(bytes, a, depth);
    }
  }
}

Json layer(Bytes& bytes, const LayerRow& row, int depth) {
  Json config = Json::object();
  addArguments(bytes, row.arguments, depth, config);
  return {{"class_name", row.className}, {"config", config}};
}

/// A graph of a few layers, each of which takes what earlier ones give.
Json model(Bytes& bytes) {
  Json shape = Json::array({nullptr});
  for (int rank = bytes.next() % 4; rank >= 0; --rank) shape.push_back(1 + bytes.next() % 6);
  Json layers = Json::array({{{"class_name", "InputLayer"},
                              {"name", "0"},
                              {"config", {{"name", "0"}, {"batch_input_shape", shape}}},
                              {"inbound_nodes", Json::array()}}});
  std::span<const LayerRow> rows = layerRows();
  int count = 1 + bytes.next() % 4;
  for (int i = 1; i <= count; ++i) {
    const LayerRow& row = rows[bytes.next() % rows.size()];
    Json one = layer(bytes, row, 1), inputs = Json::array();
    std::string name = cat(i);
    one["name"] = one["config"]["name"] = name;
    for (int k = row.inputs > 0 ? row.inputs : 2; k > 0; --k)
      inputs.push_back(Json::array({cat(i - 1 - bytes.next() % i % 2), 0, 0, Json::object()}));
    one["inbound_nodes"] = Json::array({inputs});
    layers.push_back(one);
  }
  Json ends = Json::array({Json::array({"0", 0, 0})});
  Json outputs = Json::array({Json::array({cat(count), 0, 0})});
  return {
      {"class_name", "Functional"},
      {"config",
       {{"name", "m"}, {"layers", layers}, {"input_layers", ends}, {"output_layers", outputs}}}};
}

/// Now and then a model of models, some of which are the same.
Json nested(Bytes& bytes) {
  Json inner = model(bytes);
  if (bytes.next() % 4) return inner;
  Json list = Json::array();
  for (int i = bytes.next() % 3; i >= 0; --i) {
    Json one = bytes.next() % 2 ? inner : model(bytes);
    if (bytes.next() % 2) one["shared_object_id"] = bytes.next() % 2;
    list.push_back(one);
  }
  return {{"class_name", "Sequential"}, {"config", {{"name", "outer"}, {"layers", list}}}};
}

/// Numbers of either sign, and small whole ones.
Result<Tensor> filled(const Type& type) {
  FJORD_TRY(Tensor t, Tensor::empty(type));
  for (int64_t i = 0; i < t.size(); ++i) {
    if (type.dtype == DType::kF32) {
      t.data<float>()[i] = static_cast<float>(i * 7 % 13 - 6) / 8;
    } else {
      t.data<int32_t>()[i] = static_cast<int32_t>(i % 2);
    }
  }
  return t;
}

void demand(bool truth) {
  if (!truth) std::abort();
}
template <class T>
bool worked(const Result<T>& result) {
  demand(result || !result.error().message.empty());
  return result.has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Threads threads(1);
  Bytes bytes{{data, size}};
  bool isText = size > 0 && data[0] == '{';
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Result<Json> json = isText ? parseJson(text) : nested(bytes);
  if (!worked(json)) return 0;

  int64_t elements = 0;
  auto weights = [&](const std::string& name, const Shape& shape) -> Result<Tensor> {
    elements += shape.size();
    if (elements > kMostWeights) return fail("the weight ", name, " is too large for this test");
    return filled({DType::kF32, shape});
  };
  auto made = Model::fromJson(*json, threads, {.seed = 1, .weights = weights});
  if (!worked(made)) return 0;
  Model& model = **made;
  auto isSmall = [&](Model::Mode mode) {
    Result<StepMemory> memory = model.stepMemory(mode, 1);
    return worked(memory) && memory->total() <= kMostBytes &&
           memory->total() * std::max<int64_t>(1, elements) <= kMostWork;
  };
  if (!isSmall(Model::kPredict)) return 0;

  std::vector<Tensor> x;
  for (Type type : model.inputTypes()) {
    constexpr int32_t kOpen = 3;
    for (int i = 0; i < type.shape.rank(); ++i)
      if (type.shape[i] < 0) type.shape[i] = i == 0 ? 1 : kOpen;
    if (type.shape.size() > kMostWeights) return 0;
    Result<Tensor> sample = filled(type);
    if (!worked(sample)) return 0;
    x.push_back(*sample);
  }
  Result<std::vector<Tensor>> said = model.predict(x);
  if (!worked(said)) return 0;
  std::vector<Type> promised = model.outputTypes();
  demand(said->size() == promised.size());
  if (!model.isBySample()) {
    demand(!worked(model.compile({{"optimizer", "sgd"}, {"loss", "meanSquaredError"}})));
    return 0;
  }
  std::vector<Tensor> y;
  for (size_t i = 0; i < promised.size(); ++i) {
    const Shape& shape = (*said)[i].shape();
    demand(shape.rank() == promised[i].shape.rank() && shape[0] == 1);
    for (int axis = 1; axis < shape.rank(); ++axis)
      demand(promised[i].shape[axis] < 0 || promised[i].shape[axis] == shape[axis]);
    Result<Tensor> label = filled({DType::kF32, shape});
    if (!worked(label)) return 0;
    y.push_back(*label);
  }

  if (!worked(model.compile({{"optimizer", "sgd"}, {"loss", "meanSquaredError"}}))) return 0;
  if (!isSmall(Model::kTrain)) return 0;
  Totals totals;
  worked(model.run(Model::kTrain, {.x = x, .y = y}, totals));
  return 0;
}
