#include "nn/layers.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/parts.h"
#include "ir/graph.h"
#include "nn/activations.h"
#include "nn/weights.h"

namespace fjord {

using namespace arguments;

namespace {

using Inputs = std::span<const Value>;

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// ---- what layers share

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

/// The arguments of one weight.
constexpr std::array<Argument, 3> weightArguments(const char* initializer, const char* regularizer,
                                                  const char* constraint, const char* fallback) {
  return {described(initializer, checkInitializer, fallback),
          described(regularizer, checkRegularizer), described(constraint, checkConstraint)};
}
#define WEIGHT_ARGUMENTS(prefix, fallback) \
  weightArguments(prefix "_initializer", prefix "_regularizer", prefix "_constraint", fallback)

constexpr auto kKernelWeight = WEIGHT_ARGUMENTS("kernel", "glorot_uniform");
constexpr auto kBiasWeight = WEIGHT_ARGUMENTS("bias", "zeros");
constexpr auto kGammaWeight = WEIGHT_ARGUMENTS("gamma", "ones");
constexpr auto kBetaWeight = WEIGHT_ARGUMENTS("beta", "zeros");
constexpr auto kAlphaWeight = WEIGHT_ARGUMENTS("alpha", "zeros");
constexpr auto kDepthwiseWeight = WEIGHT_ARGUMENTS("depthwise", "glorot_uniform");
constexpr auto kPointwiseWeight = WEIGHT_ARGUMENTS("pointwise", "glorot_uniform");

/// The weight `name`, made as the arguments that begin with `prefix` say.
Value weightOf(LayerContext& c, const Fields& f, std::string_view name, std::string prefix,
               const Shape& shape) {
  return c.weight(name, shape, f.json((prefix + "_initializer").c_str()), true,
                  f.json((prefix + "_regularizer").c_str()),
                  f.json((prefix + "_constraint").c_str()));
}
Value kernelOf(LayerContext& c, const Fields& f, const Shape& shape) {
  return weightOf(c, f, "kernel", "kernel", shape);
}

bool isImage(Value x) {
  if (x && x.shape().rank() == 4) return true;
  if (x) x.graph->fail(cat("needs an image batch [N,H,W,C], got ", x.type()));
  return false;
}

/// Whether an axis of the argument `name` is one of x; it counts from 0 afterwards.
bool isAxis(Value x, const char* name, int32_t& axis) {
  int rank = x.shape().rank();
  if (axis < -rank || axis >= rank) {
    x.graph->fail(cat(name, " must be from ", -rank, " to ", rank - 1, ", got ", axis));
    return false;
  }
  if (axis < 0) axis += rank;
  return true;
}

/// Keras also takes a layer as activation, {"class_name": "LeakyReLU", "config": {..}}. Such a layer
/// with an activation that is a layer again is one too many.
const LayerRow* layerAsActivation(const Json& activation) {
  std::optional<Choice> choice = choiceOf(activation);
  const LayerRow* row = choice && activation.is_object() ? findLayer(choice->name) : nullptr;
  bool isPlain = row && row->inputs == 1 && !member(choice->config, "activation").is_object();
  return isPlain ? row : nullptr;
}
Status checkLayerOrActivation(const Json& activation) {
  const LayerRow* row = layerAsActivation(activation);
  if (!row) return checkActivation(activation);
  FJORD_CHECK(layerFields(*row, configOf(activation)));
  return {};
}
Value activated(LayerContext& c, const Json& activation, Value x) {
  const LayerRow* row = layerAsActivation(activation);
  return x && row ? buildLayer(*row, c, configOf(activation), {{x}}) : activate(x, activation);
}

constexpr Argument kActivated[] = {described("activation", checkLayerOrActivation)};
constexpr Argument kFinished[] = {flag("use_bias", true), also(kActivated), also(kBiasWeight)};

/// x + bias, then the activation: what every layer with a kernel ends with.
Value finished(LayerContext& c, const Fields& f, Value x) {
  if (!x) return x;
  if (f.flag("use_bias")) x = x + weightOf(c, f, "bias", "bias", {x.shape()[-1]});
  return activated(c, f.json("activation"), x);
}

/// The layout is always channels last here; other files are transposed when they are read.
constexpr Argument kLayout[] = {choice("data_format", "channels_last")};

Pair pairOf(const Fields& f, const char* name) {
  std::array<int32_t, 2> both = f.pair(name);
  return {both[0], both[1]};
}
Padding paddingOf(const Fields& f) {
  return {f.choice("padding") == "same" ? Padding::kSame : Padding::kValid};
}

// ---- core

constexpr Argument kDense[] = {whole("units", kCount).isNeeded(), also(kFinished),
                               also(kKernelWeight)};
Value dense(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  if (x.shape().rank() < 2) {
    x.graph->fail(cat("needs an input of rank 2 or more, got ", x.type()));
    return {};
  }
  return finished(c, f, matMul(x, kernelOf(c, f, {x.shape()[-1], f.whole("units")})));
}

constexpr Argument kActivation[] = {described("activation", checkLayerOrActivation)};
Value activation(LayerContext& c, const Fields& f, Inputs in) {
  return activated(c, f.json("activation"), in[0]);
}

constexpr Argument kRelu[] = {number("max_value", kNotNegative),
                              number("negative_slope|alpha", kNotNegative, 0),
                              number("threshold", kNotNegative, 0)};
Value reluLayer(LayerContext&, const Fields& f, Inputs in) {
  Value x = in[0];
  double slope = f.number("negative_slope"), threshold = f.number("threshold");
  double most = f.has("max_value") ? f.number("max_value") : kUnlimited;
  if (slope == 0 && threshold == 0)
    return most == kUnlimited ? relu(x) : most == 6 ? relu6(x) : clip(x, like(x, 0), like(x, most));
  Value y = where(x >= threshold, x, (x - threshold) * slope);
  return most == kUnlimited ? y : minimum(y, constant(*x.graph, most));
}

constexpr Argument kLeakyRelu[] = {number("negative_slope|alpha", kFinite, 0.3)};
Value leakyReluLayer(LayerContext&, const Fields& f, Inputs in) {
  return leakyRelu(in[0], constant(*in[0].graph, f.number("negative_slope")));
}

constexpr Argument kElu[] = {number("alpha", kFinite, 1)};
Value eluLayer(LayerContext&, const Fields& f, Inputs in) {
  return elu(in[0], constant(*in[0].graph, f.number("alpha")));
}

constexpr Argument kPrelu[] = {wholes("shared_axes", kCount), also(kAlphaWeight)};
Value preluLayer(LayerContext& c, const Fields& f, Inputs in) {
  Shape shape;
  for (int i = 1; i < in[0].shape().rank(); ++i) shape.push(in[0].shape()[i]);
  for (int32_t axis : f.wholes("shared_axes")) {
    if (!isAxis(in[0], "shared_axes", axis)) return {};
    shape[axis - 1] = 1;
  }
  return leakyRelu(in[0], weightOf(c, f, "alpha", "alpha", shape));
}

constexpr Argument kSoftmax[] = {whole("axis", kAnyInt, -1)};
Value softmaxLayer(LayerContext&, const Fields& f, Inputs in) {
  int32_t axis = f.whole("axis");
  return isAxis(in[0], "axis", axis) ? softmax(in[0], {.axis = axis}) : Value{};
}

// A seed of its own would have to make its masks the same in every model.
constexpr Argument kDropout[] = {number("rate", kBelowOne).isNeeded(), only("seed", ""),
                                 only("noise_shape", "")};
Value dropoutLayer(LayerContext& c, const Fields& f, Inputs in) {
  if (!c.training) return in[0];
  return dropout(
      in[0], c.randomState(),
      {.rate = static_cast<float>(f.number("rate")), .stream = in[0].graph->nextStream()});
}

constexpr Argument kRescaling[] = {number("scale", kFinite).isNeeded(),
                                   number("offset", kFinite, 0)};
Value rescaling(LayerContext&, const Fields& f, Inputs in) {
  return cast(in[0], DType::kF32) * f.number("scale") + f.number("offset");
}

// ---- shapes

Value flatten(LayerContext&, const Fields&, Inputs in) {
  int32_t batch = in[0].shape()[0];
  return reshape(
      in[0], {.shape = {batch, static_cast<int32_t>(in[0].shape().size() / std::max(1, batch))}});
}

// -1 for one axis: what remains.
constexpr Range kSizeOrRest{-1, kMostInt};
constexpr Argument kReshape[] = {wholes("target_shape", kSizeOrRest).isNeeded()};
Value reshapeLayer(LayerContext&, const Fields& f, Inputs in) {
  Shape target = f.wholes("target_shape"), shape{in[0].shape()[0]};
  if (target.rank() == kMaxRank || std::ranges::count(target, 0)) {
    in[0].graph->fail(cat("target_shape must be at most ", kMaxRank - 1,
                          " whole numbers from 1, or -1 for what remains, got ", target));
    return {};
  }
  for (int32_t d : target) shape.push(d);
  return reshape(in[0], {.shape = shape});
}

constexpr Argument kPermute[] = {wholes("dims", kCount).isNeeded()};
Value permute(LayerContext&, const Fields& f, Inputs in) {
  Shape dims = f.wholes("dims"), perm{0};
  if (dims.rank() != in[0].shape().rank() - 1) {
    in[0].graph->fail(cat("dims must be the numbers from 1 to ", in[0].shape().rank() - 1,
                          " in some order, got ", dims));
    return {};
  }
  for (int32_t d : dims) perm.push(d);
  return transpose(in[0], {.perm = perm});
}

constexpr Argument kRepeatVector[] = {whole("n", kCount).isNeeded()};
Value repeatVector(LayerContext&, const Fields& f, Inputs in) {
  const Shape& s = in[0].shape();
  if (s.rank() != 2) {
    in[0].graph->fail(cat("needs an input of rank 2, got ", in[0].type()));
    return {};
  }
  return broadcastTo(reshape(in[0], {.shape = {s[0], 1, s[1]}}),
                     {.shape = {s[0], f.whole("n"), s[1]}});
}

constexpr Argument kZeroPadding[] = {borders("padding", 1), also(kLayout)};
Value zeroPadding2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  std::array<int32_t, 4> b = f.borders("padding");
  return pad(in[0], {.paddings = {0, 0, b[0], b[1], b[2], b[3], 0, 0}});
}

constexpr Argument kCropping[] = {borders("cropping", 0), also(kLayout)};
Value cropping2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  std::array<int32_t, 4> b = f.borders("cropping");
  const Shape& s = in[0].shape();
  int64_t h = int64_t{s[1]} - b[0] - b[1], w = int64_t{s[2]} - b[2] - b[3];
  if (h < 1 || w < 1) {
    in[0].graph->fail(cat("cropping must leave something of ", s[1], " rows and ", s[2],
                          " columns, got [[", b[0], ",", b[1], "],[", b[2], ",", b[3], "]]"));
    return {};
  }
  return slice(in[0], {.begin = {0, b[0], b[2], 0}, .size = {s[0], h, w, s[3]}});
}

