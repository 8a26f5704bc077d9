#include "base/tensor.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace fjord {

namespace {

std::atomic<int64_t> liveBuffers{0};
std::atomic<int64_t> liveBytes{0};

// A cache line, and the widest vector of any build.
constexpr int64_t kAlignment = 64;

}  // namespace

MemoryInfo memoryInfo() {
  return {liveBuffers.load(std::memory_order_relaxed), liveBytes.load(std::memory_order_relaxed)};
}

/// Sits in front of the data, one alignment unit wide.
struct Buffer::Block {
  std::atomic<int32_t> references;
  int64_t bytes;
  void* data() { return reinterpret_cast<std::byte*>(this) + kAlignment; }
};

Result<Buffer> Buffer::allocate(int64_t bytes) {
  static_assert(sizeof(Block) <= kAlignment);
  int64_t padded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  constexpr int64_t kLimit = sizeof(void*) == 4 ? int64_t{0xffff0000} : int64_t{1} << 46;
  void* memory = nullptr;
  if (bytes >= 0 && padded <= kLimit - kAlignment) {
    memory = std::aligned_alloc(kAlignment, static_cast<size_t>(padded + kAlignment));
  }
  if (!memory) {
    return fail("out of memory: ", bytes, " bytes were asked for while ", memoryInfo().bytes,
                " are in use; dispose of tensors, or use smaller batches");
  }
  Buffer buffer;
  buffer.block_ = new (memory) Block{1, bytes};
  liveBuffers.fetch_add(1, std::memory_order_relaxed);
  liveBytes.fetch_add(bytes, std::memory_order_relaxed);
  return buffer;
}

Buffer::Buffer(const Buffer& other) : block_(other.block_) {
  if (block_) block_->references.fetch_add(1, std::memory_order_relaxed);
}

Buffer::~Buffer() {
  if (!block_ || block_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  liveBuffers.fetch_sub(1, std::memory_order_relaxed);
  liveBytes.fetch_sub(block_->bytes, std::memory_order_relaxed);
  block_->~Block();
  std::free(block_);
}

void* Buffer::data() const { return block_ ? block_->data() : nullptr; }
int64_t Buffer::bytes() const { return block_ ? block_->bytes : 0; }

bool Buffer::isShared() const {
  return block_ && block_->references.load(std::memory_order_relaxed) > 1;
}

Result<Tensor> Tensor::copy() const {
  FJORD_TRY(Tensor t, empty(type_));
  std::memcpy(t.buffer().data(), buffer_.data(), static_cast<size_t>(type_.bytes()));
  return t;
}

Result<Tensor> Tensor::empty(const Type& type) {
  FJORD_TRY(Buffer buffer, Buffer::allocate(type.bytes()));
  return Tensor(std::move(buffer), type);
}

Result<Tensor> Tensor::zeros(const Type& type) {
  FJORD_TRY(Tensor t, empty(type));
  std::memset(t.buffer().data(), 0, static_cast<size_t>(type.bytes()));
  return t;
}

namespace {

template <class T>
Result<Tensor> copied(const Type& type, std::span<const T> values) {
  if (static_cast<int64_t>(values.size()) != type.shape.size()) {
    return fail("a tensor of shape ", type.shape, " needs ", type.shape.size(), " values, got ",
                values.size());
  }
  FJORD_TRY(Tensor t, Tensor::empty(type));
  if (!values.empty()) std::memcpy(t.buffer().data(), values.data(), values.size_bytes());
  return t;
}

}  // namespace

Result<Tensor> Tensor::of(const Shape& shape, std::span<const float> values) {
  return copied(Type{DType::kF32, shape}, values);
}
Result<Tensor> Tensor::of(const Shape& shape, std::span<const int32_t> values) {
  return copied(Type{DType::kI32, shape}, values);
}

}  // namespace fjord
