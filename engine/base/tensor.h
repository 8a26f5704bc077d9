// Tensor: a dense row-major array with shared, counted memory. Copying a Tensor copies a reference.
//
//   FJORD_TRY(Tensor x, Tensor::zeros({DType::kF32, {2, 3}}));
//   x.data<float>()[0] = 1;
//
// Memory is 64-byte aligned and its size a multiple of 64 bytes. memoryInfo() counts what is alive,
// so that a leak is a number and not a suspicion.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "base/result.h"
#include "base/shape.h"

namespace fjord {

/// Whether there can be an array of this shape: no negative size, at most kMaxElements elements.
Status checkShape(const Shape& shape);

/// A number as an element of that type lies in memory. An integer is cut towards zero, as in
/// JavaScript; beyond int32 it is the nearest that there is, and 0 for NaN: what a cast computes.
uint32_t bitsOf(double number, DType dtype);
double numberOf(uint32_t bits, DType dtype);

/// A typed look at memory that something else owns: what kernels get.
struct View {
  void* data = nullptr;
  Type type;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  const Shape& shape() const { return type.shape; }
  int64_t size() const { return type.shape.size(); }
};

struct MemoryInfo {
  int64_t buffers = 0;
  int64_t bytes = 0;
};
MemoryInfo memoryInfo();

/// A counted block of memory, here, on another machine's side (a GPU), or in both places.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer& other);
  Buffer(Buffer&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Buffer();

  /// Uninitialised memory, or an error that says how much was asked for.
  static Result<Buffer> allocate(int64_t bytes);
  /// So many bytes that lie elsewhere only, under a number that means something there.
  static Result<Buffer> elsewhere(int64_t bytes, int32_t number);

  /// nullptr where the values are elsewhere only.
  void* data() const;
  /// Where a copy lies elsewhere: its number, else 0.
  int32_t number() const;
  /// The values are in both places from now on.
  void setNumber(int32_t number);
  /// They have changed elsewhere: what lies here is not theirs any more.
  void forget();
  /// Memory for them here, to be filled by the caller.
  Status land();
  /// Hears the number of each buffer that is given up, while it is set.
  static void (*onRelease)(int32_t number);

  int64_t bytes() const;
  /// Whether another Buffer refers to the same memory, so that writing to it would be seen
  /// elsewhere.
  bool isShared() const;
  explicit operator bool() const { return block_ != nullptr; }

 private:
  struct Block;
  Block* block_ = nullptr;
};

class Tensor {
 public:
  Tensor() = default;
  /// The shape of `type` seen over memory that holds at least as many elements.
  Tensor(Buffer buffer, const Type& type) : buffer_(std::move(buffer)), type_(type) {}

  static Result<Tensor> empty(const Type& type);
  static Result<Tensor> zeros(const Type& type);
  /// The same values in memory of their own.
  Result<Tensor> copy() const;
  static Result<Tensor> of(const Shape& shape, std::span<const float> values);
  static Result<Tensor> of(const Shape& shape, std::span<const int32_t> values);

  const Type& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  DType dtype() const { return type_.dtype; }
  int64_t size() const { return type_.shape.size(); }
  const Buffer& buffer() const { return buffer_; }
  View view() const { return {buffer_.data(), type_}; }
  explicit operator bool() const { return static_cast<bool>(buffer_); }

  template <class T>
  T* data() const {
    return static_cast<T*>(buffer_.data());
  }
  template <class T>
  std::span<T> span() const {
    return {data<T>(), static_cast<size_t>(size())};
  }

 private:
  Buffer buffer_;
  Type type_;
};

}  // namespace fjord