constexpr Argument kUpSampling[] = {pair("size", kCount, 2), choice("interpolation", "nearest"),
                                    also(kLayout)};
Value upSampling2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  Pair size = pairOf(f, "size");
  const Shape& s = in[0].shape();
  Value spread = broadcastTo(reshape(in[0], {.shape = {s[0], s[1], 1, s[2], 1, s[3]}}),
                             {.shape = {s[0], s[1], size.h, s[2], size.w, s[3]}});
  return reshape(spread, {.shape = {s[0], int64_t{s[1]} * size.h, int64_t{s[2]} * size.w, s[3]}});
}

// ---- convolution and pooling

constexpr Argument kWindow[] = {pair("kernel_size", kCount).isNeeded(), pair("strides", kCount, 1),
                                choice("padding", "valid|same"), also(kLayout), also(kFinished)};
constexpr Argument kConv2d[] = {whole("filters", kCount).isNeeded(),
                                pair("dilation_rate", kCount, 1), whole("groups", kCount, 1),
                                also(kWindow), also(kKernelWeight)};
Value conv2dLayer(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  if (!isImage(x)) return {};
  Pair k = pairOf(f, "kernel_size");
  int32_t filters = f.whole("filters"), groups = f.whole("groups"), channels = x.shape()[3];
  if (channels % groups || filters % groups) {
    x.graph->fail(cat("groups must divide the ", channels, " channels and the ", filters,
                      " filters, got ", groups));
    return {};
  }
  return finished(c, f,
                  conv2d(x, kernelOf(c, f, {k.h, k.w, channels / groups, filters}),
                         {pairOf(f, "strides"), pairOf(f, "dilation_rate"), paddingOf(f), groups}));
}

