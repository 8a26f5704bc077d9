#include "base/tensor.h"

#include <algorithm>
#include <atomic>
#include <bit>
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

Status checkShape(const Shape& shape) {
  // Empty axes do not make others small: steps between elements are products of those alone.
  int64_t elements = 1;
  for (int32_t n : shape) {
    if (n == kTooLarge)
      return fail("the shape ", shape, " has a size above 2147483647, or more than ", kMaxRank,
                  " axes");
    if (n < 0) return fail("the shape ", shape, " has a negative size");
    elements = Shape::within32(elements * (n ? n : 1));
  }
  if (elements > kMaxElements)
    return fail("the shape ", shape, " has more than the ", kMaxElements,
                " elements that an array can have");
  return {};
}

uint32_t bitsOf(double number, DType dtype) {
  if (dtype == DType::kF32) return std::bit_cast<uint32_t>(static_cast<float>(number));
  if (dtype == DType::kBool) return number != 0;
  if (number != number) return 0;
  return static_cast<uint32_t>(
      static_cast<int32_t>(std::clamp<double>(number, INT32_MIN, INT32_MAX)));
}

double numberOf(uint32_t bits, DType dtype) {
  // Not by ?:, whose type of a float and an int32 is float.
  if (dtype == DType::kF32) return std::bit_cast<float>(bits);
  return static_cast<int32_t>(bits);
}

void (*Buffer::onRelease)(int32_t) = nullptr;

/// Sits in front of the data, one alignment unit wide. Values that came from elsewhere lie in a block of
/// their own, `landed`.
struct Buffer::Block {
  std::atomic<int32_t> references;
  int64_t bytes;
  int64_t held;  // of bytes, how many are memory of this block
  int32_t number;
  bool isHere;
  Block* landed;
  void* data() { return reinterpret_cast<std::byte*>(this) + kAlignment; }

  static Result<Block*> make(int64_t bytes, int64_t held);
  void free();
};

Result<Buffer::Block*> Buffer::Block::make(int64_t bytes, int64_t held) {
  static_assert(sizeof(Block) <= kAlignment);
  int64_t padded = (held + kAlignment - 1) / kAlignment * kAlignment;
  constexpr int64_t kLimit = sizeof(void*) == 4 ? int64_t{0xffff0000} : int64_t{1} << 46;
  void* memory = nullptr;
  if (held >= 0 && padded <= kLimit - kAlignment) {
    memory = std::aligned_alloc(kAlignment, static_cast<size_t>(padded + kAlignment));
  }
  if (!memory) {
    return fail("out of memory: ", held, " bytes were asked for while ", memoryInfo().bytes,
                " are in use; dispose of tensors, or use smaller batches");
  }
  liveBytes.fetch_add(held, std::memory_order_relaxed);
  return new (memory) Block{1, bytes, held, 0, true, nullptr};
}

void Buffer::Block::free() {
  liveBytes.fetch_sub(held, std::memory_order_relaxed);
  this->~Block();
  std::free(this);
}

Result<Buffer> Buffer::allocate(int64_t bytes) {
  Buffer buffer;
  FJORD_TRY(buffer.block_, Block::make(bytes, bytes));
  liveBuffers.fetch_add(1, std::memory_order_relaxed);
  return buffer;
}

Result<Buffer> Buffer::elsewhere(int64_t bytes, int32_t number) {
  Buffer buffer;
  FJORD_TRY(buffer.block_, Block::make(bytes, 0));
  liveBuffers.fetch_add(1, std::memory_order_relaxed);
  buffer.block_->number = number;
  buffer.block_->isHere = false;
  return buffer;
}

Buffer::Buffer(const Buffer& other) : block_(other.block_) {
  if (block_) block_->references.fetch_add(1, std::memory_order_relaxed);
}

Buffer::~Buffer() {
  if (!block_ || block_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  liveBuffers.fetch_sub(1, std::memory_order_relaxed);
  if (block_->number && onRelease) onRelease(block_->number);
  if (block_->landed) block_->landed->free();
  block_->free();
}

void* Buffer::data() const {
  if (!block_ || !block_->isHere) return nullptr;
  return (block_->landed ? block_->landed : block_)->data();
}
int32_t Buffer::number() const { return block_ ? block_->number : 0; }
void Buffer::setNumber(int32_t number) { block_->number = number; }
void Buffer::forget() { block_->isHere = false; }
Status Buffer::land() {
  if (block_->held < block_->bytes && !block_->landed) {
    FJORD_TRY(block_->landed, Block::make(block_->bytes, block_->bytes));
  }
  block_->isHere = true;
  return {};
}
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
  FJORD_CHECK(checkShape(type.shape));
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
