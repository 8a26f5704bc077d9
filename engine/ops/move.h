// What movement ops are made of: one strided copy. All element types are four bytes, so one kernel
// serves every type; the reference copies doubles by the same walk.
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

/// From the first input to the output.
void copy(const Call& c, const Walk& w);
void copy(const ReferenceCall& c, const Walk& w);

/// The walk that fills a dense array of these dims.
inline Walk into(const Shape& dims, const Shape& from, int64_t fromOffset) {
  return {dims, from, rowMajorStrides(dims), fromOffset, 0};
}

/// Shape& out, const Attrs&)`.
template <class Op, class A>
struct Movement {
  using Attrs = A;
  static void run(const Call& c, const A& a) { Op::move(c, c.in[0].shape(), c.out.shape(), a); }
  static void reference(const ReferenceCall& c, const A& a) {
    Op::move(c, c.in[0].type.shape, c.out.type.shape, a);
  }
};

}  // namespace fjord
