// The geometry of convolution and pooling along one axis.
//
//   output o, tap k  ->  input o * stride - before + k * dilation
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/result.h"
#include "ir/value.h"

namespace fjord {

struct Window {
  int64_t inputs = 0, outputs = 0, taps = 0;
  int64_t stride = 1, dilation = 1, before = 0;

  /// From the first input, or zero before it, that a window looks at to the last.
  int64_t reach() const { return (outputs - 1) * stride + (taps - 1) * dilation + 1; }
  /// The input position that tap k of output o looks at; may lie outside.
  int64_t input(int64_t o, int64_t k) const { return o * stride - before + k * dilation; }
  /// The output whose tap k looks at input i, or -1.
  int64_t output(int64_t i, int64_t k) const {
    int64_t at = i + before - k * dilation;
    if (stride == 1) return at >= 0 && at < outputs ? at : -1;
    return at >= 0 && at % stride == 0 && at / stride < outputs ? at / stride : -1;
  }
};

/// Taps [begin, end) along one axis that look inside the input from output o.
struct TapRange {
  int64_t begin, end;
  TapRange(int64_t begin, int64_t end) : begin(begin), end(end) {}
  static int64_t steps(int64_t n, int64_t dilation) { return (n + dilation - 1) / dilation; }
  TapRange(const Window& w, int64_t o) {
    int64_t first = w.input(o, 0);
    begin = first >= 0 ? 0 : steps(-first, w.dilation);
    end =
        first + (w.taps - 1) * w.dilation < w.inputs ? w.taps : steps(w.inputs - first, w.dilation);
  }
};

inline Window window(int64_t inputs, int64_t taps, int64_t stride, int64_t dilation, int32_t kind,
                     int64_t before, int64_t after) {
  int64_t reach = (taps - 1) * dilation + 1;
  Window w{inputs, 0, taps, stride, dilation, before};
  if (kind == Padding::kSame) {
    w.outputs = (inputs + stride - 1) / stride;
    int64_t total = (w.outputs - 1) * stride + reach - inputs;
    w.before = total > 0 ? total / 2 : 0;
  } else {
    if (kind == Padding::kValid) w.before = before = after = 0;
    int64_t room = inputs + before + after - reach;
    w.outputs = room < 0 ? 0 : room / stride + 1;
  }
  return w;
}

inline Window windowRows(int64_t inputs, int64_t taps, Pair strides, Pair dilations,
                         const Padding& p) {
  return window(inputs, taps, strides.h, dilations.h, p.kind, p.top, p.bottom);
}
inline Window windowColumns(int64_t inputs, int64_t taps, Pair strides, Pair dilations,
                            const Padding& p) {
  return window(inputs, taps, strides.w, dilations.w, p.kind, p.left, p.right);
}

inline Status checkWindow(Pair strides, Pair dilations, const Padding& p) {
  if (strides.h < 1 || strides.w < 1)
    return fail("strides must be at least 1, got ", strides.h, " and ", strides.w);
  if (dilations.h < 1 || dilations.w < 1) {
    return fail("dilations must be at least 1, got ", dilations.h, " and ", dilations.w);
  }
  if (p.top < 0 || p.bottom < 0 || p.left < 0 || p.right < 0) {
    return fail("padding must be at least 0, got top ", p.top, ", bottom ", p.bottom, ", left ",
                p.left, ", right ", p.right);
  }
  return {};
}

/// Whether windows of this many taps (of a pool's window or a filter: `what`) fit the padded image, and
/// can be walked over.
inline Status checkWindows(std::string_view what, const Window& rows, const Window& columns,
                           int64_t channels) {
  if (rows.outputs < 1 || columns.outputs < 1) {
    return fail("a ", what, " of ", rows.taps, "x", columns.taps,
                " does not fit the padded image of ", rows.inputs, "x", columns.inputs);
  }
  Status padded = checkShape({rows.reach(), columns.reach(), channels});
  if (!padded) return fail("the image with its padding: ", padded.error().message);
  return {};
}

/// A filter that somebody could see something through.
inline Status checkFilter(const Shape& filter) {
  for (int32_t n : filter) {
    if (n < 1) return fail("every size of the filter must be at least 1, got ", filter);
  }
  return checkShape(filter);
}

/// The constants of window.wgsl and conv.wgsl.
inline void windowConstants(ShaderWriter& writer, const Window& rows, const Window& columns) {
  for (auto [names, w] : {std::pair(0, &rows), {1, &columns}}) {
    static constexpr std::string_view kNames[2][6] = {
        {"kH", "kOH", "kKH", "kStrideY", "kDilationY", "kBeforeY"},
        {"kW", "kOW", "kKW", "kStrideX", "kDilationX", "kBeforeX"}};
    writer.constant(kNames[names][0], w->inputs);
    writer.constant(kNames[names][1], w->outputs);
    writer.constant(kNames[names][2], w->taps);
    writer.constant(kNames[names][3], w->stride);
    writer.constant(kNames[names][4], w->dilation);
    writer.offset(kNames[names][5], w->before);
  }
}

}  // namespace fjord
