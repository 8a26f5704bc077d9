// Images that look a little different in each step of training: their colors, their contrast, their
// sharpness. Keras's augmentation, as layers of the model that they train.
#include <algorithm>
#include <cmath>

#include "nn/image_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

// ---- what is drawn

Value layer_parts::drawn(LayerContext& c, const Fields& f, Graph& graph, int32_t count, double low,
                         double high, int32_t number) {
  Draw draw = drawOf(c, f, graph, number);
  return randomUniform(draw.state, {.shape = {count},
                                    .low = static_cast<float>(low),
                                    .high = static_cast<float>(high),
                                    .stream = draw.stream});
}
Value layer_parts::drawnWithin(LayerContext& c, const Fields& f, Value x, const char* name,
                               int32_t number) {
  auto [low, high] = f.interval(name);
  return drawn(c, f, x, low, high, number);
}
Value layer_parts::happens(LayerContext& c, const Fields& f, Value x, int32_t number) {
  Value probability = drawnWithin(c, f, x, "factor", number);
  return perImage(drawn(c, f, x, 0, 1, number + 1) < probability);
}

// ---- values

ValueRange::ValueRange(const Fields& f, Graph& graph) {
  std::vector<double> given = f.numbers("value_range");
  if (given.empty()) return;
  if (given.size() != 2 || given[0] == given[1]) {
    graph.fail("value_range must be two different numbers, the least and the largest");
    return;
  }
  low = std::min(given[0], given[1]);
  high = std::max(given[0], given[1]);
}
Value ValueRange::upTo(Value x, double most) const { return (x - low) * (most / width()); }
Value ValueRange::from(Value x, double most) const { return x * (width() / most) + low; }

Value layer_parts::gaussian(Value sigma, int32_t size, Value radius) {
  Value x = range(*sigma.graph, size) - (size - 1) / 2.0;
  Value weights = exp(square(x / maximum(sigma, like(sigma, 1e-6))) * -0.5);
  if (radius) weights = where(abs(x) <= radius, weights, 0.0);
  return weights / sum(weights);
}
Value layer_parts::blurred(Value x, Value rows, Value columns) {
  auto along = [&](Value weights, bool isRows) {
    int32_t size = weights.shape()[0], channels = x.shape()[3];
    Shape kernel = isRows ? Shape{size, 1, 1, 1} : Shape{1, size, 1, 1}, all = kernel;
    all[2] = channels;
    Value each = broadcastTo(reshape(weights, {.shape = kernel}), {.shape = all});
    x = depthwiseConv2d(x, each, {.padding = {Padding::kSame}});
  };
  along(rows, true);
  along(columns, false);
  return x;
}

