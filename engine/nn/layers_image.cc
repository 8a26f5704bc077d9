// Images of another size, and images that are moved a little in each step of training: Keras's
// preprocessing and augmentation, as layers of the model that they train.
#include <algorithm>

#include "nn/image_parts.h"
#include "ops/image.h"

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

}  // namespace

Value layer_parts::bilinear(Value x, Pair size) {
  return resizeBilinear(x, {.size = size, .halfPixelCenters = true});
}
Value layer_parts::cropped(Value x, Pair size) {
  Pair p = inProportion(x, size);
  return middle(x, std::clamp(p.h, 1, x.shape()[1]), std::clamp(p.w, 1, x.shape()[2]));
}
bool layer_parts::hasPixels(Value x) {
  if (!isImage(x)) return false;
  if (x.shape()[1] > 0 && x.shape()[2] > 0) return true;
  x.graph->fail(cat("needs images of at least one pixel, got ", x.type()));
  return false;
}

namespace {

/// The smallest image with the proportions of `size` that has x in the middle.
Value padded(Value x, Pair size, double value) {
  Pair p = inProportion(x, size);
  int32_t h = std::max(0, p.h - x.shape()[1]) / 2, w = std::max(0, p.w - x.shape()[2]) / 2;
  return pad(x, {.paddings = {0, 0, h, h, w, w, 0, 0}, .value = static_cast<float>(value)});
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

/// One place for all images of a batch. In prediction, and where images are not larger than that, the
/// largest part in the middle is resized.
constexpr Argument kRandomCrop[] = {also(kSize), kSeed};
Value randomCrop(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  Pair size{f.whole("height"), f.whole("width")};
  if (!varies(c) || x.shape()[1] <= size.h || x.shape()[2] <= size.w)
    return bilinear(cropped(x, size), size);
  auto part = [&](int axis, int32_t length) {
    int32_t left = x.shape()[axis] - length;
    Value first = floor(drawn(c, f, *x.graph, 1, 0, left + 1, axis - 1));
    // A draw can be rounded to its end.
    Value at = range(*x.graph, length) + minimum(first, like(first, left));
    x = gather(x, cast(at, DType::kI32), {.axis = axis});
  };
  part(1, size.h);
  part(2, size.w);
  return x;
}

// ---- moved images

/// Both directions by one draw, as in Keras.
constexpr Argument kRandomFlip[] = {choice("mode", "horizontal_and_vertical|horizontal|vertical"),
                                    also(kRandom)};
Value randomFlip(LayerContext& c, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  if (!varies(c)) return x;
  std::string_view mode = f.choice("mode");
  Shape axes;
  if (mode != "horizontal") axes.push(1);
  if (mode != "vertical") axes.push(2);
  return where(perImage(drawn(c, f, x, 0, 1)) <= 0.5, reverse(x, {.axes = axes}), x);
}

constexpr Argument kMoved[] = {choice("fill_mode", "reflect|constant|wrap|nearest"),
                               choice("interpolation", "bilinear|nearest"),
                               number("fill_value", kFinite, 0), also(kRandom)};

FillMode fillMode(std::string_view name) {
  return name == "constant"  ? FillMode::kConstant
         : name == "reflect" ? FillMode::kReflect
         : name == "wrap"    ? FillMode::kWrap
                             : FillMode::kNearest;
}

TransformAttrs howMoved(Value x, const Fields& f) {
  return {.size = {x.shape()[1], x.shape()[2]},
          .bilinear = f.choice("interpolation") == "bilinear",
          .fillMode = fillMode(f.knows("fill_mode") ? f.choice("fill_mode") : "constant"),
          .fillValue = static_cast<float>(f.number("fill_value"))};
}
/// The same number for each image.
Value each(Value x, double v) { return broadcastTo(like(x, v), {.shape = {x.shape()[0]}}); }

/// x of which a pixel is taken from (columns . (column, row, 1), rows . (column, row, 1)) / k, k = far .
/// (column, row) + 1; numbers for each image [N].
Value moved(Value x, const Fields& f, std::array<Value, 3> columns, std::array<Value, 3> rows,
            std::array<Value, 2> far = {}) {
  if (!far[0]) far.fill(each(x, 0));
  std::vector<Value> parts{columns[0], columns[1], columns[2], rows[0],
                           rows[1],    rows[2],    far[0],     far[1]};
  return transform(x, stack(parts, {.axis = 1}), howMoved(x, f));
}

/// About the middle of the image, by a part of a whole turn; counterclockwise where it is above 0.
constexpr Argument kRandomRotation[] = {interval("factor", kEitherWay).isNeeded(), also(kMoved)};
Value randomRotation(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  if (!varies(c)) return x;
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
  if (!varies(c)) return x;
  auto by = [&](const char* factor, int axis) {
    return drawnWithin(c, f, x, factor, axis - 1) * static_cast<double>(x.shape()[axis]);
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
  if (!varies(c)) return x;
  Value h = 1.0 + drawnWithin(c, f, x, "height_factor");
  Value w = f.has("width_factor") ? 1.0 + drawnWithin(c, f, x, "width_factor", 1) : h;
  double row = (x.shape()[1] - 1) / 2.0, column = (x.shape()[2] - 1) / 2.0;
  return moved(x, f, {w, each(x, 0), column * (1.0 - w)}, {each(x, 0), h, row * (1.0 - h)});
}

/// Rows, and columns, are moved by a part of their number, as if the image were sheared about its first
/// pixel.
constexpr Argument kRandomShear[] = {interval("x_factor", kEitherWay, 0),
                                     interval("y_factor", kEitherWay, 0), also(kMoved)};
Value randomShear(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  if (!varies(c)) return x;
  Value sign = where(drawn(c, f, x, 0, 1) > 0.5, -1.0, each(x, 1));
  Value right = drawnWithin(c, f, x, "x_factor", 1) * sign;
  Value down = drawnWithin(c, f, x, "y_factor", 2) * sign;
  return moved(x, f, {each(x, 1), right, each(x, 0)}, {down, each(x, 1), each(x, 0)});
}

/// The corners but the first one are moved by parts of the image's size, and the image is spread between
/// them.
constexpr Argument kRandomPerspective[] = {
    interval("factor", kShare, 1), number("scale", kShare, 1),
    choice("interpolation", "bilinear|nearest"), number("fill_value", kFinite, 0), also(kRandom)};
Value randomPerspective(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  if (!varies(c)) return x;
  double most = 0.5 * f.number("scale");
  // Where corners of the unit square go: (1, 0) to (right, 0), (0, 1) to (0, down), (1, 1) to (u, v).
  auto corner = [&](int32_t number) { return 1.0 + drawn(c, f, x, -most, most, number); };
  Value right = corner(2), down = corner(3), u = corner(4), v = corner(5);
  // The projection that does so takes (s, t) to (a s, e t) / (1 + g s + h t): Heckbert, Fundamentals of
  // Texture Mapping and Image Warping, 2.2.3, with its first corner in place. Here is its inverse.
  Value determinant = (right - u) * (down - v) - u * v;
  Value g = right * (v - down) / determinant, h = down * (u - right) / determinant;
  Value a = right * (1.0 + g), e = down * (1.0 + h);
  auto within = [](Value v, int32_t size) { return v / std::max(size - 1.0, 1.0); };
  Value zero = each(x, 0);
  Value spread = moved(x, f, {1.0 / a, zero, zero}, {zero, 1.0 / e, zero},
                       {within(-g / a, x.shape()[2]), within(-h / e, x.shape()[1])});
  return where(happens(c, f, x), spread, x);
}

/// Pixels are moved by smooth noise. A draw of the batch says how smooth it is and how far they go.
constexpr Argument kRandomElastic[] = {interval("factor", kShare, 1), interval("scale", kShare, 1),
                                       also(kValueRange), also(kMoved)};
Value randomElastic(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  ValueRange values(f, *x.graph);
  auto [low, high] = f.interval("scale");
  if (!varies(c) || high == 0) return x;
  const Shape& s = x.shape();
  double shorter = std::min(s[1], s[2]), longer = std::max(s[1], s[2]);
  Value scale = drawn(c, f, *x.graph, 1, low, high, 2);
  Value far = scale * (0.1 * longer), sigma = scale * (0.05 * shorter);
  // Beyond three times the whole part of sigma the kernel is 0.
  int32_t radius = 3 * static_cast<int32_t>(0.05 * shorter * high);
  Value kernel = gaussian(sigma, 2 * radius + 1, 3.0 * floor(sigma));
  auto places = [&](int axis, Value along) {
    Draw draw = drawOf(c, f, *x.graph, 2 + axis);
    Value noise = randomNormal(draw.state, {.shape = {s[0], s[1], s[2], 1}, .stream = draw.stream});
    Value by = reshape(blurred(noise * sigma, kernel, kernel), {.shape = {s[0], s[1], s[2]}});
    return along + far * by;
  };
  Value rows = places(1, reshape(range(*x.graph, s[1]), {.shape = {s[1], 1}}));
  Value columns = places(2, range(*x.graph, s[2]));
  return values.clipped(where(happens(c, f, x), sampled(x, rows, columns, howMoved(x, f)), x));
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Resizing", "resizing", kResizing, resizing},
    {"CenterCrop", "centerCrop", kSize, centerCrop},
    {"RandomCrop", "randomCrop", kRandomCrop, randomCrop},
    {"RandomFlip", "randomFlip", kRandomFlip, randomFlip},
    {"RandomRotation", "randomRotation", kRandomRotation, randomRotation},
    {"RandomTranslation", "randomTranslation", kRandomTranslation, randomTranslation},
    {"RandomZoom", "randomZoom", kRandomZoom, randomZoom},
    {"RandomShear", "randomShear", kRandomShear, randomShear},
    {"RandomPerspective", "randomPerspective", kRandomPerspective, randomPerspective},
    {"RandomElasticTransform", "randomElasticTransform", kRandomElastic, randomElastic},
}));

}  // namespace

std::span<const LayerRow> imageLayers() { return kRows; }

}  // namespace fjord
