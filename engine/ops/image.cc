// Images [N,H,W,C] of another size, or moved: composed of gather, at places that are computed. Places
// are float32, as in TensorFlow, whose rounding decides where two pixels are equally near.
#include <algorithm>
#include <cmath>

#include "ops/definition.h"
#include "ops/op.h"

namespace fjord {

namespace {

Status checkImages(const Type& x, Pair size) {
  if (x.shape.rank() != 4) return fail("needs images [N,H,W,C], got ", x);
  if (size.h < 1 || size.w < 1)
    return fail("size must be at least 1, got ", size.h, " and ", size.w);
  if (x.shape[1] < 1 || x.shape[2] < 1) return fail("needs images of at least one pixel, got ", x);
  return {};
}

// ---- another size

/// How an element of the output's axis finds its place on the input's.
struct Places {
  int32_t from, to;
  bool alignCorners, halfPixelCenters;

  float scale() const {
    return alignCorners && to > 1 ? static_cast<float>(from - 1) / static_cast<float>(to - 1)
                                  : static_cast<float>(from) / static_cast<float>(to);
  }
  /// Of all, [to]; `half` is where the centre of a pixel lies.
  Value all(Graph& graph, double half) const {
    Value at = range(graph, to);
    return halfPixelCenters ? (at + 0.5) * scale() - half : at * scale();
  }
  double one(int32_t i, double half) const {
    return halfPixelCenters ? (i + 0.5) * scale() - half : i * static_cast<double>(scale());
  }
};

template <class A>
Places placesOf(const Shape& x, const A& a, int axis) {
  return {x[axis], axis == 1 ? a.size.h : a.size.w, a.alignCorners, a.halfPixelCenters};
}

template <class A>
Status checkResize(std::span<const Type> in, const A& a) {
  FJORD_CHECK(checkImages(in[0], a.size));
  if (a.alignCorners && a.halfPixelCenters)
    return fail("only one of alignCorners and halfPixelCenters can be true");
  return {};
}

/// x at these places of an axis, those beyond its ends at the ends.
Value picked(Value x, int axis, Value at) {
  Value inside = clip(at, like(at, 0), like(at, x.shape()[axis] - 1));
  return gather(x, cast(inside, DType::kI32), {.axis = axis});
}

/// Each pixel from the four around its place, by its distances from them.
struct ResizeBilinear {
  using Attrs = ResizeBilinearAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) { return checkResize(in, a); }
  static Value along(Value x, int axis, const Places& places) {
    if (places.from == places.to) return x;
    Value at = places.all(*x.graph, 0.5), before = floor(at);
    Value low = picked(x, axis, before), high = picked(x, axis, ceil(at));
    Shape spread = Shape::filled(4, 1);
    spread[axis] = places.to;
    return low + (high - low) * reshape(at - before, {.shape = spread});
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    Value x = cast(in[0], DType::kF32);
    for (int axis : {1, 2}) x = along(x, axis, placesOf(in[0].shape(), a, axis));
    return x;
  }
  /// Two pixels of an axis and the share of the second.
  struct Between {
    int32_t low, high;
    double share;
  };
  static Between between(const Places& places, int32_t i) {
    double at = places.one(i, 0.5), before = std::floor(at);
    auto inside = [&](double v) {
      return static_cast<int32_t>(std::clamp(v, 0.0, places.from - 1.0));
    };
    return {inside(before), inside(before + 1), at - before};
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    const Shape& x = c.in[0].type.shape;
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      Between rows = between(placesOf(x, a, 1), y[1]), columns = between(placesOf(x, a, 2), y[2]);
      auto pixel = [&](int32_t row, int32_t column) {
        return valueAt(c.in[0], {y[0], row, column, y[3]});
      };
      double right = columns.share, lower = rows.share;
      valueAt(c.out, y) = (1 - lower) * (1 - right) * pixel(rows.low, columns.low) +
                          (1 - lower) * right * pixel(rows.low, columns.high) +
                          lower * (1 - right) * pixel(rows.high, columns.low) +
                          lower * right * pixel(rows.high, columns.high);
    });
  }
  static std::vector<Case> cases() {
    return {
        makeCase("larger", {floats({2, 3, 4, 2})}, Attrs{.size = {5, 7}}),
        makeCase("larger, half pixels", {floats({2, 3, 4, 3})},
                 Attrs{.size = {7, 9}, .halfPixelCenters = true}),
        makeCase("larger, corners", {floats({1, 3, 4, 1})},
                 Attrs{.size = {5, 9}, .alignCorners = true}),
        makeCase("smaller", {floats({1, 9, 11, 2})},
                 Attrs{.size = {4, 5}, .halfPixelCenters = true}),
        makeCase("one pixel", {floats({2, 5, 6, 1})}, Attrs{.size = {1, 1}, .alignCorners = true}),
        makeCase("of one pixel", {floats({2, 1, 1, 3})},
                 Attrs{.size = {3, 2}, .halfPixelCenters = true}),
        makeCase("one axis", {floats({1, 4, 17, 2})}, Attrs{.size = {4, 40}}),
        makeCase("whole numbers", {ints({1, 3, 4, 2}, -99, 99)}, Attrs{.size = {5, 7}}),
        makeCase("nothing", {floats({0, 3, 4, 2})}, Attrs{.size = {5, 7}})};
  }
};

