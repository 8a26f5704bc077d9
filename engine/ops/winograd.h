// Convolution with 3x3 filters and stride 1 by Winograd's minimal filtering F(4x4, 3x3): 36
// multiplications for 16 outputs instead of 144 (Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", 2016, which gives the matrices).
//
//   y tile [4,4] = A' [ (G g G') . (B' d B) ] A      for an image tile d [6,6] and a filter g [3,3]
//
// summed over the input channels, so that the product in the middle is 36 matrix products, each of
// tiles x channels by channels x filters. The tiles of neighbouring outputs overlap by two pixels.
//
//   if (sizes.wins(prepared)) ...
//   prepare:  transformFilters(sizes, filter, u, threads)      preparedFloats() floats, once or each time
//   run:      winograd(sizes, x, u, y, scratch, threads, epilogue)
//
// Rounding differs from a direct sum by some 1e-5 of the largest output: an option of the plan keeps
// it off.
#pragma once

#include "ops/correlate.h"

namespace fjord {

struct Winograd {
  int64_t n, h, w, c, oh, ow, oc, beforeY, beforeX;

  static constexpr int64_t kOut = 4, kIn = 6, kProducts = kIn * kIn;

  int64_t tilesY() const { return (oh + kOut - 1) / kOut; }
  int64_t tilesX() const { return (ow + kOut - 1) / kOut; }
  int64_t tiles() const { return n * tilesY() * tilesX(); }
  int64_t panels() const { return panelsOf(oc); }
  int64_t preparedFloats() const { return kProducts * panels() * c * kColumns; }

  /// Whole vectors of channels, enough of them that the transformations are small beside the
  /// products, and enough tiles that the 36 transformed filters, four times the size of the filters,
  /// are read for a reason. Filters that are not prepared are transformed each time, which must pay too
  /// and takes memory that a training step does not need otherwise.
  bool wins(bool prepared) const {
    // Longer sums are left to the direct product, which sees to their rounding.
    bool fits = c <= kLongDepth && c % kLanes == 0 && oc % kLanes == 0 && c >= 16 && oc >= 16 &&
                tiles() >= 12;
    // Multiplications saved for one filter of one channel, and those that take as long as its
    // transformation.
    int64_t saved = 9 * n * oh * ow - kProducts * tiles();
    return fits && (prepared || (saved > kTransform && preparedFloats() <= kMostUnprepared));
  }
  static constexpr int64_t kTransform = 6000, kMostUnprepared = 8 << 20;

  /// Tiles worked on at a time by one thread: as many as keep both transforms in the second-level
  /// cache, in whole tiles of the matrix kernel.
  int64_t block() const {
    constexpr int64_t kFloats = 192 * 1024;
    int64_t rows = kFloats / (kProducts * (c + oc)) / kRows * kRows;
    return std::clamp<int64_t>(rows, kRows, 8 * kRows);
  }
  int64_t scratchFloats() const { return block() * kProducts * (c + oc); }
};

/// Filters as they lie: how far apart neighbouring rows, columns, input channels and outputs are.
struct Filters3x3 {
  const float* first;
  int64_t row, column, input, output;
};

/// u [36][panel][C][kColumns].
void transformFilters(const Winograd& g, const Filters3x3& filters, float* u, Threads& threads);

/// `scratch` holds g.scratchFloats() for each thread.
void winograd(const Winograd& g, const float* x, const float* u, float* y, float* scratch,
              Threads& threads, const Epilogue& epilogue, const Share& share);

}  // namespace fjord
