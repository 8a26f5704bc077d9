// idx: one array of numbers in a file, the form in which MNIST and Fashion-MNIST are handed around.
//
//   FJORD_TRY(IdxArray images, readIdx(bytes));                // nothing is copied
//   FJORD_TRY(Tensor x, images.floats(1 / 255.0f));            // [60000,28,28] in 0 .. 1
//   FJORD_TRY(Tensor y, labels.integers());                    // [60000]
//
// The format (yann.lecun.com/exdb/mnist): two zero bytes, a byte for the element type, a byte for
// the rank, each size as four bytes, the elements in row-major order; all numbers big-endian. The
// reader takes no byte on trust: the elements that the sizes ask for are all there, and nothing
// else is.
#pragma once

#include <cstddef>
#include <span>

#include "base/tensor.h"

namespace fjord {

/// An array in the bytes of a file, which must outlive it.
struct IdxArray {
  /// The byte that the format has for each.
  enum Element : uint8_t { kU8 = 8, kI8 = 9, kI16 = 11, kI32 = 12, kF32 = 13, kF64 = 14 };

  Element element;
  Shape shape;
  std::span<const std::byte> data;

  /// The elements times `scale`, as float32.
  Result<Tensor> floats(float scale = 1) const;
  /// The elements as int32; an error for an array of floats.
  Result<Tensor> integers() const;
};

Result<IdxArray> readIdx(std::span<const std::byte> file);

}  // namespace fjord
