// Images whose values are spread evenly, by how often they are: Keras's equalization, of whole images and of
// their parts.
#include <algorithm>
#include <cmath>

#include "nn/image_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

/// whole numbers f(0), f(1), .. along axis `axis` of images [N,H,W,C], of the size that it has in x.
template <class F>
Value along(Value x, int axis, F&& f) {
  Shape shape{1, 1, 1, 1};
  shape[axis] = x.shape()[axis];
  std::vector<int32_t> numbers;
  for (int32_t i = 0; i < shape[axis]; ++i) numbers.push_back(f(i));
  Result<Tensor> values = Tensor::of(shape, numbers);
  return values ? x.graph->array(*values) : Value{};
}

/// Whether tables of so many numbers can be counted; the graph fails where they cannot.
bool areFew(Value x, double tables, double size) {
  if (tables * size <= kMostInt) return true;
  x.graph->fail(cat("needs ", tables, " tables of ", size, " numbers for ", x.type(),
                    ", which are too many"));
  return false;
}

/// How often each of `size` numbers is in `index`, [size].
Value countsOf(Value index, int32_t size) {
  Value flat = reshape(index, {.shape = {index.type().shape.size()}});
  Value ones = broadcastTo(constant(*index.graph, 1), {.shape = flat.shape()});
  return scatterAdd(flat, ones, {.axis = 0, .size = size});
}
Value whole(Value x, double most) { return cast(bounded(x, 0, most), DType::kI32); }
Value atLeastOne(Value x) { return where(x == 0.0, 1.0, x); }

/// Each channel by its histogram over all images of the batch.
constexpr Argument kEqualization[] = {arguments::whole("bins", kCount, 256), also(kValueRange),
                                      also(kLayout)};
Value equalization(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  ValueRange range(f, *x.graph);
  if (!varies(c)) return x;
  int32_t bins = f.whole("bins"), channels = x.shape()[3];
  double last = bins - 1;
  if (!areFew(x, channels, bins)) return {};
  x = range.upTo(x, 255);
  Value table = along(x, 3, [&](int32_t channel) { return channel * bins; });
  Value counts = countsOf(table + whole(x * last / 255.0, last), channels * bins);
  Value below = cumsum(reshape(counts, {.shape = {channels, bins}}), {.axis = 1});
  Value all = slice(below, {.begin = {0, bins - 1}, .size = {channels, 1}});
  Value first = min(where(below > 0.0, below, all), {.axes = {1}, .keepDims = true});
  Value even = round((below - first) * 255.0 / atLeastOne(all - first));
  Value y =
      gather(reshape(even, {.shape = {channels * bins}}), table + whole(x / 255.0 * last, last));
  Value isOneValue = reshape(equal(all, first), {.shape = {channels}});
  return range.from(where(isOneValue, x, y), 255);
}

/// Between which two tiles of an axis a pixel lies, and how far it is from the first one's center. Pixels
/// before the first center, and after the last, belong to these tiles.
struct Between {
  Value first, second, share;
  Between(Value x, int axis, int32_t tile, int32_t tiles) {
    auto center = [&](int32_t i) { return (i - tile / 2.0) / tile; };
    auto at = [&](int more) {
      return along(x, axis, [&](int32_t i) {
        return std::clamp(static_cast<int32_t>(std::floor(center(i))) + more, 0, tiles - 1);
      });
    };
    first = at(0);
    second = at(1);
    Shape shape{1, 1, 1, 1};
    shape[axis] = x.shape()[axis];
    Value place = (range(*x.graph, shape[axis]) - tile / 2.0) / tile;
    share = reshape(place - floor(place), {.shape = shape});
  }
  Value mixed(Value a, Value b) const { return a * (1.0 - share) + b * share; }
};

/// Pizer et al., Adaptive Histogram Equalization and its Variations, 1987: a histogram for each tile of
/// an image, in which no value counts more than a limit; between centers of tiles their tables are
/// interpolated.
constexpr Argument kClahe[] = {number("clip_limit", kFinite, 4), pair("tile_grid_size", kCount, 8),
                               also(kValueRange), also(kLayout)};
Value clahe(LayerContext&, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  const Shape s = x.shape();
  ValueRange range(f, *x.graph);
  constexpr int32_t kValues = 256;
  Pair grid = pairOf(f, "tile_grid_size");
  Pair tile{(s[1] - 1) / grid.h + 1, (s[2] - 1) / grid.w + 1};
  Paddings more{0, 0, 0, tile.h * grid.h - s[1], 0, tile.w * grid.w - s[2], 0, 0};
  x = mirrorPad(range.upTo(x, 255), {.paddings = more, .mode = MirrorMode::kSymmetric});
  if (!x) return {};

  if (!areFew(x, double{1} * s[0] * grid.h * grid.w * s[3], kValues)) return {};
  int32_t tables = grid.h * grid.w * s[3];
  Value table = along(x, 0, [&](int32_t image) { return image * tables; }) +
                along(x, 3, [](int32_t channel) { return channel; });
  Value pixel = whole(x, kValues - 1);
  auto entry = [&](Value row, Value column) {
    return (table + (row * grid.w + column) * s[3]) * kValues + pixel;
  };
  Value row = along(x, 1, [&](int32_t i) { return i / tile.h; });
  Value column = along(x, 2, [&](int32_t i) { return i / tile.w; });
  Value counts = reshape(countsOf(entry(row, column), s[0] * tables * kValues),
                         {.shape = {s[0] * tables, kValues}});
  double pixels = static_cast<double>(tile.h) * tile.w;
  if (double limit = f.number("clip_limit") * pixels / kValues; limit > 0) {
    Value clipped = minimum(counts, like(counts, limit));
    Value rest = sum(counts - clipped, {.axes = {1}, .keepDims = true});
    counts = clipped + rest / kValues;
  }
  Value below = cumsum(counts, {.axis = 1});
  Value least = min(below, {.axes = {1}, .keepDims = true});
  Value even = (below - least) * 255.0 / atLeastOne(pixels - least);
  even = reshape(bounded(even, 0, 255), {.shape = {even.shape().size()}});

  Between rows(x, 1, tile.h, grid.h), columns(x, 2, tile.w, grid.w);
  auto inRow = [&](Value row) {
    return columns.mixed(gather(even, entry(row, columns.first)),
                         gather(even, entry(row, columns.second)));
  };
  Value y = rows.mixed(inRow(rows.first), inRow(rows.second));
  return range.from(slice(y, {.begin = {0, 0, 0, 0}, .size = s}), 255);
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Equalization", "equalization", kEqualization, equalization},
    {"ContrastLimitedAdaptiveHistogramEqualization", "contrastLimitedAdaptiveHistogramEqualization",
     kClahe, clahe},
}));

}  // namespace

std::span<const LayerRow> equalizingLayers() { return kRows; }

}  // namespace fjord