/// Each pixel is the one that is nearest to its place.
struct ResizeNearestNeighbor {
  using Attrs = ResizeNearestNeighborAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) { return checkResize(in, a); }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    Value x = in[0];
    for (int axis : {1, 2}) {
      Places places = placesOf(in[0].shape(), a, axis);
      Value at = places.all(*x.graph, 0);
      if (places.from != places.to) x = picked(x, axis, floor(a.alignCorners ? at + 0.5 : at));
    }
    return x;
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      Shape x = y;
      for (int axis : {1, 2}) {
        Places places = placesOf(c.in[0].type.shape, a, axis);
        double at = places.one(y[axis], 0);
        int64_t nearest = a.alignCorners ? std::lround(at) : static_cast<int64_t>(std::floor(at));
        x[axis] = static_cast<int32_t>(std::min<int64_t>(nearest, places.from - 1));
      }
      valueAt(c.out, y) = valueAt(c.in[0], x);
    });
  }
  static std::vector<Case> cases() {
    return {makeCase("larger", {floats({2, 3, 4, 2})}, Attrs{.size = {5, 7}}),
            makeCase("larger, half pixels", {floats({2, 3, 4, 3})},
                     Attrs{.size = {7, 9}, .halfPixelCenters = true}),
            makeCase("larger, corners", {floats({1, 3, 4, 1})},
                     Attrs{.size = {6, 9}, .alignCorners = true}),
            makeCase("smaller", {floats({1, 9, 11, 2})},
                     Attrs{.size = {4, 5}, .halfPixelCenters = true}),
            makeCase("one pixel", {floats({2, 5, 6, 1})}, Attrs{.size = {1, 1}}),
            makeCase("of one pixel", {floats({2, 1, 1, 3})}, Attrs{.size = {3, 2}}),
            makeCase("whole numbers", {ints({1, 3, 4, 2}, -99, 99)}, Attrs{.size = {5, 7}}),
            makeCase("nothing", {floats({0, 3, 4, 2})}, Attrs{.size = {5, 7}})};
  }
};

// ---- moved

// What formulas say of graph values, for double.
double floor(double v) { return std::floor(v); }
double ceil(double v) { return std::ceil(v); }
double where(bool c, double a, double b) { return c ? a : b; }
double clip(double v, double least, double most) { return std::clamp(v, least, most); }
double like(double, double v) { return v; }

