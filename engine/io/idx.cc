#include "io/idx.h"

#include <bit>

namespace fjord {

namespace {

constexpr size_t kMagicBytes = 4, kSizeBytes = 4;

int bytesOf(IdxArray::Element element) {
  switch (element) {
    case IdxArray::kU8:
    case IdxArray::kI8:
      return 1;
    case IdxArray::kI16:
      return 2;
    case IdxArray::kI32:
    case IdxArray::kF32:
      return 4;
    case IdxArray::kF64:
      return 8;
  }
  return 0;
}

template <class Bits>
Bits bigEndian(const std::byte* at) {
  Bits bits = 0;
  for (size_t i = 0; i < sizeof(Bits); ++i)
    bits = static_cast<Bits>(bits << 8 | static_cast<Bits>(at[i]));
  return bits;
}

/// Calls put(i, value) with every element as the type that it is stored in.
template <class F>
void forEach(const IdxArray& a, int64_t count, const F& put) {
  const std::byte* at = a.data.data();
  for (int64_t i = 0; i < count; ++i, at += bytesOf(a.element)) {
    switch (a.element) {
      case IdxArray::kU8:
        put(i, static_cast<uint8_t>(*at));
        break;
      case IdxArray::kI8:
        put(i, static_cast<int8_t>(*at));
        break;
      case IdxArray::kI16:
        put(i, static_cast<int16_t>(bigEndian<uint16_t>(at)));
        break;
      case IdxArray::kI32:
        put(i, static_cast<int32_t>(bigEndian<uint32_t>(at)));
        break;
      case IdxArray::kF32:
        put(i, std::bit_cast<float>(bigEndian<uint32_t>(at)));
        break;
      case IdxArray::kF64:
        put(i, std::bit_cast<double>(bigEndian<uint64_t>(at)));
        break;
    }
  }
}

}  // namespace

Result<IdxArray> readIdx(std::span<const std::byte> file) {
  if (file.size() < kMagicBytes)
    return fail("idx: ", file.size(), " bytes are too few for a header");
  auto byteAt = [&](size_t i) { return static_cast<int>(file[i]); };
  auto element = static_cast<IdxArray::Element>(byteAt(2));
  if (byteAt(0) != 0 || byteAt(1) != 0 || bytesOf(element) == 0) {
    return fail("idx: the file begins with the bytes ", byteAt(0), " ", byteAt(1), " ", byteAt(2),
                " ", byteAt(3), " and not with 0 0 and a known type; it is no idx file");
  }
  auto rank = static_cast<size_t>(byteAt(3));
  if (rank < 1 || rank > kMaxRank)
    return fail("idx: an array of ", rank, " axes; 1 to ", kMaxRank, " are read");
  size_t header = kMagicBytes + rank * kSizeBytes;
  if (file.size() < header) {
    return fail("idx: ", file.size(), " bytes are too few for the header of ", rank,
                " axes; the file is truncated");
  }
  IdxArray a{element, {}, file.subspan(header)};
  // Signed, so that no product of sizes overflows later either, as it could before a zero.
  int64_t bytes = bytesOf(element);
  for (size_t i = 0; i < rank; ++i) {
    auto size = bigEndian<uint32_t>(file.data() + kMagicBytes + i * kSizeBytes);
    if (size > INT32_MAX)
      return fail("idx: axis ", i, " has the size ", size, ", which is too large");
    a.shape.push(static_cast<int32_t>(size));
    if (__builtin_mul_overflow(bytes, int64_t{size}, &bytes))
      return fail("idx: the sizes ", a.shape, " are too large");
  }
  auto there = static_cast<int64_t>(a.data.size());
  if (there != bytes) {
    return fail("idx: an array of the sizes ", a.shape, " takes ", bytes, " bytes, there are ",
                there, there < bytes ? "; the file is truncated" : "; the file is damaged");
  }
  // No elements at all, and yet more along an axis than an array can have.
  if (Status fits = checkShape(a.shape); !fits) return fail("idx: ", fits.error().message);
  return a;
}

Result<Tensor> IdxArray::floats(float scale) const {
  FJORD_TRY(Tensor t, Tensor::empty({DType::kF32, shape}));
  float* out = t.data<float>();
  forEach(*this, t.size(), [&](int64_t i, auto x) { out[i] = static_cast<float>(x) * scale; });
  return t;
}

Result<Tensor> IdxArray::integers() const {
  if (element == kF32 || element == kF64) return fail("idx: integers are needed, these are floats");
  FJORD_TRY(Tensor t, Tensor::empty({DType::kI32, shape}));
  int32_t* out = t.data<int32_t>();
  forEach(*this, t.size(), [&](int64_t i, auto x) { out[i] = static_cast<int32_t>(x); });
  return t;
}

}  // namespace fjord
