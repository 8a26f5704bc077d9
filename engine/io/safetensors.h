// safetensors: named arrays and a few texts in one file, which other tools open too.
//
//   FJORD_TRY(Safetensors file, readSafetensors(bytes));      // nothing is copied
//   const StoredTensor* kernel = file.find("dense/kernel");
//   FJORD_TRY(Tensor w, kernel->load());                      // a copy, as float32, int32 or bool
//
//   FJORD_TRY(std::string bytes, writeSafetensors({{"dense/kernel", w}}, {{"step", "12"}}));
//
// The format (github.com/huggingface/safetensors): the length of the header, 8 bytes little-endian;
// the header, JSON {"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [begin, end]}, ..,
// "__metadata__": {"name": "text"}}; the data, to which the offsets refer. The reader takes no byte
// on trust: after it has returned a file, every tensor lies inside the data, has the bytes that its
// shape asks for, overlaps no other, and no byte of the data belongs to none.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/tensor.h"

namespace fjord {

/// An element type of the format. What is not computed with is converted on the way in and out.
struct StoredType {
  std::string_view name;  // "F16"
  int bytes;              // of one element
  /// What load() gives, or kNone.
  enum Loads { kF32, kI32, kBool, kNone } loads;
};

/// A tensor in the bytes of a file, which must outlive it.
struct StoredTensor {
  std::string name;
  const StoredType* type;
  Shape shape;
  std::span<const std::byte> data;

  /// float32 of F64, F32, F16, BF16; int32 of the integers; bool of BOOL. An integer that int32
  /// cannot hold is an error, a float64 is rounded.
  Result<Tensor> load() const;
};

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct Safetensors {
  std::vector<StoredTensor> tensors;               // in the order of the data
  std::unordered_map<std::string, size_t> places;  // of tensors, by name
  Metadata metadata;

  const StoredTensor* find(std::string_view name) const;
  /// A text of the metadata, or "".
  std::string_view text(std::string_view key) const;
};

Result<Safetensors> readSafetensors(std::span<const std::byte> file);

/// A tensor to write. `as`, one of float16, bfloat16, int8 and uint8, stores it smaller: rounded to
/// nearest even, or an error where an integer does not fit.
struct NamedTensor {
  std::string name;
  Tensor tensor;
  DType as = tensor.dtype();
};

/// The file; data is aligned to 8 bytes.
Result<std::string> writeSafetensors(std::span<const NamedTensor> tensors,
                                     const Metadata& metadata);

}  // namespace fjord