namespace {

/// What is wrong with x [N,H,W,C], or with arguments for it; '' is nothing.
using Fault = std::string (*)(const Fields&, const Shape& x);
std::string noFault(const Fields&, const Shape&) { return ""; }

/// What every layer here does first: a function of images as float32, in training alone.
template <Value (*change)(LayerContext&, const Fields&, Value, const ValueRange&),
          Fault fault = noFault>
Value changed(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  ValueRange range = f.knows("value_range") ? ValueRange(f, *x.graph) : ValueRange();
  if (std::string words = fault(f, x.shape()); !words.empty()) {
    x.graph->fail(std::move(words));
    return {};
  }
  return varies(c) ? change(c, f, x, range) : x;
}

constexpr Argument kEveryColor[] = {also(kValueRange), also(kRandom)};
constexpr Argument kSometimes[] = {interval("factor", kShare, 1), also(kEveryColor)};

// ---- brightness and contrast

Value brightened(Value x, Value by, const ValueRange& range) {
  return range.clipped(x + perImage(by) * range.width());
}
constexpr Argument kRandomBrightness[] = {interval("factor", kEitherWay).isNeeded(),
                                          also(kEveryColor)};
Value randomBrightness(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  return brightened(x, drawnWithin(c, f, x, "factor"), range);
}

/// Further from, or nearer to, the mean of each channel, by a factor from 1 - low to 1 + high.
Value contrasted(LayerContext& c, const Fields& f, Value x, const ValueRange& range,
                 const char* name, int32_t number) {
  auto [low, high] = f.interval(name);
  Value average = mean(x, {.axes = {1, 2}, .keepDims = true});
  Value factor = perImage(drawn(c, f, x, 1 - low, 1 + high, number));
  return range.clipped((x - average) * factor + average);
}
constexpr Argument kRandomContrast[] = {interval("factor", kShare).isNeeded(), also(kEveryColor)};
Value randomContrast(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  return contrasted(c, f, x, range, "factor", 0);
}

constexpr Argument kAutoContrast[] = {also(kValueRange), also(kLayout)};
/// The least of each channel becomes the least of all, and its largest the largest.
Value autoContrast(LayerContext&, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  ValueRange range(f, *x.graph);
  Value low = min(x, {.axes = {1, 2}, .keepDims = true});
  Value width = max(x, {.axes = {1, 2}, .keepDims = true}) - low;
  Value flat = width == 0.0;
  Value wide = (x - low) * (range.width() / where(flat, 1.0, width)) + range.low;
  return where(flat, x, range.clipped(wide));
}

constexpr Argument kRandomInvert[] = {also(kSometimes)};
Value randomInvert(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  return where(happens(c, f, x), range.high - x, x);
}

/// Values lose the lower of their eight bits, all but a number that is drawn.
constexpr Range kBits{1, 8};
constexpr Argument kRandomPosterization[] = {interval("factor", kBits).isNeeded(),
                                             also(kEveryColor)};
Value randomPosterization(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  auto [low, high] = f.interval("factor");
  Value bits = floor(drawn(c, f, x, low, high));
  // A draw can be rounded to its end, which randint leaves out.
  if (low < high) bits = minimum(bits, like(bits, std::ceil(high) - 1));
  Value step = perImage(round(exp2(8.0 - bits)));
  Value whole = bounded(floor(range.upTo(x, 255)), 0, 255);
  return range.from(floor(whole / step) * step, 255);
}

/// What is at least a threshold is inverted, after a number was added to all. (Keras's intervals: their
/// lower ends count as they are, the upper ones by 255.)
constexpr Argument kSolarization[] = {interval("addition_factor", kShare, 0),
                                      interval("threshold_factor", kShare, 0), also(kEveryColor)};
Value solarization(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  auto draw = [&](const char* name, int32_t number) {
    auto [low, high] = f.interval(name);
    return perImage(drawn(c, f, x, low, high * 255, number));
  };
  Value more = bounded(range.upTo(x, 255) + draw("addition_factor", 0), 0, 255);
  return range.from(where(more < draw("threshold_factor", 1), more, 255.0 - more), 255);
}

// ---- colors

std::string noColors(const Fields&, const Shape& x) {
  return x[3] == 3 ? "" : cat("needs images of three channels, red, green and blue, got ", x);
}
std::string noGrays(const Fields& f, const Shape& x) { return x[3] == 1 ? "" : noColors(f, x); }

/// By the luma of ITU-R BT.601; images of one channel are gray.
Value gray(Value x) {
  if (x.shape()[3] == 1) return x;
  std::vector<Value> color = split(x, 3, 3);
  return color[0] * 0.2989 + color[1] * 0.5870 + color[2] * 0.1140;
}

/// Towards gray, by a factor; away from it where that is below 0.
constexpr Argument kRandomColorDegeneration[] = {interval("factor", kEitherWay).isNeeded(),
                                                 also(kEveryColor)};
Value randomColorDegeneration(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  return range.clipped(x + perImage(drawnWithin(c, f, x, "factor")) * (gray(x) - x));
}

/// Gray with a probability.
constexpr Argument kRandomGrayscale[] = {number("factor", kShare, 0.5), also(kRandom)};
Value randomGrayscale(LayerContext& c, const Fields& f, Value x, const ValueRange&) {
  return where(perImage(drawn(c, f, x, 0, 1)) < f.number("factor"), gray(x), x);
}

/// Hue, a part of a turn; saturation; value. Smith, Color Gamut Transform Pairs, 1978.
struct Hsv {
  Value hue, saturation, value;
  explicit Hsv(std::span<const Value> rgb);
  Value rgb() const;
};
Hsv::Hsv(std::span<const Value> rgb) {
  Value r = rgb[0], g = rgb[1], b = rgb[2];
  value = maximum(maximum(r, g), b);
  Value width = value - minimum(minimum(r, g), b);
  saturation = where(value > 0.0, width / where(value > 0.0, value, 1.0), 0.0);
  Value sixth = 1.0 / (6.0 * where(width > 0.0, width, 1.0));
  Value turn = where(equal(r, value), sixth * (g - b),
                     where(equal(g, value), sixth * (b - r) + 1 / 3.0, sixth * (r - g) + 2 / 3.0));
  turn = where(width > 0.0, turn, 0.0);
  hue = where(turn < 0.0, turn + 1.0, turn);
}
Value Hsv::rgb() const {
  auto color = [&](Value share) {
    return ((1.0 - saturation) + saturation * bounded(share, 0, 1)) * value;
  };
  Value red = color(abs(hue * 6.0 - 3.0) - 1.0), green = color(2.0 - abs(hue * 6.0 - 2.0));
  return concat({{red, green, color(2.0 - abs(hue * 6.0 - 4.0))}}, {.axis = 3});
}

/// By at most half a turn to either side.
Value withHue(LayerContext& c, const Fields& f, Value x, const ValueRange& range, const char* name,
              int32_t number) {
  Value by = drawnWithin(c, f, x, name, number) * 0.5;
  by = where(drawn(c, f, x, 0, 1, number + 1) > 0.5, -by, by);
  Hsv hsv(split(range.upTo(x, 1), 3, 3));
  Value hue = hsv.hue + perImage(by);
  hue = where(hue > 1.0, hue - 1.0, hue);
  hsv.hue = where(hue < 0.0, hue + 1.0, hue);
  return range.from(bounded(hsv.rgb(), 0, 1), 1);
}
constexpr Argument kRandomHue[] = {interval("factor", kShare).isNeeded(), also(kEveryColor)};
Value randomHue(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  return withHue(c, f, x, range, "factor", 0);
}

/// By factor / (1 - factor). (Keras clips the saturation, which is at most 1, to the range of values.)
Value withSaturation(LayerContext& c, const Fields& f, Value x, const ValueRange& range,
                     const char* name, int32_t number) {
  Value factor = drawnWithin(c, f, x, name, number);
  Hsv hsv(split(x, 3, 3));
  hsv.saturation = range.clipped(hsv.saturation * perImage(factor / (1.0 - factor + 1e-7)));
  return hsv.rgb();
}
constexpr Argument kRandomSaturation[] = {interval("factor", kEitherWay).isNeeded(),
                                          also(kEveryColor)};
Value randomSaturation(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  return withSaturation(c, f, x, range, "factor", 0);
}

constexpr Argument kRandomColorJitter[] = {
    interval("brightness_factor", kEitherWay), interval("contrast_factor", kShare),
    interval("saturation_factor", kEitherWay), interval("hue_factor", kShare), also(kEveryColor)};
std::string noColorsToJitter(const Fields& f, const Shape& x) {
  return f.has("saturation_factor") || f.has("hue_factor") ? noColors(f, x) : "";
}
Value randomColorJitter(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  if (f.has("brightness_factor"))
    x = brightened(x, drawnWithin(c, f, x, "brightness_factor"), range);
  if (f.has("contrast_factor")) x = contrasted(c, f, x, range, "contrast_factor", 1);
  if (f.has("saturation_factor")) x = withSaturation(c, f, x, range, "saturation_factor", 2);
  if (f.has("hue_factor")) x = withHue(c, f, x, range, "hue_factor", 3);
  return x;
}

// ---- neighbours

/// From smoothed, at 0, over the image itself, at 0.5, to sharper, at 1.
constexpr Argument kRandomSharpness[] = {interval("factor", kShare).isNeeded(), also(kEveryColor)};
Value randomSharpness(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  // Each of the 3 x 3 pixels counts 1 / 13, and the one in the middle four times more.
  Value three = broadcastTo(like(x, 1), {.shape = {3}});
  Value smooth = (blurred(x, three, three) + 4.0 * x) / 13.0;
  Value factor = perImage(drawnWithin(c, f, x, "factor")) * 2.0;
  return range.clipped(x + (1.0 - factor) * (smooth - x));
}

constexpr Range kKernel{1, 1001};
/// A deviation of rows and one of columns are drawn for the batch.
constexpr Argument kRandomGaussianBlur[] = {pair("kernel_size", kKernel, 3),
                                            interval("sigma", kShare, 1), also(kSometimes)};
std::string evenKernel(const Fields& f, const Shape&) {
  Pair size = pairOf(f, "kernel_size");
  return size.h % 2 && size.w % 2 ? ""
                                  : cat("kernel_size must be odd, got ", size.h, " and ", size.w);
}
Value randomGaussianBlur(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  Pair size = pairOf(f, "kernel_size");
  auto [low, high] = f.interval("sigma");
  auto weights = [&](int32_t count, int32_t number) {
    return gaussian(drawn(c, f, *x.graph, 1, low, high, number) + 1e-6, count);
  };
  Value y = blurred(x, weights(size.h, 2), weights(size.w, 3));
  return range.clipped(where(happens(c, f, x), y, x));
}

/// A rectangle of each image becomes noise, or a color: its height and its width are square roots of parts
/// that are drawn, from 0.02 to 0.33 if nothing is said.
constexpr Argument kRandomErasing[] = {interval("scale", kShare), oneOrMore("fill_value", kFinite),
                                       also(kSometimes)};
std::string otherFill(const Fields& f, const Shape& x) {
  size_t count = f.numbers("fill_value").size();
  return count <= 1 || static_cast<int32_t>(count) == x[3]
             ? ""
             : cat("fill_value must be one number, or one for each of the ", x[3],
                   " channels, got ", count);
}
Value randomErasing(LayerContext& c, const Fields& f, Value x, const ValueRange& range) {
  const Shape& s = x.shape();
  std::array<double, 2> scale{0.02, 0.33};
  if (f.has("scale")) scale = f.interval("scale");
  auto inside = [&](int axis) {
    double size = s[axis];
    Value length = sqrt(drawn(c, f, x, scale[0], scale[1], 2 * axis)) * size;
    Value first = perImage(drawn(c, f, x, 0, 1, 2 * axis + 1) * (size - length));
    Shape along{1, 1, 1, 1};
    along[axis] = s[axis];
    Value at = reshape(fjord::range(*x.graph, s[axis]), {.shape = along});
    return (at >= first) & (at < first + perImage(length));
  };
  Value fill;
  if (std::vector<double> given = f.numbers("fill_value"); !given.empty()) {
    std::vector<Value> numbers;
    for (double v : given) numbers.push_back(like(x, v));
    fill = stack(numbers, {.axis = 0});
  } else {
    Draw draw = drawOf(c, f, *x.graph, 6);
    fill = randomNormal(draw.state, {.shape = s, .stream = draw.stream}) * range.high;
  }
  return where(happens(c, f, x) & inside(1) & inside(2), range.clipped(fill), x);
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"RandomBrightness", "randomBrightness", kRandomBrightness, changed<randomBrightness>},
    {"RandomContrast", "randomContrast", kRandomContrast, changed<randomContrast>},
    {"AutoContrast", "autoContrast", kAutoContrast, autoContrast},
    {"RandomInvert", "randomInvert", kRandomInvert, changed<randomInvert>},
    {"RandomPosterization", "randomPosterization", kRandomPosterization,
     changed<randomPosterization>},
    {"Solarization", "solarization", kSolarization, changed<solarization>},
    {"RandomColorDegeneration", "randomColorDegeneration", kRandomColorDegeneration,
     changed<randomColorDegeneration, noGrays>},
    {"RandomGrayscale", "randomGrayscale", kRandomGrayscale, changed<randomGrayscale, noGrays>},
    {"RandomHue", "randomHue", kRandomHue, changed<randomHue, noColors>},
    {"RandomSaturation", "randomSaturation", kRandomSaturation,
     changed<randomSaturation, noColors>},
    {"RandomColorJitter", "randomColorJitter", kRandomColorJitter,
     changed<randomColorJitter, noColorsToJitter>},
    {"RandomSharpness", "randomSharpness", kRandomSharpness, changed<randomSharpness>},
    {"RandomGaussianBlur", "randomGaussianBlur", kRandomGaussianBlur,
     changed<randomGaussianBlur, evenKernel>},
    {"RandomErasing", "randomErasing", kRandomErasing, changed<randomErasing, otherFill>},
}));

}  // namespace

std::span<const LayerRow> colorLayers() { return kRows; }

}  // namespace fjord
