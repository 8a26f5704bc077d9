// Any op with any attributes on small inputs, as JavaScript calls it: a tensor whose values can be
// read, or a failure in words; and gradients of what has some. Attributes are taken from numbers
// that mean something, from those that are out of every range, and from any eight bytes.
//
// Bytes: the op, how many inputs; of each its type, rank, sizes and a value; then attributes.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "abi/abi.h"
#include "ops/op.h"
#include "testing/fuzz_bytes.h"

using namespace fjord;

/// What is asked for beyond this is refused by malloc, as on a machine that has no more: an op says
/// so in words.
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=64";
}

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kOdd[] = {std::numeric_limits<double>::quiet_NaN(),
                           kInfinity,
                           -kInfinity,
                           2147483647,
                           2147483648,
                           -2147483648,
                           4294967298,
                           1073741824,
                           65536,
                           1e300,
                           0.5,
                           -0.5,
                           1e-30};

/// Most often a small number, as attributes are.
double number(Bytes& bytes) {
  uint8_t kind = bytes.next();
  if (kind < 200) return static_cast<int>(kind % 16) - 3;
  if (kind < 250) return kOdd[kind % std::size(kOdd)];
  double any = 0;
  uint8_t eight[sizeof any];
  for (uint8_t& b : eight) b = bytes.next();
  std::memcpy(&any, eight, sizeof any);
  return any;
}

void demand(bool is) {
  if (!is) std::abort();
}

/// A failure says why.
void demandWords() { demand(fj_messageLength() > 0); }

int inputFrom(Bytes& bytes) {
  int dtype = bytes.next() % 3, rank = bytes.next() % (kMaxRank + 1);
  int32_t sizes[kMaxRank];
  int64_t count = 1;
  for (int i = 0; i < rank; ++i) {
    sizes[i] = bytes.next() % 5;
    count *= sizes[i];
  }
  // At most 5^4 elements.
  if (count > 625) return 0;
  int tensor = fj_tensor(dtype, rank, sizes, 0);
  demand(tensor > 0);
  int first = static_cast<int8_t>(bytes.next());
  for (int64_t i = 0; i < count; ++i) {
    auto value = static_cast<int32_t>(first + i % 7);
    if (dtype == 0) static_cast<float*>(fj_data(tensor))[i] = static_cast<float>(value) / 4;
    if (dtype == 1) static_cast<int32_t*>(fj_data(tensor))[i] = value;
    if (dtype == 2) static_cast<int32_t*>(fj_data(tensor))[i] = value & 1;
  }
  return tensor;
}

/// Reads each value, which a sanitizer sees.
void read(int tensor) {
  int32_t shape[8];
  int rank = fj_shape(tensor, shape), dtype = fj_dtype(tensor);
  demand(rank >= 0 && rank <= kMaxRank && dtype >= 0 && dtype <= 2);
  int64_t count = 1;
  for (int i = 0; i < rank; ++i) {
    demand(shape[i] >= 0);
    count *= shape[i];
  }
  const auto* words = static_cast<const uint32_t*>(fj_data(tensor));
  uint32_t all = 0;
  for (int64_t i = 0; i < count; ++i) all |= words[i];
  if (dtype == 2) demand(all <= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes{{data, size}};
  int op = bytes.next() % static_cast<int>(OpId::kCount);
  int arity = opArity(static_cast<OpId>(op));
  // Sometimes another number of inputs than the op has.
  uint8_t wanted = bytes.next();
  int count = wanted >= 240 || arity < 0 ? wanted % 4 : arity;
  std::vector<int32_t> inputs;
  for (int i = 0; i < count; ++i) inputs.push_back(inputFrom(bytes));
  std::vector<double> attributes;
  while (!bytes.rest.empty() && attributes.size() < 24) attributes.push_back(number(bytes));

  fj_tapeStart();
  int y = fj_op(op, inputs.data(), count, attributes.data(), static_cast<int>(attributes.size()));
  if (y) {
    read(y);
    std::vector<int32_t> gradients(inputs.size());
    if (count && fj_gradients(y, 0, inputs.data(), count, 0, gradients.data())) {
      for (int32_t g : gradients) {
        if (g) read(g);
        fj_dispose(g);
      }
    } else if (count) {
      demandWords();
    }
    fj_dispose(y);
  } else {
    demandWords();
  }
  fj_tapeStop();
  for (int32_t x : inputs) fj_dispose(x);
  return 0;
}
