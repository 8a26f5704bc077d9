// Images of another size, and images that look a little different in each step of training: Keras's
// preprocessing and augmentation, as layers of the model that they train.
#include <algorithm>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

// ---- size

/// h rows and w columns in the middle of x.
Value middle(Value x, int32_t h, int32_t w) {
  const Shape& s = x.shape();
  return slice(x, {.begin = {0, (s[1] - h) / 2, (s[2] - w) / 2, 0}, .size = {s[0], h, w, s[3]}});
}

/// How many rows go with all columns of x where both have the proportions of `size`; and columns with
/// all rows.
Pair inProportion(Value x, Pair size) {
  int64_t h = x.shape()[1], w = x.shape()[2];
  return {static_cast<int32_t>(std::min<int64_t>(w * size.h / size.w, kMostInt)),
          static_cast<int32_t>(std::min<int64_t>(h * size.w / size.h, kMostInt))};
}

/// The largest part in the middle with the proportions of `size`.
Value cropped(Value x, Pair size) {
  Pair p = inProportion(x, size);
  return middle(x, std::clamp(p.h, 1, x.shape()[1]), std::clamp(p.w, 1, x.shape()[2]));
}

/// The smallest image with the proportions of `size` that has x in the middle.
Value padded(Value x, Pair size, double value) {
  Pair p = inProportion(x, size);
  int32_t h = std::max(0, p.h - x.shape()[1]) / 2, w = std::max(0, p.w - x.shape()[2]) / 2;
  return pad(x, {.paddings = {0, 0, h, h, w, w, 0, 0}, .value = static_cast<float>(value)});
}

Value bilinear(Value x, Pair size) {
  return resizeBilinear(x, {.size = size, .halfPixelCenters = true});
}

bool hasPixels(Value x) {
  if (!isImage(x)) return false;
  if (x.shape()[1] > 0 && x.shape()[2] > 0) return true;
  x.graph->fail(cat("needs images of at least one pixel, got ", x.type()));
  return false;
}

constexpr Argument kSize[] = {whole("height", kCount).isNeeded(), whole("width", kCount).isNeeded(),
                              also(kLayout)};
constexpr Argument kResizing[] = {also(kSize),
                                  choice("interpolation", "bilinear|nearest"),
                                  flag("crop_to_aspect_ratio", false),
                                  flag("pad_to_aspect_ratio", false),
                                  only("fill_mode", "\"constant\""),
                                  number("fill_value", kFinite, 0),
                                  only("antialias", "false")};
Value resizing(LayerContext&, const Fields& f, Inputs in) {
  Value x = in[0];
  if (!hasPixels(x)) return {};
  Pair size{f.whole("height"), f.whole("width")};
  bool crops = f.flag("crop_to_aspect_ratio"), pads = f.flag("pad_to_aspect_ratio");
  if (crops && pads) {
    x.graph->fail("only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be true");
    return {};
  }
  if (crops) x = cropped(x, size);
  if (pads) x = padded(x, size, f.number("fill_value"));
  if (f.choice("interpolation") == "nearest")
    return resizeNearestNeighbor(x, {.size = size, .halfPixelCenters = true});
  Value y = bilinear(x, size);
  return x.dtype() == DType::kF32 ? y : cast(round(y), x.dtype());
}

/// Smaller images are made larger.
Value centerCrop(LayerContext&, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  Pair size{f.whole("height"), f.whole("width")};
  if (x.shape()[1] >= size.h && x.shape()[2] >= size.w) return middle(x, size.h, size.w);
  return bilinear(cropped(x, size), size);
}

// ---- what differs from image to image and from step to step

/// A number for each image, [N]. Draws of one layer are numbered.
Value drawn(LayerContext& c, const Fields& f, Value x, double low, double high,
            int32_t number = 0) {
  Draw draw = drawOf(c, f, *x.graph, number);
  return randomUniform(draw.state, {.shape = {x.shape()[0]},
                                    .low = static_cast<float>(low),
                                    .high = static_cast<float>(high),
                                    .stream = draw.stream});
}
Value perImage(Value v) { return reshape(v, {.shape = {v.shape()[0], 1, 1, 1}}); }

constexpr Argument kRandom[] = {kSeed, also(kLayout)};

/// An argument of two numbers, from the lesser to the larger; 0 and 255 if it is not given.
struct ValueRange {
  double low = 0, high = 255;
  ValueRange(const Fields& f, Graph& graph) {
    std::vector<double> given = f.numbers("value_range");
    if (given.empty()) return;
    if (given.size() != 2 || given[0] == given[1]) {
      graph.fail("value_range must be two different numbers, the least and the largest");
      return;
    }
    low = std::min(given[0], given[1]);
    high = std::max(given[0], given[1]);
  }
  Value clipped(Value x) const { return clip(x, like(x, low), like(x, high)); }
};

/// Both directions by one draw, as in Keras.
constexpr Argument kRandomFlip[] = {choice("mode", "horizontal_and_vertical|horizontal|vertical"),
                                    also(kRandom)};
Value randomFlip(LayerContext& c, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  if (!c.training) return x;
  std::string_view mode = f.choice("mode");
  Shape axes;
  if (mode != "horizontal") axes.push(1);
  if (mode != "vertical") axes.push(2);
  return where(perImage(drawn(c, f, x, 0, 1)) <= 0.5, reverse(x, {.axes = axes}), x);
}

/// Further from, or nearer to, the mean of each channel, by a factor from 1 - low to 1 + high.
constexpr Argument kRandomContrast[] = {interval("factor", kShare).isNeeded(),
                                        numbers("value_range", kFinite), also(kRandom)};
