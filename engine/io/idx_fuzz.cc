// Any bytes are read or refused; what is read has all its elements, and both ways to load it agree.
#include <cstdint>
#include <cstdlib>

#include "io/idx.h"

using namespace fjord;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Result<IdxArray> a = readIdx(std::as_bytes(std::span(bytes, size)));
  if (!a) return a.error().message.empty() ? std::abort(), 0 : 0;
  if (a->shape.size() < 0 || static_cast<size_t>(a->shape.size()) > size) std::abort();
  Result<Tensor> floats = a->floats(), integers = a->integers();
  if (!floats || floats->shape() != a->shape) std::abort();
  bool isFloat = a->element == IdxArray::kF32 || a->element == IdxArray::kF64;
  if (integers.has_value() == isFloat) std::abort();
  for (int64_t i = 0; integers && i < integers->size(); ++i) {
    if (static_cast<float>(integers->data<int32_t>()[i]) != floats->data<float>()[i]) std::abort();
  }
  return 0;
}
