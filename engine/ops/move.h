// What movement ops are made of: one strided copy. All element types are four bytes, so one kernel
// serves every type.
//
//   copy(call, Walk{dims, fromStrides, toStrides});      // to[i . toStrides] = from[i . fromStrides]
#pragma once

#include "ops/op.h"

namespace fjord {

/// A walk over `dims` that reads at one set of strides and writes at another, in elements.
struct Walk {
  Shape dims, from, to;
  int64_t fromOffset = 0, toOffset = 0;
};

/// From the first input to the output: now, or by a shader.
void copy(const Call& c, const Walk& w);
void copy(ShaderWriter& c, const Walk& w);
/// The same from another input.
void copyShader(ShaderWriter& c, int input, const Walk& w);
/// All elements of the output.
void fill(const Call& c, float value);
void fill(ShaderWriter& c, float value);

/// The walk that fills a dense array of these dims.
inline Walk into(const Shape& dims, const Shape& from, int64_t fromOffset) {
  return {dims, from, rowMajorStrides(dims), fromOffset, 0};
}

/// An op whose kernel and shader are one walk: `static void move(C&, const Shape& in, const Shape& out,
/// const Attrs&)`.
template <class Op, class A>
struct Movement {
  using Attrs = A;
  static void run(const Call& c, const A& a) { Op::move(c, c.in[0].shape(), c.out.shape(), a); }
  static void gpu(ShaderWriter& w, const A& a) { Op::move(w, w.in(0).shape, w.out().shape, a); }
};

}  // namespace fjord
