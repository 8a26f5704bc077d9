#include "nn/layers.h"

#include <algorithm>
#include <initializer_list>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;

namespace {

// Types that are computed with. Half precision is a way to compute faster: float32 does the same,
// more exactly; whole numbers and truths are int32 and float32.
constexpr std::string_view kTypes[] = {"float32",        "int32", "bool",  "float16",
                                       "bfloat16",       "int64", "uint8", "mixed_float16",
                                       "mixed_bfloat16", "int8"};

/// "float32", or {"class_name": "DTypePolicy", "config": {"name": "float32"}}.
std::string typeName(const Json& dtype) {
  return dtype.is_object()   ? stringOr(member(dtype, "config"), "name", "")
         : dtype.is_string() ? dtype.get<std::string>()
                             : "";
}
Status checkType(const Json& dtype) {
  if (std::ranges::find(kTypes, typeName(dtype)) != std::end(kTypes)) return {};
  return fail("must be float32, int32, bool or a type that these stand for, got ", shown(dtype));
}

constexpr Argument kEveryLayer[] = {
    text("name"),
    flag("trainable", true),
    json("dtype", checkType),
    shape("batch_input_shape"),
    shape("batch_shape"),
    shape("input_shape"),
    shape("input_dim"),
    whole("batch_size", kCount),
    json("input_dtype", checkType),
    described("activity_regularizer", checkRegularizer),
    only("weights", ""),
    only("autocast", "true|false"),
    only("dynamic", "false"),
    only("sparse", "false"),
    only("ragged", "false"),
    only("quantization_config", ""),
};

std::vector<LayerRow> joined() {
  std::vector<LayerRow> all;
  for (auto part : {coreLayers(), noiseLayers(), shapeLayers(), convolutionLayers(),
                    normalizationLayers(), mergeLayers(), imageLayers(), encodingLayers()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

// ---- what layers share

namespace layer_parts {

Value weightOf(LayerContext& c, const Fields& f, std::string_view name, std::string prefix,
               const Shape& shape) {
  return c.weight(name, shape, f.json((prefix + "_initializer").c_str()), true,
                  f.json((prefix + "_regularizer").c_str()),
                  f.json((prefix + "_constraint").c_str()));
}

bool isImage(Value x) {
  if (x && x.shape().rank() == 4) return true;
  if (x) x.graph->fail(cat("needs an image batch [N,H,W,C], got ", x.type()));
  return false;
}

bool isAxis(Value x, const char* name, int32_t& axis) {
  int rank = x.shape().rank();
  if (axis < -rank || axis >= rank) {
    x.graph->fail(cat(name, " must be from ", -rank, " to ", rank - 1, ", got ", axis));
    return false;
  }
  if (axis < 0) axis += rank;
  return true;
}

namespace {

/// The layer that an activation is. One with an activation that is a layer again is one too many.
const LayerRow* layerAsActivation(const Json& activation) {
  std::optional<Choice> choice = choiceOf(activation);
  const LayerRow* row = choice && activation.is_object() ? findLayer(choice->name) : nullptr;
  bool isPlain =
      row && row->build && row->inputs == 1 && !member(choice->config, "activation").is_object();
  return isPlain ? row : nullptr;
}

}  // namespace

Status checkLayerOrActivation(const Json& activation) {
  const LayerRow* row = layerAsActivation(activation);
  if (!row) return checkActivation(activation);
  FJORD_CHECK(layerFields(*row, configOf(activation)));
  return {};
}

Value activated(LayerContext& c, const Json& activation, Value x) {
  const LayerRow* row = layerAsActivation(activation);
  if (!x || !row) return activate(x, activation);
  LayerOutputs y = callLayer(*row, c, configOf(activation), {{{x}}});
  return y ? y.values[0] : Value{};
}

Value finished(LayerContext& c, const Fields& f, Value x) {
  if (!x) return x;
  if (f.flag("use_bias")) x = x + weightOf(c, f, "bias", "bias", {x.shape()[-1]});
  return activated(c, f.json("activation"), x);
}

}  // namespace layer_parts

// ---- the table

std::span<const LayerRow> layerRows() {
  static const std::vector<LayerRow> rows = joined();
  return rows;
}

const LayerRow* findLayer(std::string_view className) {
  std::span<const LayerRow> rows = layerRows();
  auto row = std::ranges::find(rows, className, &LayerRow::className);
  return row == rows.end() ? nullptr : &*row;
}

namespace {

constexpr RefusedLayers kRefused[] = {
    {"Lambda", "its function is a program in Python"},
    {"Hashing|HashedCrossing|StringLookup|TextVectorization", "the engine has no texts"},
    {"CutMix|MixUp", "it changes labels, too, which a layer does not see"},
    {"MaxNumBoundingBoxes", "the engine has no bounding boxes"},
    {"RandomHeight|RandomWidth", "its outputs have another size at each step"},
};

}  // namespace

std::span<const RefusedLayers> refusedLayers() { return kRefused; }

std::unexpected<Error> unknownLayer(std::string_view className) {
  for (const RefusedLayers& refused : kRefused) {
    if (!className.empty() && isAmong(className, refused.classNames, '|'))
      return fail("the layer ", className, " is not supported: ", refused.reason);
  }
  std::vector<std::string_view> known;
  for (const LayerRow& row : layerRows()) known.push_back(row.className);
  return unknown("layer class", className, std::move(known));
}

Result<Fields> layerFields(const LayerRow& row, const Json& config) {
  if (!row.isHere()) return fail(leftOut(row.className));
  return Fields::of(row.className, row.arguments, kEveryLayer, config);
}

namespace {

bool isMasked(const LayerInputs& inputs) {
  return std::ranges::any_of(inputs.masks, [](Value mask) { return bool(mask); });
}

}  // namespace

LayerOutputs callLayer(const LayerRow& row, LayerContext& context, const Json& config,
                       const LayerInputs& inputs) {
  Graph& graph = *inputs[0].graph;
  size_t needed = row.inputs == 0 ? 1 : row.inputs;
  if (inputs.size() < needed || (row.inputs > 0 && inputs.size() != needed)) {
    graph.fail(
        cat("takes ", row.inputs == 0 ? "at least " : "", needed, " inputs, got ", inputs.size()));
    return {};
  }
  Result<Fields> fields = layerFields(row, config);
  if (!fields) {
    graph.fail(fields.error().message);
    return {};
  }
  if (row.masks == Masks::kRefuse && isMasked(inputs)) {
    graph.fail("it is not supported on inputs with a mask");
    return {};
  }
  if (row.call) return row.call(context, *fields, inputs);
  Value y = row.build(context, *fields, inputs);
  if (!y) return {};
  LayerOutputs outputs{{y}};
  if (row.masks == Masks::kPass && isMasked(inputs)) outputs.masks = {inputs.mask(0)};
  return outputs;
}

std::span<const Argument> everyLayer() { return kEveryLayer; }

DType dtypeOf(const Fields& fields) {
  std::string type = typeName(fields.json("dtype"));
  return type.starts_with("int") || type == "uint8" ? DType::kI32 : DType::kF32;
}

}  // namespace fjord
