#include "nn/layers.h"

#include <algorithm>
#include <limits>

#include "graph/graph.h"
#include "nn/activations.h"

namespace fjord {

namespace {

using Inputs = std::span<const Value>;

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// ---- reading configs

/// One integer for both axes, or a list of two.
Pair pairOr(const Json& config, const char* key, int fallback) {
  const Json& v = member(config, key);
  if (v.is_number()) return {v.get<int32_t>(), v.get<int32_t>()};
  if (auto list = intsOf<kMaxRank>(v); list && list->rank() > 0) return {(*list)[0], (*list)[-1]};
  return {fallback, fallback};
}

Padding paddingOf(Graph& graph, const Json& config) {
  std::string padding = stringOr(config, "padding", "valid");
  if (padding == "same") return {Padding::kSame};
  if (padding != "valid")
    graph.fail(
        cat("padding must be \"valid\" or \"same\", got ", member(config, "padding").dump()));
  return {Padding::kValid};
}

/// The layout is always channels last here; other files are transposed when they are read.
bool isChannelsLast(Graph& graph, const Json& config) {
  std::string format = stringOr(config, "data_format", "channels_last");
  if (format == "channels_last" || format == "channelsLast") return true;
  graph.fail(cat("data_format ", format, " is not supported: use channels_last"));
  return false;
}

bool isImage(Value x) {
  if (x && x.shape().rank() == 4) return true;
  if (x) x.graph->fail(cat("needs an image batch [N,H,W,C], got ", x.type()));
  return false;
}

Json orDefault(const Json& config, const char* key, const char* fallback) {
  const Json& v = member(config, key);
  return v.is_null() ? Json(fallback) : v;
}

Value kernelOf(LayerContext& c, const Json& config, const Shape& shape,
               const char* name = "kernel") {
  std::string prefix = name;
  return c.weight(name, shape,
                  orDefault(config, (prefix + "_initializer").c_str(), "glorot_uniform"), true,
                  member(config, (prefix + "_regularizer").c_str()),
                  member(config, (prefix + "_constraint").c_str()));
}

/// Keras also takes a layer as activation, {"class_name": "LeakyReLU", "config": {..}}. Such a layer
/// with an activation that is a layer again is one too many.
Value activated(LayerContext& c, const Json& activation, Value x) {
  const LayerRow* row = findLayer(stringOr(activation, "class_name", ""));
  const Json& config = member(activation, "config");
  bool plain = row && row->inputs == 1 && !member(config, "activation").is_object();
  return x && plain ? row->build(c, config, {{x}}) : activate(x, activation);
}

/// x + bias, then the activation: what every layer with a kernel ends with.
Value finished(LayerContext& c, const Json& config, Value x) {
  if (!x) return x;
  if (boolOr(config, "use_bias", true)) {
    x = x + c.weight("bias", {x.shape()[-1]}, orDefault(config, "bias_initializer", "zeros"), true,
                     member(config, "bias_regularizer"), member(config, "bias_constraint"));
  }
  return activated(c, member(config, "activation"), x);
}

Value param(Value x, const Json& config, const char* key, double fallback) {
  return constant(*x.graph, numberOr(config, key, fallback));
}

// ---- core

Value dense(LayerContext& c, const Json& config, Inputs in) {
  Value x = in[0];
  int units = intOr(config, "units", 0);
  if (units < 1 || x.shape().rank() < 2) {
    x.graph->fail(cat("needs units >= 1 and an input of rank 2 or more, got units ", units, " and ",
                      x.type()));
    return {};
  }
  return finished(c, config, matMul(x, kernelOf(c, config, {x.shape()[-1], units})));
}

Value activation(LayerContext& c, const Json& config, Inputs in) {
  return activated(c, member(config, "activation"), in[0]);
}

Value reluLayer(LayerContext&, const Json& config, Inputs in) {
  Value x = in[0];
  double slope = numberOr(config, "negative_slope", numberOr(config, "alpha", 0)),
         threshold = numberOr(config, "threshold", 0);
  double most = numberOr(config, "max_value", kUnlimited);
  if (slope == 0 && threshold == 0)
    return most == kUnlimited ? relu(x) : most == 6 ? relu6(x) : clip(x, like(x, 0), like(x, most));
  Value y = where(x >= threshold, x, (x - threshold) * slope);
  return most == kUnlimited ? y : minimum(y, constant(*x.graph, most));
}

Value leakyReluLayer(LayerContext&, const Json& config, Inputs in) {
  return leakyRelu(
      in[0],
      param(in[0], config, member(config, "alpha").is_number() ? "alpha" : "negative_slope", 0.3));
}

Value eluLayer(LayerContext&, const Json& config, Inputs in) {
  return elu(in[0], param(in[0], config, "alpha", 1));
}

Value preluLayer(LayerContext& c, const Json& config, Inputs in) {
  Shape shape;
  for (int i = 1; i < in[0].shape().rank(); ++i) shape.push(in[0].shape()[i]);
  if (auto shared = intsOf<kMaxRank>(member(config, "shared_axes"))) {
    for (int axis : *shared) {
      if (axis >= 1 && axis <= shape.rank()) shape[axis - 1] = 1;
    }
  }
  return leakyRelu(
      in[0], kernelOf(c,
                      Json{{"alpha_initializer", orDefault(config, "alpha_initializer", "zeros")},
                           {"alpha_regularizer", member(config, "alpha_regularizer")},
                           {"alpha_constraint", member(config, "alpha_constraint")}},
                      shape, "alpha"));
}

Value softmaxLayer(LayerContext&, const Json& config, Inputs in) {
  return softmax(in[0], {.axis = intOr(config, "axis", -1)});
}

Value dropoutLayer(LayerContext& c, const Json& config, Inputs in) {
  if (!c.training) return in[0];
  return dropout(in[0], c.randomState(),
                 {.rate = static_cast<float>(numberOr(config, "rate", 0.5)),
                  .stream = in[0].graph->nextStream()});
}

Value rescaling(LayerContext&, const Json& config, Inputs in) {
  if (member(config, "scale").is_array() || member(config, "offset").is_array()) {
    in[0].graph->fail("scale and offset are numbers, the same for all channels");
    return {};
  }
  return cast(in[0], DType::kF32) * numberOr(config, "scale", 1) + numberOr(config, "offset", 0);
}

// ---- shapes

Value flatten(LayerContext&, const Json& config, Inputs in) {
  if (!isChannelsLast(*in[0].graph, config)) return {};
  int32_t batch = in[0].shape()[0];
  return reshape(
      in[0], {.shape = {batch, static_cast<int32_t>(in[0].shape().size() / std::max(1, batch))}});
}

Value reshapeLayer(LayerContext&, const Json& config, Inputs in) {
  auto target = intsOf<kMaxRank - 1>(member(config, "target_shape"));
  if (!target) {
    in[0].graph->fail("needs target_shape, a list of integers");
    return {};
  }
  Shape shape{in[0].shape()[0]};
  for (int32_t d : *target) shape.push(d);
  return reshape(in[0], {.shape = shape});
}

Value permute(LayerContext&, const Json& config, Inputs in) {
  auto dims = intsOf<kMaxRank - 1>(member(config, "dims"));
  Shape perm{0};
  if (dims) {
    for (int32_t d : *dims) perm.push(d);
  }
  return transpose(in[0], {.perm = perm});
}

Value repeatVector(LayerContext&, const Json& config, Inputs in) {
  const Shape& s = in[0].shape();
  int n = intOr(config, "n", 1);
  if (s.rank() != 2) {
    in[0].graph->fail(cat("needs an input of rank 2, got ", in[0].type()));
    return {};
  }
  return broadcastTo(reshape(in[0], {.shape = {s[0], 1, s[1]}}), {.shape = {s[0], n, s[1]}});
}

/// [[top, bottom], [left, right]], [vertical, horizontal] or one number.
std::optional<std::array<int32_t, 4>> bordersOf(const Json& v) {
  if (v.is_number()) {
    int32_t n = v.get<int32_t>();
    return std::array{n, n, n, n};
  }
  if (!v.is_array() || v.size() != 2) return {};
  std::array<int32_t, 4> out;
  for (int i = 0; i < 2; ++i) {
    auto both = intsOf<2>(v[i]);
    if (v[i].is_number()) both = Ints<2>{v[i].get<int32_t>(), v[i].get<int32_t>()};
    if (!both || both->rank() != 2) return {};
    out[2 * i] = (*both)[0];
    out[2 * i + 1] = (*both)[1];
  }
  return out;
}

Value zeroPadding2d(LayerContext&, const Json& config, Inputs in) {
  auto b = bordersOf(member(config, "padding")).value_or(std::array{1, 1, 1, 1});
  if (!isImage(in[0]) || !isChannelsLast(*in[0].graph, config)) return {};
  return pad(in[0], {.paddings = {0, 0, b[0], b[1], b[2], b[3], 0, 0}});
}

Value cropping2d(LayerContext&, const Json& config, Inputs in) {
  auto b = bordersOf(member(config, "cropping")).value_or(std::array{0, 0, 0, 0});
  if (!isImage(in[0]) || !isChannelsLast(*in[0].graph, config)) return {};
  const Shape& s = in[0].shape();
  return slice(in[0], {.begin = {0, b[0], b[2], 0},
                       .size = {s[0], s[1] - b[0] - b[1], s[2] - b[2] - b[3], s[3]}});
}

Value upSampling2d(LayerContext&, const Json& config, Inputs in) {
  if (!isImage(in[0]) || !isChannelsLast(*in[0].graph, config)) return {};
  if (stringOr(config, "interpolation", "nearest") != "nearest") {
    in[0].graph->fail("only nearest interpolation is supported");
    return {};
  }
  Pair size = pairOr(config, "size", 2);
  if (size.h < 1 || size.w < 1) {
    in[0].graph->fail(cat("size must be at least 1, got ", size.h, " and ", size.w));
    return {};
  }
  const Shape& s = in[0].shape();
  Value spread = broadcastTo(reshape(in[0], {.shape = {s[0], s[1], 1, s[2], 1, s[3]}}),
                             {.shape = {s[0], s[1], size.h, s[2], size.w, s[3]}});
  return reshape(spread, {.shape = {s[0], int64_t{s[1]} * size.h, int64_t{s[2]} * size.w, s[3]}});
}

// ---- convolution and pooling

Value conv2dLayer(LayerContext& c, const Json& config, Inputs in) {
  Value x = in[0];
  if (!isImage(x) || !isChannelsLast(*x.graph, config)) return {};
  Pair k = pairOr(config, "kernel_size", 1);
  int filters = intOr(config, "filters", 0), groups = intOr(config, "groups", 1);
  if (filters < 1 || groups < 1) {
    x.graph->fail(cat("needs filters >= 1 and groups >= 1, got ", filters, " and ", groups));
    return {};
  }
  Value kernel = kernelOf(c, config, {k.h, k.w, x.shape()[3] / groups, filters});
  return finished(c, config,
                  conv2d(x, kernel,
                         {pairOr(config, "strides", 1), pairOr(config, "dilation_rate", 1),
                          paddingOf(*x.graph, config), groups}));
}

Value depthwise(LayerContext& c, const Json& config, Value x) {
  if (!isImage(x) || !isChannelsLast(*x.graph, config)) return {};
  Pair k = pairOr(config, "kernel_size", 1);
  Value kernel = kernelOf(c, config, {k.h, k.w, x.shape()[3], intOr(config, "depth_multiplier", 1)},
                          "depthwise_kernel");
  return depthwiseConv2d(x, kernel,
                         {pairOr(config, "strides", 1), pairOr(config, "dilation_rate", 1),
                          paddingOf(*x.graph, config)});
}

/// Keras's names of a depthwise kernel's initializer and so on lack the word "kernel".
Json withDepthwiseNames(const Json& config) {
  Json renamed = config;
  for (const char* part : {"initializer", "regularizer", "constraint"}) {
    const Json& v = member(config, cat("depthwise_", part).c_str());
    if (!v.is_null()) renamed[cat("depthwise_kernel_", part)] = v;
    const Json& p = member(config, cat("pointwise_", part).c_str());
    if (!p.is_null()) renamed[cat("pointwise_kernel_", part)] = p;
  }
  return renamed;
}

Value depthwiseConv2dLayer(LayerContext& c, const Json& config, Inputs in) {
  return finished(c, config, depthwise(c, withDepthwiseNames(config), in[0]));
}

Value separableConv2d(LayerContext& c, const Json& config, Inputs in) {
  Json renamed = withDepthwiseNames(config);
  Value x = depthwise(c, renamed, in[0]);
  if (!x) return x;
  int filters = intOr(config, "filters", 0);
  if (filters < 1) {
    x.graph->fail(cat("needs filters >= 1, got ", filters));
    return {};
  }
  return finished(
      c, config,
      conv2d(x, kernelOf(c, renamed, {1, 1, x.shape()[3], filters}, "pointwise_kernel")));
}

Value conv2dTransposeLayer(LayerContext& c, const Json& config, Inputs in) {
  Value x = in[0];
  if (!isImage(x) || !isChannelsLast(*x.graph, config)) return {};
  Pair k = pairOr(config, "kernel_size", 1), s = pairOr(config, "strides", 1);
  Pair dilation = pairOr(config, "dilation_rate", 1);
  if (dilation.h != 1 || dilation.w != 1 || !member(config, "output_padding").is_null()) {
    x.graph->fail("dilation_rate and output_padding are not supported: leave them out");
    return {};
  }
  Padding padding = paddingOf(*x.graph, config);
  int filters = intOr(config, "filters", 0);
  const Shape& in4 = x.shape();
  bool same = padding.kind == Padding::kSame;
  int32_t h = same ? in4[1] * s.h : in4[1] * s.h + std::max(k.h - s.h, 0);
  int32_t w = same ? in4[2] * s.w : in4[2] * s.w + std::max(k.w - s.w, 0);
  Value kernel = kernelOf(c, config, {k.h, k.w, filters, in4[3]});
  return finished(c, config, conv2dTranspose(x, kernel, {s, padding, {in4[0], h, w, filters}}));
}

template <class A>
A poolAttrs(Graph& graph, const Json& config) {
  A a;
  a.window = pairOr(config, "pool_size", 2);
  a.strides = member(config, "strides").is_null() ? a.window : pairOr(config, "strides", 2);
  a.padding = paddingOf(graph, config);
  return a;
}
Value maxPooling2d(LayerContext&, const Json& config, Inputs in) {
  if (!isImage(in[0]) || !isChannelsLast(*in[0].graph, config)) return {};
  return maxPool(in[0], poolAttrs<MaxPoolAttrs>(*in[0].graph, config));
}
Value averagePooling2d(LayerContext&, const Json& config, Inputs in) {
  if (!isImage(in[0]) || !isChannelsLast(*in[0].graph, config)) return {};
  return avgPool(in[0], poolAttrs<AvgPoolAttrs>(*in[0].graph, config));
}
Value globalMaxPooling2d(LayerContext&, const Json& config, Inputs in) {
  if (!isImage(in[0]) || !isChannelsLast(*in[0].graph, config)) return {};
  return max(in[0], {.axes = {1, 2}, .keepDims = boolOr(config, "keepdims", false)});
}
Value globalAveragePooling2d(LayerContext&, const Json& config, Inputs in) {
  if (!isImage(in[0]) || !isChannelsLast(*in[0].graph, config)) return {};
  return mean(in[0], {.axes = {1, 2}, .keepDims = boolOr(config, "keepdims", false)});
}

// ---- normalisation

/// Ioffe and Szegedy 2015. In training by the batch's statistics, while the moving ones follow;
/// otherwise by the moving ones.
Value batchNormalization(LayerContext& c, const Json& config, Inputs in) {
  Value x = in[0];
  int rank = x.shape().rank(), axis = intOr(config, "axis", -1);
  if (auto list = intsOf<1>(member(config, "axis")); list && list->rank() == 1) axis = (*list)[0];
  if (axis < 0) axis += rank;
  if (axis != rank - 1 || boolOr(config, "renorm", false)) {
    x.graph->fail("only the last axis can be normalised, channels come last; renorm is unknown");
    return {};
  }
  Shape size{x.shape()[-1]}, others;
  for (int i = 0; i < rank - 1; ++i) others.push(i);
  Value scale, offset;
  if (boolOr(config, "scale", true)) {
    scale = c.weight("gamma", size, orDefault(config, "gamma_initializer", "ones"), true,
                     member(config, "gamma_regularizer"), member(config, "gamma_constraint"));
  } else {
    scale = broadcastTo(constant(*x.graph, 1), {.shape = size});
  }
  if (boolOr(config, "center", true)) {
    offset = c.weight("beta", size, orDefault(config, "beta_initializer", "zeros"), true,
                      member(config, "beta_regularizer"), member(config, "beta_constraint"));
  } else {
    offset = broadcastTo(constant(*x.graph, 0), {.shape = size});
  }
  Value movingMean =
      c.weight("moving_mean", size, orDefault(config, "moving_mean_initializer", "zeros"), false);
  Value movingVariance = c.weight("moving_variance", size,
                                  orDefault(config, "moving_variance_initializer", "ones"), false);
  BatchNormAttrs attrs{.epsilon = static_cast<float>(numberOr(config, "epsilon", 1e-3))};
  if (!c.training || !c.isTrained)
    return batchNorm(x, movingMean, movingVariance, offset, scale, attrs);
  Value average = mean(x, {.axes = others}), variance = mean(square(x - average), {.axes = others});
  double momentum = numberOr(config, "momentum", 0.99);
  c.update(movingMean, movingMean * momentum + average * (1 - momentum));
  c.update(movingVariance, movingVariance * momentum + variance * (1 - momentum));
  return batchNorm(x, average, variance, offset, scale, attrs);
}

/// Ba, Kiros, Hinton 2016.
Value layerNormalization(LayerContext& c, const Json& config, Inputs in) {
  Value x = in[0];
  Shape axes{intOr(config, "axis", -1)};
  if (auto list = intsOf<kMaxRank>(member(config, "axis"))) axes = *list;
  if (boolOr(config, "rms_scaling", false)) {
    x.graph->fail("rms_scaling is not supported");
    return {};
  }
  // Weights have the normalised axes alone; over x they are spread with ones for the others.
  Shape size, spread = Shape::filled(x.shape().rank(), 1);
  for (int axis : axes) {
    if (axis < -x.shape().rank() || axis >= x.shape().rank()) {
      x.graph->fail(cat("axis ", axis, " is outside ", x.type()));
      return {};
    }
    size.push(x.shape()[axis]);
    spread[axis] = x.shape()[axis];
  }
  auto part = [&](const char* use, const char* name, double fallback) {
    if (!boolOr(config, use, true))
      return broadcastTo(constant(*x.graph, fallback), {.shape = spread});
    std::string prefix = name;
    Value w = c.weight(
        name, size,
        orDefault(config, (prefix + "_initializer").c_str(), fallback == 1 ? "ones" : "zeros"),
        true, member(config, (prefix + "_regularizer").c_str()),
        member(config, (prefix + "_constraint").c_str()));
    return reshape(w, {.shape = spread});
  };
  Value scale = part("scale", "gamma", 1), offset = part("center", "beta", 0);
  return layerNorm(
      x, scale, offset,
      {.axes = axes, .epsilon = static_cast<float>(numberOr(config, "epsilon", 1e-3))});
}

// ---- merging

/// Inputs of fewer axes get the missing ones after the batch, so that samples meet samples.
Value withRank(Value x, int rank) {
  if (x.shape().rank() == 0 || x.shape().rank() == rank) return x;
  Shape shape = Shape::filled(rank, 1);
  shape[0] = x.shape()[0];
  for (int i = 1; i < x.shape().rank(); ++i) shape[-i] = x.shape()[-i];
  return reshape(x, {.shape = shape});
}

template <Value (*op)(Value, Value)>
Value merge(LayerContext&, const Json&, Inputs in) {
  int rank = 0;
  for (Value x : in) rank = std::max(rank, x.shape().rank());
  Value y = withRank(in[0], rank);
  for (Value x : in.subspan(1)) y = op(y, withRank(x, rank));
  return y;
}

Value averageLayer(LayerContext& c, const Json& config, Inputs in) {
  return merge<add>(c, config, in) / static_cast<double>(in.size());
}

Value concatenate(LayerContext&, const Json& config, Inputs in) {
  return concat(in, {.axis = intOr(config, "axis", -1)});
}

/// The products of two inputs along one axis of each, batch by batch.
Value dotLayer(LayerContext&, const Json& config, Inputs in) {
  Value a = in[0], b = in[1];
  auto list = intsOf<2>(member(config, "axes"));
  int ax = list ? (*list)[0] : intOr(config, "axes", -1), bx = list ? (*list)[-1] : ax;
  int ra = a.shape().rank(), rb = b.shape().rank();
  ax = ax < 0 ? ax + ra : ax;
  bx = bx < 0 ? bx + rb : bx;
  if (ra < 2 || ra > 3 || rb < 2 || rb > 3 || ax < 1 || ax >= ra || bx < 1 || bx >= rb) {
    a.graph->fail(cat("needs inputs of rank 2 or 3 and axes after the batch, got ", a.type(),
                      " and ", b.type()));
    return {};
  }
  if (boolOr(config, "normalize", false)) {
    auto unit = [](Value x, int axis) {
      Value s = sum(square(x), {.axes = {axis}, .keepDims = true});
      return x * rsqrt(maximum(s, like(s, 1e-12)));
    };
    a = unit(a, ax);
    b = unit(b, bx);
  }
  // As [N, rows, shared] x [N, shared, columns].
  if (ra == 2) a = reshape(a, {.shape = {a.shape()[0], 1, a.shape()[1]}});
  if (rb == 2) b = reshape(b, {.shape = {b.shape()[0], b.shape()[1], 1}});
  Value y = matMul(a, b, {.transposeA = ra == 3 && ax == 1, .transposeB = rb == 3 && bx == 2});
  if (!y) return y;
  Shape shape{y.shape()[0]};
  if (ra == 3) shape.push(y.shape()[1]);
  if (rb == 3) shape.push(y.shape()[2]);
  if (shape.rank() == 1) shape.push(1);
  return reshape(y, {.shape = shape});
}

constexpr LayerRow kLayers[] = {
    {"Dense", "dense", dense},
    {"Activation", "activation", activation},
    {"ReLU", "reLU", reluLayer},
    {"LeakyReLU", "leakyReLU", leakyReluLayer},
    {"ELU", "elu", eluLayer},
    {"PReLU", "prelu", preluLayer},
    {"Softmax", "softmax", softmaxLayer},
    {"Flatten", "flatten", flatten},
    {"Reshape", "reshape", reshapeLayer},
    {"Permute", "permute", permute},
    {"RepeatVector", "repeatVector", repeatVector},
    {"Dropout", "dropout", dropoutLayer},
    {"Rescaling", "rescaling", rescaling},
    {"Conv2D", "conv2d", conv2dLayer},
    {"DepthwiseConv2D", "depthwiseConv2d", depthwiseConv2dLayer},
    {"SeparableConv2D", "separableConv2d", separableConv2d},
    {"Conv2DTranspose", "conv2dTranspose", conv2dTransposeLayer},
    {"MaxPooling2D", "maxPooling2d", maxPooling2d},
    {"AveragePooling2D", "averagePooling2d", averagePooling2d},
    {"GlobalMaxPooling2D", "globalMaxPooling2d", globalMaxPooling2d},
    {"GlobalAveragePooling2D", "globalAveragePooling2d", globalAveragePooling2d},
    {"UpSampling2D", "upSampling2d", upSampling2d},
    {"ZeroPadding2D", "zeroPadding2d", zeroPadding2d},
    {"Cropping2D", "cropping2D", cropping2d},
    {"BatchNormalization", "batchNormalization", batchNormalization},
    {"LayerNormalization", "layerNormalization", layerNormalization},
    {"Add", "add", merge<add>, 0},
    {"Subtract", "subtract", merge<sub>, 2},
    {"Multiply", "multiply", merge<mul>, 0},
    {"Average", "average", averageLayer, 0},
    {"Maximum", "maximum", merge<maximum>, 0},
    {"Minimum", "minimum", merge<minimum>, 0},
    {"Concatenate", "concatenate", concatenate, 0},
    {"Dot", "dot", dotLayer, 2},
};

}  // namespace

std::span<const LayerRow> layerRows() { return kLayers; }

const LayerRow* findLayer(std::string_view className) {
  auto row = std::ranges::find(kLayers, className, &LayerRow::className);
  return row == std::end(kLayers) ? nullptr : row;
}

}  // namespace fjord