Value randomContrast(LayerContext& c, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  ValueRange range(f, *x.graph);
  if (!c.training) return x;
  auto [low, high] = f.interval("factor");
  Value average = mean(x, {.axes = {1, 2}, .keepDims = true});
  Value factor = perImage(drawn(c, f, x, 1 - low, 1 + high));
  return range.clipped((x - average) * factor + average);
}

constexpr Range kEitherWay{-1, 1};
constexpr Argument kRandomBrightness[] = {interval("factor", kEitherWay).isNeeded(),
                                          numbers("value_range", kFinite), also(kRandom)};
Value randomBrightness(LayerContext& c, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  ValueRange range(f, *x.graph);
  if (!c.training) return x;
  auto [low, high] = f.interval("factor");
  return range.clipped(x + perImage(drawn(c, f, x, low, high)) * (range.high - range.low));
}

// ---- moved images

constexpr Argument kMoved[] = {choice("fill_mode", "reflect|constant|wrap|nearest"),
                               choice("interpolation", "bilinear|nearest"),
                               number("fill_value", kFinite, 0), also(kRandom)};

FillMode fillMode(std::string_view name) {
  return name == "constant"  ? FillMode::kConstant
         : name == "reflect" ? FillMode::kReflect
         : name == "wrap"    ? FillMode::kWrap
                             : FillMode::kNearest;
}

/// x of which a pixel is taken from (columns . (column, row, 1), rows . (column, row, 1)), numbers for
/// each image [N].
Value moved(Value x, const Fields& f, std::array<Value, 3> columns, std::array<Value, 3> rows) {
  int32_t images = x.shape()[0];
  std::vector<Value> parts;
  for (const auto& row : {columns, rows}) {
    for (Value v : row) parts.push_back(reshape(v, {.shape = {images, 1}}));
  }
  parts.push_back(broadcastTo(like(x, 0), {.shape = {images, 2}}));
  return transform(x, concat(parts, {.axis = 1}),
                   {.size = {x.shape()[1], x.shape()[2]},
                    .bilinear = f.choice("interpolation") == "bilinear",
                    .fillMode = fillMode(f.choice("fill_mode")),
                    .fillValue = static_cast<float>(f.number("fill_value"))});
}
/// The same number for each image.
Value each(Value x, double v) { return broadcastTo(like(x, v), {.shape = {x.shape()[0]}}); }

/// About the middle of the image, by a part of a whole turn; counterclockwise where it is above 0.
constexpr Argument kRandomRotation[] = {interval("factor", kEitherWay).isNeeded(), also(kMoved)};
Value randomRotation(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  if (!c.training) return x;
  constexpr double kTurn = 2 * 3.14159265358979323846;
  auto [low, high] = f.interval("factor");
  Value angle = drawn(c, f, x, low * kTurn, high * kTurn), cosine = cos(angle), sine = sin(angle);
  double row = (x.shape()[1] - 1) / 2.0, column = (x.shape()[2] - 1) / 2.0;
  return moved(x, f, {cosine, -sine, column - column * cosine + row * sine},
               {sine, cosine, row - column * sine - row * cosine});
}

/// By parts of the image's height and width; down and to the right where they are above 0.
constexpr Argument kRandomTranslation[] = {interval("height_factor", kEitherWay).isNeeded(),
                                           interval("width_factor", kEitherWay).isNeeded(),
                                           also(kMoved)};
Value randomTranslation(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  if (!c.training) return x;
  auto by = [&](const char* factor, int axis) {
    auto [low, high] = f.interval(factor);
    return drawn(c, f, x, low, high, axis - 1) * static_cast<double>(x.shape()[axis]);
  };
  Value down = by("height_factor", 1), right = by("width_factor", 2);
  return moved(x, f, {each(x, 1), each(x, 0), -right}, {each(x, 0), each(x, 1), -down});
}

/// About the middle; smaller where a factor is above 0. Without a width_factor the proportions stay.
constexpr Range kZoom{-1, 1, true};
constexpr Argument kRandomZoom[] = {interval("height_factor", kZoom).isNeeded(),
                                    interval("width_factor", kZoom), also(kMoved)};
Value randomZoom(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  if (!c.training) return x;
  auto by = [&](const char* factor, int32_t number) {
    auto [low, high] = f.interval(factor);
    return drawn(c, f, x, 1 + low, 1 + high, number);
  };
  Value h = by("height_factor", 0), w = f.has("width_factor") ? by("width_factor", 1) : h;
  double row = (x.shape()[1] - 1) / 2.0, column = (x.shape()[2] - 1) / 2.0;
  return moved(x, f, {w, each(x, 0), column * (1.0 - w)}, {each(x, 0), h, row * (1.0 - h)});
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Resizing", "resizing", kResizing, resizing},
    {"CenterCrop", "centerCrop", kSize, centerCrop},
    {"RandomFlip", "randomFlip", kRandomFlip, randomFlip},
    {"RandomContrast", "randomContrast", kRandomContrast, randomContrast},
    {"RandomBrightness", "randomBrightness", kRandomBrightness, randomBrightness},
    {"RandomRotation", "randomRotation", kRandomRotation, randomRotation},
    {"RandomTranslation", "randomTranslation", kRandomTranslation, randomTranslation},
    {"RandomZoom", "randomZoom", kRandomZoom, randomZoom},
}));

}  // namespace

std::span<const LayerRow> imageLayers() { return kRows; }

}  // namespace fjord
