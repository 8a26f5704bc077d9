// Shapes, element types, and the two together (Type).
//
//   Shape s{2, 3};  s.size() == 6;  s[-1] == 3;  cat(s) == "[2,3]"
//
// Computed element types (float32, int32, bool) all take four bytes in memory, bool as the int32 0
// or 1: movement kernels need one form, a fused chain keeps every type in the same registers, and
// the GPU has nothing else. The other types are only stored in files and converted on the way in
// and out.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "base/text.h"

namespace fjord {

enum class DType : int32_t { kF32, kI32, kBool, kF16, kBF16, kI8, kU8 };

/// TensorFlow.js's name of the type: "float32", "int32", "bool", "float16", ...
constexpr std::string_view name(DType t) {
  constexpr std::string_view kNames[] = {"float32",  "int32", "bool", "float16",
                                         "bfloat16", "int8",  "uint8"};
  return kNames[static_cast<int>(t)];
}
inline void append(std::string& out, DType t) { out += name(t); }

/// What an integer that does not fit becomes. It is negative, and so no size, axis or position: every
/// check refuses it.
inline constexpr int32_t kTooLarge = INT32_MIN;

/// Up to N integers by value: shapes, axes, strides. Unused places stay zero, so that equality can
/// look at all of them.
template <int N>
struct Ints {
  int32_t count = 0;
  std::array<int32_t, N> values{};

  constexpr Ints() = default;
  constexpr Ints(std::initializer_list<int64_t> list) {
    for (int64_t v : list) push(v);
  }
  constexpr explicit Ints(std::span<const int32_t> list) {
    for (int32_t v : list) push(v);
  }
  /// `n` times the same value.
  static constexpr Ints filled(int n, int64_t value) {
    Ints out;
    for (int i = 0; i < n; ++i) out.push(value);
    return out;
  }

  /// A number beyond int32, and the last place where there is one number too many, become kTooLarge:
  /// whoever computes a size in int64 and pushes it need not ask.
  constexpr void push(int64_t v) {
    bool fits = count < N && v == static_cast<int32_t>(v);
    if (count < N) ++count;
    values[count - 1] = fits ? static_cast<int32_t>(v) : kTooLarge;
  }
  constexpr int rank() const { return count; }
  constexpr bool empty() const { return count == 0; }
  /// Negative indices count from the end.
  constexpr int32_t operator[](int i) const { return values[i < 0 ? i + count : i]; }
  constexpr int32_t& operator[](int i) { return values[i < 0 ? i + count : i]; }
  constexpr const int32_t* begin() const { return values.data(); }
  constexpr const int32_t* end() const { return values.data() + count; }
  constexpr int32_t* begin() { return values.data(); }
  constexpr int32_t* end() { return values.data() + count; }
  constexpr bool operator==(const Ints&) const = default;

  /// The product, or a number beyond kMaxElements where that is larger.
  constexpr int64_t size() const {
    int64_t n = 1;
    for (int32_t v : *this) n = within32(n * v);
    return n;
  }
  /// n held to what can be multiplied by an int32 again.
  static constexpr int64_t within32(int64_t n) {
    constexpr int64_t kFar = int64_t{1} << 31;
    return n > kFar ? kFar : n < -kFar ? -kFar : n;
  }
};

inline constexpr int kMaxRank = 8;
using Shape = Ints<kMaxRank>;

/// Elements of the largest array. Steps between elements are int32 (rowMajorStrides), in shaders too;
/// in WebAssembly differences of pointers are, so an array has less than 2 GiB there.
inline constexpr int64_t kMaxElements = sizeof(void*) == 4 ? (int64_t{1} << 29) - 1 : INT32_MAX;

template <int N>
void append(std::string& out, const Ints<N>& s) {
  out += '[';
  for (int i = 0; i < s.count; ++i) {
    if (i) out += ',';
    s[i] == kTooLarge ? append(out, "too large") : append(out, s[i]);
  }
  out += ']';
}

/// Elements between neighbours along each axis of a dense row-major array.
constexpr Shape rowMajorStrides(const Shape& shape) {
  Shape strides = shape;
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = static_cast<int32_t>(step);
    step = Shape::within32(step * shape[i]);
  }
  return strides;
}

struct Type {
  DType dtype = DType::kF32;
  Shape shape;
  constexpr bool operator==(const Type&) const = default;
  constexpr int64_t bytes() const { return shape.size() * 4; }
};

inline void append(std::string& out, const Type& t) {
  append(out, t.dtype);
  append(out, t.shape);
}

/// The shape two operands broadcast to by NumPy's rule, or rank -1 (count < 0) where they do not.
constexpr Shape broadcastShapes(const Shape& a, const Shape& b) {
  int rank = a.rank() > b.rank() ? a.rank() : b.rank();
  Shape out = Shape::filled(rank, 1);
  for (int i = 1; i <= rank; ++i) {
    int32_t da = i <= a.rank() ? a[-i] : 1, db = i <= b.rank() ? b[-i] : 1;
    if (da != db && da != 1 && db != 1) {
      out.count = -1;
      return out;
    }
    out[-i] = da == 1 ? db : da;
  }
  return out;
}

}  // namespace fjord
