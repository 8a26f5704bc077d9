// What convolution and pooling of volumes [N,D,H,W,C] share: their planes are images, and the axis of
// depth comes on top of what is done with these.
#pragma once

#include "ops/op.h"
#include "ops/window.h"

namespace fjord::volume {

inline Pair acrossOf(const Shape& numbers) { return {numbers[1], numbers[2]}; }

/// One number for each of depth, height and width.
inline Status checkThree(std::string_view name, const Shape& numbers) {
  bool fits = numbers.rank() == 3 && numbers[0] >= 1 && numbers[1] >= 1 && numbers[2] >= 1;
  if (fits) return {};
  return fail(name, " must be three whole numbers from 1, got ", numbers);
}

inline Window depthWindow(int64_t inputs, int64_t taps, int64_t stride, int64_t dilation,
                          const Padding& padding, Pair front) {
  return window(inputs, taps, stride, dilation, padding.kind, front.h, front.w);
}

/// Whether windows fit the planes; how they lie on each, the op of images says.
inline Status checkDepth(std::string_view what, const Window& w, Pair front) {
  if (front.h < 0 || front.w < 0)
    return fail("depthPadding must be at least 0, got ", front.h, " and ", front.w);
  if (w.outputs < 1)
    return fail("a ", what, " of ", w.taps, " planes does not fit the padded volume of ", w.inputs);
  return checkShape({w.reach()});
}

/// The planes of all volumes as images.
inline Value asImages(Value x) {
  const Shape& s = x.shape();
  return reshape(x, {.shape = {int64_t{s[0]} * s[1], s[2], s[3], s[4]}});
}
/// And images as the planes of n volumes.
inline Value asVolumes(Value x, int64_t n, int64_t depth) {
  if (!x) return x;
  const Shape& s = x.shape();
  return reshape(x, {.shape = {n, depth, s[1], s[2], s[3]}});
}

}  // namespace fjord::volume