/// Where a place beyond the ends of an axis of n pixels lies among them: TensorFlow's formulas for
/// ImageProjectiveTransformV3, in graph values and in double.
template <class T>
T withinAxis(T at, int32_t n, FillMode mode) {
  if (mode == FillMode::kConstant) return at;
  if (mode == FillMode::kReflect) {
    at = at - floor(at / (2.0 * n)) * (2.0 * n);
    at = where(at < n, at, 2.0 * n - 1.0 - at);
  }
  if (mode == FillMode::kWrap && n > 1) {
    // What lies left of the first pixel, and right of the last, is moved by whole images.
    T left = at + (floor(-at / (n - 1.0)) + 1.0) * static_cast<double>(n);
    T right = at - floor(at / (n - 1.0)) * static_cast<double>(n);
    at = where(at < 0.0, left, where(at > n - 1.0, right, at));
  }
  return clip(at, like(at, 0.0), like(at, n - 1.0));
}
/// The nearest whole number; away from zero where two are equally near.
template <class T>
T nearestTo(T at) {
  return where(at < 0.0, ceil(at - 0.5), floor(at + 0.5));
}

/// x at whole rows and columns [N,h,w], fillValue beyond the image.
Value pixels(Value x, Value row, Value column, const TransformAttrs& a) {
  const Shape& s = x.shape();
  Value last[] = {like(row, s[1] - 1), like(row, s[2] - 1)}, zero = like(row, 0);
  Value inside = (row >= zero) & (row <= last[0]) & (column >= zero) & (column <= last[1]);
  auto whole = [](Value v) { return cast(v, DType::kI32); };
  Value image = reshape(whole(range(*x.graph, s[0])), {.shape = {s[0], 1, 1}});
  Value at =
      (image * s[1] + whole(clip(row, zero, last[0]))) * s[2] + whole(clip(column, zero, last[1]));
  Value flat = reshape(x, {.shape = {int64_t{s[0]} * s[1] * s[2], s[3]}});
  return where(reshape(inside, {.shape = {s[0], a.size.h, a.size.w, 1}}), gather(flat, at),
               static_cast<double>(a.fillValue));
}
Value interpolated(Value x, Value row, Value column, const TransformAttrs& a) {
  Value top = floor(row), left = floor(column), bottom = top + 1.0, right = left + 1.0;
  Shape spread{x.shape()[0], a.size.h, a.size.w, 1};
  auto share = [&](Value v) { return reshape(v, {.shape = spread}); };
  auto between = [&](Value row) {
    return share(right - column) * pixels(x, row, left, a) +
           share(column - left) * pixels(x, row, right, a);
  };
  return share(bottom - row) * between(top) + share(row - top) * between(bottom);
}

}  // namespace

Value sampled(Value x, Value rows, Value columns, const TransformAttrs& a) {
  rows = withinAxis(rows, x.shape()[1], a.fillMode);
  columns = withinAxis(columns, x.shape()[2], a.fillMode);
  return a.bilinear ? interpolated(x, rows, columns, a)
                    : pixels(x, nearestTo(rows), nearestTo(columns), a);
}

