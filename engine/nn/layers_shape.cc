// Layers that move elements: reshape, permute, pad, crop, spread.
#include <algorithm>
#include <cmath>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

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

template <int axes>
constexpr Argument kZeroPadding[] = {borders("padding", axes, 1), also(kEitherLayout)};
Value zeroPadding(LayerContext&, const Fields& f, Inputs in) {
  Shape sides = f.borders("padding");
  if (!isBatch(in[0], sides.rank() / 2)) return {};
  Paddings paddings{0, 0};
  for (int32_t side : sides) paddings.push(side);
  paddings.push(0);
  paddings.push(0);
  return pad(in[0], {.paddings = paddings});
}

/// [[1,0],[2,2]], or of one axis [1,0].
std::string shownBorders(const Shape& sides) {
  std::string out;
  for (int i = 0; i < sides.rank(); i += 2) out += cat(i ? "," : "", Shape{sides[i], sides[i + 1]});
  return sides.rank() == 2 ? out : cat("[", out, "]");
}

template <int axes>
constexpr Argument kCroppingOf[] = {borders("cropping", axes, axes == 2 ? 0 : 1)};
constexpr Argument kCropping1d[] = {also(kCroppingOf<1>)};
constexpr Argument kCropping2d[] = {also(kCroppingOf<2>), also(kEitherLayout)};
constexpr Argument kCropping3d[] = {also(kCroppingOf<3>), also(kEitherLayout)};
Value cropping(LayerContext&, const Fields& f, Inputs in) {
  Shape sides = f.borders("cropping");
  int axes = sides.rank() / 2;
  if (!isBatch(in[0], axes)) return {};
  Shape begin = Shape::filled(axes + 2, 0), size = in[0].shape();
  for (int i = 0; i < axes; ++i) {
    constexpr std::string_view kNames[3][3] = {
        {"steps"}, {"rows", "columns"}, {"planes", "rows", "columns"}};
    int64_t left = int64_t{size[i + 1]} - sides[2 * i] - sides[2 * i + 1];
    if (left < 1) {
      std::string there;
      for (int k = 0; k < axes; ++k)
        there += cat(k == 0         ? ""
                     : k + 1 < axes ? ", "
                                    : " and ",
                     in[0].shape()[k + 1], " ", kNames[axes - 1][k]);
      in[0].graph->fail(
          cat("cropping must leave something of ", there, ", got ", shownBorders(sides)));
      return {};
    }
    begin[i + 1] = sides[2 * i];
    size[i + 1] = static_cast<int32_t>(left);
  }
  return slice(in[0], {.begin = begin, .size = size});
}

// ---- more of the same

/// Each entry along the axes between, so many times.
Value repeated(Value x, const Shape& times) {
  const Shape& s = x.shape();
  Shape parted{s[0]}, spread{s[0]}, joined{s[0]};
  for (int i = 0; i < times.rank(); ++i) {
    parted.push(s[i + 1]);
    parted.push(1);
    spread.push(s[i + 1]);
    spread.push(times[i]);
    joined.push(int64_t{s[i + 1]} * times[i]);
  }
  for (Shape* shape : {&parted, &spread, &joined}) shape->push(s[-1]);
  return reshape(broadcastTo(reshape(x, {.shape = parted}), {.shape = spread}), {.shape = joined});
}

/// Along one axis, between the middles of entries; beyond the first and the last there are these.
Value interpolated(Value x, int axis, int32_t times) {
  if (!x || times == 1) return x;
  int32_t n = x.shape()[axis];
  auto part = [&](int32_t begin, int32_t size) {
    Shape from = Shape::filled(x.shape().rank(), 0), shape = x.shape();
    from[axis] = begin;
    shape[axis] = size;
    return slice(x, {.begin = from, .size = shape});
  };
  Value before = x, after = x;
  if (n > 1) {
    before = concat({{part(0, 1), part(0, n - 1)}}, {.axis = axis});
    after = concat({{part(1, n - 1), part(n - 1, 1)}}, {.axis = axis});
  }
  std::vector<Value> phases;
  for (int i = 0; i < times; ++i) {
    // How far the middle of the i-th of the new entries is from that of the old one.
    double away = (i + 0.5) / times - 0.5;
    Value other = away < 0 ? before : after;
    phases.push_back(away == 0 ? x : x * (1 - std::fabs(away)) + other * std::fabs(away));
  }
  Shape joined = x.shape();
  joined[axis] = Shape{int64_t{n} * times}[0];
  return reshape(stack(phases, {.axis = axis + 1}), {.shape = joined});
}

constexpr Argument kUpSampling1d[] = {whole("size", kCount, 2)};
Value upSampling1d(LayerContext&, const Fields& f, Inputs in) {
  return isBatch(in[0], 1) ? repeated(in[0], {f.whole("size")}) : Value{};
}

constexpr Argument kUpSampling2d[] = {
    pair("size", kCount, 2), choice("interpolation", "nearest|bilinear"), also(kEitherLayout)};
Value upSampling2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  Shape size = f.perAxis("size");
  if (f.choice("interpolation") == "nearest") return repeated(in[0], size);
  for (int32_t times : size) {
    // Each new entry between two old ones is a node of the graph.
    constexpr int32_t kMostTimes = 64;
    if (times <= kMostTimes) continue;
    in[0].graph->fail(
        cat("size must be at most ", kMostTimes, " with bilinear interpolation, got ", size));
    return {};
  }
  return interpolated(interpolated(in[0], 1, size[0]), 2, size[1]);
}

constexpr Argument kUpSampling3d[] = {perAxis("size", 3, kCount, 2), also(kEitherLayout)};
Value upSampling3d(LayerContext&, const Fields& f, Inputs in) {
  return isBatch(in[0], 3) ? repeated(in[0], f.perAxis("size")) : Value{};
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Flatten", "flatten", kEitherLayout, eitherLayout<flatten>},
    {"Reshape", "reshape", kReshape, reshapeLayer},
    {"Permute", "permute", kPermute, permute},
    {"RepeatVector", "repeatVector", kRepeatVector, repeatVector},
    {"UpSampling1D", "upSampling1d", kUpSampling1d, upSampling1d},
    {"UpSampling2D", "upSampling2d", kUpSampling2d, eitherLayout<upSampling2d>},
    {"UpSampling3D", "upSampling3d", kUpSampling3d, eitherLayout<upSampling3d>},
    {"ZeroPadding1D", "zeroPadding1d", kZeroPadding<1>, eitherLayout<zeroPadding>},
    {"ZeroPadding2D", "zeroPadding2d", kZeroPadding<2>, eitherLayout<zeroPadding>},
    {"ZeroPadding3D", "zeroPadding3d", kZeroPadding<3>, eitherLayout<zeroPadding>},
    {"Cropping1D", "cropping1D", kCropping1d, cropping},
    {"Cropping2D", "cropping2D", kCropping2d, eitherLayout<cropping>},
    {"Cropping3D", "cropping3D", kCropping3d, eitherLayout<cropping>},
}));

}  // namespace

std::span<const LayerRow> shapeLayers() { return kRows; }

}  // namespace fjord
