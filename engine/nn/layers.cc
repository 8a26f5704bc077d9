#include "nn/layers.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

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
  for (auto part :
       {coreLayers(), noiseLayers(), shapeLayers(), convolutionLayers(), poolingLayers(),
        normalizationLayers(), mergeLayers(), recurrentLayers(), convolutionalRecurrentLayers(),
        embeddingLayers(), einsumLayers(), attentionLayers(), spectralLayers(), imageLayers(),
        colorLayers(), equalizingLayers(), augmentingLayers(), encodingLayers(), audioLayers()})
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

std::string nameWithin(const Json& layer, std::vector<std::string>& names) {
  std::string own = canonicalName(stringOr(layer, "class_name", ""));
  std::string name = stringOr(member(layer, "config"), "name", own);
  for (int i = 1; std::ranges::find(names, name) != names.end(); ++i) name = cat(own, "_", i);
  names.push_back(name);
  return name;
}

bool isBatch(Value x, int axes) {
  constexpr std::string_view kBatches[] = {"samples [N,C]", "a batch of steps [N,T,C]",
                                           "an image batch [N,H,W,C]",
                                           "a batch of volumes [N,D,H,W,C]"};
  if (x && x.shape().rank() == axes + 2) return true;
  if (x) x.graph->fail(cat("needs ", kBatches[axes], ", got ", x.type()));
  return false;
}

Value convolve(Value x, Value kernel, const Convolution& a) {
  int axes = a.strides.rank();
  if (axes == 3)
    return conv3d(
        x, kernel,
        {.strides = a.strides, .dilations = a.dilations, .padding = a.padding, .groups = a.groups});
  Conv2DAttrs attrs{pairOf(a.strides), pairOf(a.dilations), a.padding, a.groups};
  if (axes == 2) return conv2d(x, kernel, attrs);
  return withoutAxis(conv2d(withAxis(x, 1), withAxis(kernel, 0), attrs), 1);
}

Value withAxis(Value x, int at) {
  if (!x) return x;
  Shape shape;
  for (int i = 0; i <= x.shape().rank(); ++i) {
    if (i == at) shape.push(1);
    if (i < x.shape().rank()) shape.push(x.shape()[i]);
  }
  return reshape(x, {.shape = shape});
}

Value withoutAxis(Value x, int at) {
  if (!x) return x;
  Shape shape;
  for (int i = 0; i < x.shape().rank(); ++i) {
    if (i != at) shape.push(x.shape()[i]);
  }
  return reshape(x, {.shape = shape});
}

Value axisLast(Value x, int axis) {
  if (!x) return x;
  Shape perm;
  for (int i = 0; i < x.shape().rank(); ++i) {
    if (i != axis) perm.push(i);
  }
  perm.push(axis);
  return transpose(x, {.perm = perm});
}

Value lastBack(Value x, int axis) {
  if (!x) return x;
  int last = x.shape().rank() - 1;
  Shape perm;
  for (int i = 0; i <= last; ++i) perm.push(i < axis ? i : i == axis ? last : i - 1);
  return transpose(x, {.perm = perm});
}

Value channelsLast(Value x) { return x && x.shape().rank() > 2 ? axisLast(x, 1) : x; }
Value channelsFirst(Value x) { return x && x.shape().rank() > 2 ? lastBack(x, 1) : x; }

Value inEitherLayout(LayerContext& c, const Fields& f, Inputs in, Build build) {
  if (!areChannelsFirst(f)) return build(c, f, in);
  Value x = channelsLast(in[0]);
  return channelsFirst(build(c, f, {{&x, 1}, in.masks}));
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
  Json activation = f.json("activation");
  if (activation.is_null() || !areChannelsFirst(f)) return activated(c, activation, x);
  // A softmax is along the last axis of what the layer gives.
  return channelsLast(activated(c, activation, channelsFirst(x)));
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

Result<Fields> callFields(const LayerRow& row, const Json& arguments) {
  return Fields::of(cat("a call of ", row.className), row.callArguments, arguments);
}

namespace {

bool isMasked(const LayerInputs& inputs) {
  return std::ranges::any_of(inputs.masks, [](Value mask) { return bool(mask); });
}

LayerOutputs callRow(const LayerRow& row, LayerContext& context, const Fields& fields,
                     const LayerInputs& inputs) {
  if (row.call) return row.call(context, fields, inputs);
  Value y = row.build(context, fields, inputs);
  if (!y) return {};
  LayerOutputs outputs{{y}};
  if (row.masks == Masks::kPass && isMasked(inputs)) outputs.masks = {inputs.mask(0)};
  if (row.masks == Masks::kEither) {
    Value either = inputs.mask(0);
    for (size_t i = 1; i < inputs.size(); ++i)
      either = either && inputs.mask(i) ? either | inputs.mask(i) : Value{};
    outputs.masks = {either};
  }
  return outputs;
}

}  // namespace

LayerOutputs callLayer(const LayerRow& row, LayerContext& context, const Json& config,
                       const LayerInputs& inputs, const Json& arguments) {
  Graph& graph = *inputs[0].graph;
  size_t needed = row.inputs == 0 ? 1 : row.inputs;
  if (inputs.size() < needed || (row.inputs > 0 && inputs.size() != needed)) {
    graph.fail(
        cat("takes ", row.inputs == 0 ? "at least " : "", needed, " inputs, got ", inputs.size()));
    return {};
  }
  Result<Fields> fields = layerFields(row, config);
  Result<Fields> said = callFields(row, arguments);
  if (!fields || !said) {
    graph.fail((fields ? said : fields).error().message);
    return {};
  }
  if (row.masks == Masks::kRefuse && isMasked(inputs)) {
    graph.fail("it is not supported on inputs with a mask");
    return {};
  }
  const Fields* outer = std::exchange(context.said, &*said);
  LayerOutputs outputs = callRow(row, context, *fields, inputs);
  context.said = outer;
  return outputs;
}
std::span<const Argument> everyLayer() { return kEveryLayer; }

DType dtypeOf(const Fields& fields) {
  std::string type = typeName(fields.json("dtype"));
  return type.starts_with("int") || type == "uint8" ? DType::kI32 : DType::kF32;
}

}  // namespace fjord
