// What the layers of images share: their arguments, and what they draw.
#pragma once

#include "nn/layer_parts.h"

namespace fjord::layer_parts {

// ---- size

/// Whether x is a batch of images [N,H,W,C] that have pixels; the graph fails where it is not.
bool hasPixels(Value x);
/// To another size, by pixels' centers.
Value bilinear(Value x, Pair size);
/// The largest part in the middle with the proportions of `size`.
Value cropped(Value x, Pair size);

// ---- draws

/// Whether this call changes images: one of training, in a build that trains.
inline bool varies(const LayerContext& c) { return kTrains && c.training; }

inline constexpr Argument kRandom[] = {kSeed, arguments::also(kLayout)};
inline constexpr Range kEitherWay{-1, 1};

/// `count` numbers from `low` to `high`, [count]. Draws of one layer are numbered.
Value drawn(LayerContext& c, const Fields& f, Graph& graph, int32_t count, double low, double high,
            int32_t number = 0);
/// One for each image, [N].
inline Value drawn(LayerContext& c, const Fields& f, Value x, double low, double high,
                   int32_t number = 0) {
  return drawn(c, f, *x.graph, x.shape()[0], low, high, number);
}
/// The same within the argument `name`, an interval.
Value drawnWithin(LayerContext& c, const Fields& f, Value x, const char* name, int32_t number = 0);
/// For each image whether it is changed, [N,1,1,1]: the argument "factor" is an interval of
/// probabilities. It is two draws, from `number` on.
Value happens(LayerContext& c, const Fields& f, Value x, int32_t number = 0);

/// [N] as [N,1,1,1].
inline Value perImage(Value v) { return reshape(v, {.shape = {v.shape()[0], 1, 1, 1}}); }

// ---- values

/// The weights of a Gaussian of the deviation sigma [1] over `size` pixels, [size]; 0 beyond `radius`,
/// if there is one.
Value gaussian(Value sigma, int32_t size, Value radius = {});
/// x [N,H,W,C], each pixel with its neighbours by these weights; beyond the image is 0.
Value blurred(Value x, Value rows, Value columns);

inline constexpr Argument kValueRange[] = {arguments::numbers("value_range", kFinite)};

inline Value bounded(Value x, double low, double high) {
  return clip(x, like(x, low), like(x, high));
}

/// An argument of two numbers, from the lesser to the larger; 0 and 255 if it is not given.
struct ValueRange {
  double low = 0, high = 255;
  ValueRange() = default;
  ValueRange(const Fields& f, Graph& graph);
  double width() const { return high - low; }
  Value clipped(Value x) const { return bounded(x, low, high); }
  /// What is in this range as what is from 0 to `most`, and back.
  Value upTo(Value x, double most) const;
  Value from(Value x, double most) const;
};

}  // namespace fjord::layer_parts