constexpr Argument kDepthwise[] = {whole("depth_multiplier", kCount, 1),
                                   pair("dilation_rate", kCount, 1), also(kWindow),
                                   also(kDepthwiseWeight)};
Value depthwise(LayerContext& c, const Fields& f, Value x) {
  if (!isImage(x)) return {};
  Pair k = pairOf(f, "kernel_size");
  Value kernel = weightOf(c, f, "depthwise_kernel", "depthwise",
                          {k.h, k.w, x.shape()[3], f.whole("depth_multiplier")});
  return depthwiseConv2d(x, kernel,
                         {pairOf(f, "strides"), pairOf(f, "dilation_rate"), paddingOf(f)});
}

// Keras writes what a depthwise convolution has from the plain one.
constexpr Argument kDepthwiseConv2d[] = {
    also(kDepthwise), only("groups", "1"), only("kernel_initializer", ""),
    only("kernel_regularizer", ""), only("kernel_constraint", "")};
Value depthwiseConv2dLayer(LayerContext& c, const Fields& f, Inputs in) {
  return finished(c, f, depthwise(c, f, in[0]));
}

constexpr Argument kSeparableConv2d[] = {whole("filters", kCount).isNeeded(),
                                         also(kPointwiseWeight), also(kDepthwiseConv2d)};
