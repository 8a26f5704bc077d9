// What definitions are written with: coordinates. An op's definition says which elements an element of
// its output is made of, as its documentation would, in double and one element at a time. It shares
// nothing with the kernel: no offset, no stride, no merged axes, no block. So a mistake in the kernel's
// arithmetic of indices shows.
//
//   forEachCoordinate(c.out.type.shape, [&](const Shape& at) {
//     valueAt(c.out, at) = valueAt(c.in[0], {at[1], at[0]});  // the transpose of a matrix
//   });
//
// Only definitions use it, and only tests and benchmarks link those.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "ops/op.h"

namespace fjord {

/// f(coordinate) for each element of an array of this shape, in row-major order.
template <class F>
void forEachCoordinate(const Shape& shape, F f) {
  if (std::ranges::find(shape, 0) != shape.end()) return;
  Shape at = Shape::filled(shape.rank(), 0);
  for (int axis = 0; axis >= 0;) {
    f(std::as_const(at));
    // One further, as a number is counted up: the last digit first, and a full one carries.
    for (axis = shape.rank() - 1; axis >= 0 && ++at[axis] == shape[axis]; --axis) at[axis] = 0;
  }
}

/// Where the array has that element. The program ends where it has none: the definition is wrong.
inline size_t placeOf(const Shape& at, const Shape& shape) {
  bool inside = at.rank() == shape.rank();
  size_t place = 0;
  for (int axis = 0; axis < at.rank() && inside; ++axis) {
    inside = at[axis] >= 0 && at[axis] < shape[axis];
    place = place * static_cast<size_t>(shape[axis]) + static_cast<size_t>(at[axis]);
  }
  if (!inside) std::abort();
  return place;
}
inline double valueAt(const Reference& array, const Shape& at) {
  return array.values[placeOf(at, array.type.shape)];
}
inline double& valueAt(Reference& array, const Shape& at) {
  return array.values[placeOf(at, array.type.shape)];
}

/// The same coordinate, but for one axis; a negative axis counts from the end.
inline Shape replaced(Shape at, int axis, int64_t position) {
  at[axis] = static_cast<int32_t>(position);
  return at;
}
/// The same coordinate without one axis.
inline Shape without(const Shape& at, int axis) {
  Shape rest;
  for (int i = 0; i < at.rank(); ++i) {
    if (i != axisOf(axis, at.rank())) rest.push(at[i]);
  }
  return rest;
}

}  // namespace fjord