namespace {

/// Inputs: x [N,H,W,C], transforms [N or 1, 8]. The pixel (column, row) is taken from
/// ((t0 column + t1 row + t2) / k, (t3 column + t4 row + t5) / k), k = t6 column + t7 row + 1.
struct Transform {
  using Attrs = TransformAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(checkImages(in[0], a.size));
    const Shape &x = in[0].shape, &t = in[1].shape;
    if (in[1].dtype != DType::kF32) return fail("transforms must be float32, got ", in[1].dtype);
    if (t.rank() != 2 || (t[0] != 1 && t[0] != x[0]) || t[1] != 8)
      return fail("transforms must be [1,8] or [", x[0], ",8], got ", t);
    if (in[0].dtype == DType::kBool) return fail("needs numbers: cast it first");
    bool isWhole = in[0].dtype == DType::kI32 && !a.bilinear;
    bool fits = !isWhole || a.fillValue == std::trunc(a.fillValue);
    return checkNumber("fillValue", a.fillValue, fits, isWhole ? " without a fraction" : "");
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    Value x = a.bilinear ? cast(in[0], DType::kF32) : in[0];
    int32_t images = x.shape()[0], given = in[1].shape()[0];
    Value column = range(*x.graph, a.size.w);
    Value row = reshape(range(*x.graph, a.size.h), {.shape = {a.size.h, 1}});
    auto t = [&](int i) {
      return reshape(slice(in[1], {.begin = {0, i}, .size = {given, 1}}), {.shape = {given, 1, 1}});
    };
    Value k = t(6) * column + t(7) * row + 1.0;
    // Beyond every image where the place is infinitely far.
    Value far = k == 0.0;
    k = where(far, 1.0, k);
    auto place = [&](int first) {
      Value at = (t(first) * column + t(first + 1) * row + t(first + 2)) / k;
      return broadcastTo(at, {.shape = {images, a.size.h, a.size.w}});
    };
    Value y = sampled(x, place(3), place(0), a);
    Shape one{given, a.size.h, a.size.w, 1};
    return where(reshape(far, {.shape = one}), static_cast<double>(a.fillValue), y);
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    const Shape& x = c.in[0].type.shape;
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      auto t = [&](int i) { return valueAt(c.in[1], {c.in[1].type.shape[0] == 1 ? 0 : y[0], i}); };
      double k = t(6) * y[2] + t(7) * y[1] + 1;
      auto place = [&](int first, int32_t size) {
        double at = (t(first) * y[2] + t(first + 1) * y[1] + t(first + 2)) / k;
        return withinAxis(at, size, a.fillMode);
      };
      auto pixel = [&](double row, double column) {
        bool inside = row >= 0 && row < x[1] && column >= 0 && column < x[2];
        return inside ? valueAt(c.in[0], {y[0], static_cast<int64_t>(row),
                                          static_cast<int64_t>(column), y[3]})
                      : a.fillValue;
      };
      double row = place(3, x[1]), column = place(0, x[2]), top = floor(row), left = floor(column);
      double lower = row - top, right = column - left;
      valueAt(c.out, y) = k == 0        ? a.fillValue
                          : !a.bilinear ? pixel(nearestTo(row), nearestTo(column))
                                        : (1 - lower) * (1 - right) * pixel(top, left) +
                                              (1 - lower) * right * pixel(top, left + 1) +
                                              lower * (1 - right) * pixel(top + 1, left) +
                                              lower * right * pixel(top + 1, left + 1);
    });
  }
  static std::vector<Case> cases() {
    std::vector<Case> all;
    // Places are within the image and beyond each of its ends.
    constexpr std::string_view kNames[] = {"constant", "reflect", "wrap", "nearest"};
    for (int mode = 0; mode < 4; ++mode) {
      Attrs a{.size = {4, 6}, .bilinear = true, .fillMode = static_cast<FillMode>(mode)};
      a.fillValue = 0.5f;
      all.push_back(
          makeCase(kNames[mode], {floats({3, 2, 3, 2}), floats({3, 8}, -0.08, 0.5)}, a, 1e-5));
    }
    all.push_back(makeCase("one transform", {floats({2, 5, 4, 1}), floats({1, 8}, 0.05, 0.4)},
                           Attrs{.size = {3, 3}, .bilinear = true}, 1e-5));
    all.push_back(makeCase("nearest pixels of whole numbers",
                           {ints({2, 5, 6, 3}, -99, 99), floats({2, 8}, 0.05, 0.4)},
                           Attrs{.size = {5, 6}, .fillValue = 7}));
    all.push_back(flatCase("nothing", {floats({0, 3, 4, 2}), floats({1, 8})},
                           Attrs{.size = {5, 7}, .bilinear = true}));
    return all;
  }
};

}  // namespace

FJORD_COMPOSED(ResizeBilinear, resizeBilinear)
FJORD_COMPOSED(ResizeNearestNeighbor, resizeNearestNeighbor)
FJORD_COMPOSED(Transform, transform)

}  // namespace fjord