Value separableConv2d(LayerContext& c, const Fields& f, Inputs in) {
  Value x = depthwise(c, f, in[0]);
  if (!x) return x;
  Value kernel =
      weightOf(c, f, "pointwise_kernel", "pointwise", {1, 1, x.shape()[3], f.whole("filters")});
  return finished(c, f, conv2d(x, kernel));
}

constexpr Argument kConv2dTranspose[] = {whole("filters", kCount).isNeeded(),
                                         only("dilation_rate", "1|[1,1]"),
                                         only("output_padding", ""),
                                         only("groups", "1"),
                                         also(kWindow),
                                         also(kKernelWeight)};
Value conv2dTransposeLayer(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  if (!isImage(x)) return {};
  Pair k = pairOf(f, "kernel_size"), s = pairOf(f, "strides");
  Padding padding = paddingOf(f);
  int32_t filters = f.whole("filters");
  const Shape& in4 = x.shape();
  bool same = padding.kind == Padding::kSame;
  int64_t h = int64_t{in4[1]} * s.h, w = int64_t{in4[2]} * s.w;
  if (!same) {
    h += std::max(k.h - s.h, 0);
    w += std::max(k.w - s.w, 0);
  }
  Value kernel = kernelOf(c, f, {k.h, k.w, filters, in4[3]});
  return finished(c, f, conv2dTranspose(x, kernel, {s, padding, {in4[0], h, w, filters}}));
}

constexpr Argument kPool[] = {pair("pool_size", kCount, 2), pair("strides", kCount),
                              choice("padding", "valid|same"), also(kLayout)};
template <class A>
A poolAttrs(const Fields& f) {
  A a;
  a.window = pairOf(f, "pool_size");
  a.strides = f.has("strides") ? pairOf(f, "strides") : a.window;
  a.padding = paddingOf(f);
  return a;
}
Value maxPooling2d(LayerContext&, const Fields& f, Inputs in) {
  return isImage(in[0]) ? maxPool(in[0], poolAttrs<MaxPoolAttrs>(f)) : Value{};
}
Value averagePooling2d(LayerContext&, const Fields& f, Inputs in) {
  return isImage(in[0]) ? avgPool(in[0], poolAttrs<AvgPoolAttrs>(f)) : Value{};
}

constexpr Argument kGlobalPool[] = {flag("keepdims", false), also(kLayout)};
Value globalMaxPooling2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  return max(in[0], {.axes = {1, 2}, .keepDims = f.flag("keepdims")});
}
Value globalAveragePooling2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  return mean(in[0], {.axes = {1, 2}, .keepDims = f.flag("keepdims")});
}

// ---- normalisation

constexpr Argument kNormalization[] = {
    wholes("axis", kAnyInt, -1), number("epsilon", kNotNegative, 1e-3),
    flag("center", true),        flag("scale", true),
    also(kGammaWeight),          also(kBetaWeight)};

/// Ioffe and Szegedy 2015. In training by the batch's statistics, while the moving ones follow;
/// otherwise by the moving ones.
constexpr Argument kBatchNormalization[] = {
    number("momentum", kShare, 0.99),
    described("moving_mean_initializer", checkInitializer, "zeros"),
    described("moving_variance_initializer", checkInitializer, "ones"),
    only("renorm", "false"),
    only("renorm_clipping", ""),
    number("renorm_momentum", kShare, 0.99),
    only("synchronized", "false"),
    only("virtual_batch_size", ""),
    only("adjustment", ""),
    only("fused", "true|false"),
    also(kNormalization),
};
Value batchNormalization(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  int rank = x.shape().rank();
  Shape axes = f.wholes("axis");
  if (!isAxis(x, "axis", axes[0])) return {};
  if (axes.rank() != 1 || axes[0] != rank - 1) {
    x.graph->fail(cat("axis must be the last one, where the channels are, got ", f.wholes("axis")));
    return {};
  }
  Shape size{x.shape()[-1]}, others;
  for (int i = 0; i < rank - 1; ++i) others.push(i);
  Value scale = f.flag("scale") ? weightOf(c, f, "gamma", "gamma", size)
                                : broadcastTo(constant(*x.graph, 1), {.shape = size});
  Value offset = f.flag("center") ? weightOf(c, f, "beta", "beta", size)
                                  : broadcastTo(constant(*x.graph, 0), {.shape = size});
  Value movingMean = c.weight("moving_mean", size, f.json("moving_mean_initializer"), false);
  Value movingVariance =
      c.weight("moving_variance", size, f.json("moving_variance_initializer"), false);
  BatchNormAttrs attrs{.epsilon = static_cast<float>(f.number("epsilon"))};
  if (!c.training || !c.isTrained)
    return batchNorm(x, movingMean, movingVariance, offset, scale, attrs);
  Value average = mean(x, {.axes = others}), variance = mean(square(x - average), {.axes = others});
  double momentum = f.number("momentum");
  c.update(movingMean, movingMean * momentum + average * (1 - momentum));
  c.update(movingVariance, movingVariance * momentum + variance * (1 - momentum));
  return batchNorm(x, average, variance, offset, scale, attrs);
}

/// Ba, Kiros, Hinton 2016.
constexpr Argument kLayerNormalization[] = {only("rms_scaling", "false"), also(kNormalization)};
Value layerNormalization(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  Shape axes = f.wholes("axis");
  // Weights have the normalised axes alone; over x they are spread with ones for the others.
  Shape size, spread = Shape::filled(x.shape().rank(), 1);
  for (int32_t& axis : axes) {
    if (!isAxis(x, "axis", axis)) return {};
    size.push(x.shape()[axis]);
    spread[axis] = x.shape()[axis];
  }
  auto part = [&](const char* use, const char* name, double fallback) {
    if (!f.flag(use)) return broadcastTo(constant(*x.graph, fallback), {.shape = spread});
    return reshape(weightOf(c, f, name, name, size), {.shape = spread});
  };
  Value scale = part("scale", "gamma", 1), offset = part("center", "beta", 0);
  return layerNorm(x, scale, offset,
                   {.axes = axes, .epsilon = static_cast<float>(f.number("epsilon"))});
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
Value merge(LayerContext&, const Fields&, Inputs in) {
  int rank = 0;
  for (Value x : in) rank = std::max(rank, x.shape().rank());
  Value y = withRank(in[0], rank);
  for (Value x : in.subspan(1)) y = op(y, withRank(x, rank));
  return y;
}

Value averageLayer(LayerContext& c, const Fields& f, Inputs in) {
  return merge<add>(c, f, in) / static_cast<double>(in.size());
}

constexpr Argument kConcatenate[] = {whole("axis", kAnyInt, -1)};
Value concatenate(LayerContext&, const Fields& f, Inputs in) {
  int32_t axis = f.whole("axis");
  return isAxis(in[0], "axis", axis) ? concat(in, {.axis = axis}) : Value{};
}

/// The products of two inputs along one axis of each, batch by batch.
constexpr Argument kDot[] = {wholes("axes", kAnyInt).isNeeded(), flag("normalize", false)};
Value dotLayer(LayerContext&, const Fields& f, Inputs in) {
  Value a = in[0], b = in[1];
  Shape axes = f.wholes("axes");
  if (axes.rank() > 2) {
    a.graph->fail(cat("axes must be one whole number, or one for each input, got ", axes));
    return {};
  }
  int32_t ax = axes[0], bx = axes[-1];
  int ra = a.shape().rank(), rb = b.shape().rank();
  if (!isAxis(a, "axes", ax) || !isAxis(b, "axes", bx)) return {};
  if (ra < 2 || ra > 3 || rb < 2 || rb > 3 || ax < 1 || ax >= ra || bx < 1 || bx >= rb) {
    a.graph->fail(cat("needs inputs of rank 2 or 3 and axes after the batch, got ", a.type(),
                      " and ", b.type()));
    return {};
  }
  if (f.flag("normalize")) {
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

constexpr auto kEveryClass = std::to_array<LayerRow>({
    {"Dense", "dense", kDense, dense},
    {"Activation", "activation", kActivation, activation},
    {"ReLU", "reLU", kRelu, reluLayer},
    {"LeakyReLU", "leakyReLU", kLeakyRelu, leakyReluLayer},
    {"ELU", "elu", kElu, eluLayer},
    {"PReLU", "prelu", kPrelu, preluLayer},
    {"Softmax", "softmax", kSoftmax, softmaxLayer},
    {"Flatten", "flatten", kLayout, flatten},
    {"Reshape", "reshape", kReshape, reshapeLayer},
    {"Permute", "permute", kPermute, permute},
    {"RepeatVector", "repeatVector", kRepeatVector, repeatVector},
    {"Dropout", "dropout", kDropout, dropoutLayer},
    {"Rescaling", "rescaling", kRescaling, rescaling},
    {"Conv2D", "conv2d", kConv2d, conv2dLayer},
    {"DepthwiseConv2D", "depthwiseConv2d", kDepthwiseConv2d, depthwiseConv2dLayer},
    {"SeparableConv2D", "separableConv2d", kSeparableConv2d, separableConv2d},
    {"Conv2DTranspose", "conv2dTranspose", kConv2dTranspose, conv2dTransposeLayer},
    {"MaxPooling2D", "maxPooling2d", kPool, maxPooling2d},
    {"AveragePooling2D", "averagePooling2d", kPool, averagePooling2d},
    {"GlobalMaxPooling2D", "globalMaxPooling2d", kGlobalPool, globalMaxPooling2d},
    {"GlobalAveragePooling2D", "globalAveragePooling2d", kGlobalPool, globalAveragePooling2d},
    {"UpSampling2D", "upSampling2d", kUpSampling, upSampling2d},
    {"ZeroPadding2D", "zeroPadding2d", kZeroPadding, zeroPadding2d},
    {"Cropping2D", "cropping2D", kCropping, cropping2d},
    {"BatchNormalization", "batchNormalization", kBatchNormalization, batchNormalization},
    {"LayerNormalization", "layerNormalization", kLayerNormalization, layerNormalization},
    {"Add", "add", {}, merge<add>, 0},
    {"Subtract", "subtract", {}, merge<sub>, 2},
    {"Multiply", "multiply", {}, merge<mul>, 0},
    {"Average", "average", {}, averageLayer, 0},
    {"Maximum", "maximum", {}, merge<maximum>, 0},
    {"Minimum", "minimum", {}, merge<minimum>, 0},
    {"Concatenate", "concatenate", kConcatenate, concatenate, 0},
    {"Dot", "dot", kDot, dotLayer, 2},
});

/// Those that this build is without have a name, and nothing that is to be linked.
constexpr auto kLayers = [] {
  auto rows = kEveryClass;
  for (LayerRow& row : rows) {
    if (!hasLayer(row.className)) row = {row.className, row.name, {}, nullptr};
  }
  return rows;
}();

}  // namespace

std::span<const LayerRow> layerRows() { return kLayers; }

const LayerRow* findLayer(std::string_view className) {
  auto row = std::ranges::find(kLayers, className, &LayerRow::className);
  return row == std::end(kLayers) ? nullptr : row;
}

std::unexpected<Error> unknownLayer(std::string_view className) {
  std::vector<std::string_view> known;
  for (const LayerRow& row : kLayers) known.push_back(row.className);
  return unknown("layer class", className, std::move(known));
}

Result<Fields> layerFields(const LayerRow& row, const Json& config) {
  if (!row.build) return fail(leftOut(row.className));
  return Fields::of(row.className, row.arguments, kEveryLayer, config);
}

Value buildLayer(const LayerRow& row, LayerContext& context, const Json& config,
                 std::span<const Value> inputs) {
  Result<Fields> fields = layerFields(row, config);
  if (fields) return row.build(context, *fields, inputs);
  inputs[0].graph->fail(fields.error().message);
  return {};
}

std::span<const Argument> everyLayer() { return kEveryLayer; }

DType dtypeOf(const Fields& fields) {
  std::string type = typeName(fields.json("dtype"));
  return type.starts_with("int") || type == "uint8" ? DType::kI32 : DType::kF32;
}

}  // namespace fjord
