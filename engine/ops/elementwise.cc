#include "ops/elementwise.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <optional>

#include "ops/formula.h"

namespace fjord {

// ---- rows to kernels

namespace {

void storeTo(F32 y, void* out) { y.store(out); }
void storeTo(I32 y, void* out) { y.store(out); }
void storeTo(Mask y, void* out) { I32(y).store(out); }

const std::byte* at(const void* p, int i) { return static_cast<const std::byte*>(p) + i * 4; }
std::byte* at(void* p, int i) { return static_cast<std::byte*>(p) + i * 4; }

template <int arity, class T, class F>
constexpr TileKernel tileOf() {
  return [](void* out, const void* const* in, int n) {
    // Read once: for all the compiler knows a result could overwrite them.
    const void* a[arity];
    unrolled<arity>([&](auto k) { a[k] = in[k]; });
    auto x = [&](int k, int i) { return T::load(at(a[k], i)); };
    for (int i = 0; i < n; i += kLanes) {
      if constexpr (arity == 1) storeTo(F{}(x(0, i)), at(out, i));
      if constexpr (arity == 2) storeTo(F{}(x(0, i), x(1, i)), at(out, i));
      if constexpr (arity == 3) storeTo(F{}(x(0, i), x(1, i), x(2, i)), at(out, i));
    }
  };
}

template <int arity, RowKind kind, class F>
constexpr OpInfo row(std::string_view name) {
  OpInfo info{.name = name, .kind = OpKind::kElementwise, .row = kind};
  if constexpr (takesFloats(kind)) info.tileF32 = tileOf<arity, F32, F>();
  if constexpr (takesInts(kind)) info.tileI32 = tileOf<arity, I32, F>();
  info.decode = [](std::span<const double> numbers, Attrs&) {
    return allRead({numbers}, numbers.size());
  };
  return info;
}

}  // namespace

#define FJORD_ROW(arity, name, kind, forward)                         \
  namespace {                                                         \
  constexpr auto name##Forward = forward;                             \
  using name##Formula = std::remove_const_t<decltype(name##Forward)>; \
  }                                                                   \
  extern const OpInfo name##Info;                                     \
  constinit const OpInfo name##Info = row<arity, RowKind::kind, name##Formula>(#name);
#define UNARY(name, kind, forward, backward, lo, hi) FJORD_ROW(1, name, kind, (forward))
#define BINARY(name, kind, forward, backward, lo, hi) FJORD_ROW(2, name, kind, (forward))
#define TERNARY(name, kind, forward, backward, lo, hi) FJORD_ROW(3, name, kind, (forward))
#include "ir/elementwise.inc"
#undef UNARY
#undef BINARY
#undef TERNARY

// ---- cast

namespace {

constexpr auto kCopy = [](I32 x) { return x; };
constexpr auto kIntToFloat = [](I32 x) { return toFloat(x); };
// NaN is 0, as in WebAssembly, which other processors have no instruction for.
constexpr auto kFloatToInt = [](F32 x) { return toInt(where(x == x, x, F32(0.0))); };
constexpr auto kFloatToBool = [](F32 x) { return x != F32(0.0); };
constexpr auto kIntToBool = [](I32 x) { return truth(x); };

TileKernel castKernel(DType from, const Attrs& attrs) {
  DType to = attrs.as<CastAttrs>().dtype;
  if (from == to || (from == DType::kBool && to == DType::kI32))
    return tileOf<1, I32, decltype(kCopy)>();
  if (to == DType::kF32) return tileOf<1, I32, decltype(kIntToFloat)>();
  if (to == DType::kI32) return tileOf<1, F32, decltype(kFloatToInt)>();
  return from == DType::kF32 ? tileOf<1, F32, decltype(kFloatToBool)>()
                             : tileOf<1, I32, decltype(kIntToBool)>();
}

}  // namespace

extern const OpInfo castInfo;
constinit const OpInfo castInfo{.name = "cast",
                                .kind = OpKind::kElementwise,
                                .decode = decodeAttrs<CastAttrs>,
                                .row = RowKind::kCast,
                                .chooseTile = castKernel};
// ---- passes

namespace {

/// Ops on floats that one kernel does together: each but the first has the result of the one before
/// it as operand `slot`, or as any where that makes no difference.
struct Together {
  OpId ops[3];
  int count;
  TileKernel kernel;
  int slot;
};

template <class F>
constexpr Together together(std::initializer_list<OpId> ops, F, int slot = 0) {
  constexpr int kArity = std::is_invocable_v<F, F32, F32> ? 2 : 3;
  Together t{{}, static_cast<int>(ops.size()), tileOf<kArity, F32, F>(), slot};
  std::ranges::copy(ops, t.ops);
  return t;
}

constexpr auto kMulAdd = [](F32 a, F32 b, F32 c) { return addForward(mulForward(a, b), c); };
constexpr auto kAddAdd = [](F32 a, F32 b, F32 c) { return addForward(addForward(a, b), c); };
constexpr auto kSubMul = [](F32 a, F32 b, F32 c) { return mulForward(subForward(a, b), c); };
constexpr auto kLessMul = [](F32 a, F32 b, F32 c) { return subForward(c, mulForward(a, b)); };
constexpr auto kAddRelu = [](F32 a, F32 b) { return reluForward(addForward(a, b)); };
constexpr auto kAddRelu6 = [](F32 a, F32 b) { return relu6Forward(addForward(a, b)); };
constexpr auto kMulAddRelu = [](F32 a, F32 b, F32 c) { return reluForward(kMulAdd(a, b, c)); };
constexpr auto kAddAddRelu = [](F32 a, F32 b, F32 c) { return reluForward(kAddAdd(a, b, c)); };

// What bias, residual and activation make of a product, normalisations, an optimizer's update; the
// longer ones first.
constexpr Together kTogether[] = {
    together({OpId::mul, OpId::add, OpId::relu}, kMulAddRelu),
    together({OpId::add, OpId::add, OpId::relu}, kAddAddRelu),
    together({OpId::add, OpId::relu}, kAddRelu),
    together({OpId::add, OpId::relu6}, kAddRelu6),
    together({OpId::mul, OpId::add}, kMulAdd),
    together({OpId::add, OpId::add}, kAddAdd),
    together({OpId::sub, OpId::mul}, kSubMul),
    together({OpId::mul, OpId::sub}, kLessMul, 1),
};

std::span<const int32_t> operandsOf(const Chain::Instruction& i) {
  return {i.in, static_cast<size_t>(opArity(i.op))};
}

/// Whether the next instruction alone reads what the one at `at` computes.
bool isPassedOn(const Chain& chain, size_t at) {
  int32_t reg = chain.instructions[at].out;
  if (std::ranges::count(operandsOf(chain.instructions[at + 1]), reg) != 1) return false;
  for (size_t i = at + 1; i < chain.instructions.size(); ++i) {
    const Chain::Instruction& later = chain.instructions[i];
    if (i > at + 1 && std::ranges::count(operandsOf(later), reg) > 0) return false;
    if (later.out == reg) return true;
  }
  return std::ranges::find(chain.stores, reg, &Chain::Store::reg) == chain.stores.end();
}

/// The pass that does the instructions from `at` on, if they are those of t.
std::optional<Chain::Pass> match(const Chain& chain, size_t at, const Together& t) {
  if (at + t.count > chain.instructions.size()) return {};
  Chain::Pass pass{.kernel = t.kernel};
  int used = 0;
  for (int k = 0; k < t.count; ++k) {
    const Chain::Instruction& i = chain.instructions[at + k];
    if (i.op != t.ops[k] || i.kernel != opInfo(i.op).tileF32) return {};
    if (k > 0 && !isPassedOn(chain, at + k - 1)) return {};
    bool swaps = i.op == OpId::add || i.op == OpId::mul;
    for (int32_t slot = 0; slot < opArity(i.op); ++slot) {
      bool passed = k > 0 && i.in[slot] == chain.instructions[at + k - 1].out;
      if (passed && !swaps && slot != t.slot) return {};
      if (!passed) pass.in[used++] = i.in[slot];
    }
    pass.out = i.out;
  }
  return pass;
}

}  // namespace

void linkPasses(Chain& chain) {
  for (size_t at = 0; at < chain.instructions.size();) {
    const Chain::Instruction& i = chain.instructions[at];
    std::optional<Chain::Pass> pass;
    int count = 1;
    for (const Together& t : kTogether) {
      if (pass = match(chain, at, t); pass) {
        count = t.count;
        break;
      }
    }
    chain.passes.push_back(
        pass.value_or(Chain::Pass{i.kernel, i.out, {i.in[0], i.in[1], i.in[2]}}));
    at += count;
  }
}

// ---- chains

namespace {

/// `steps`: between neighbours along each axis of the source.
void collapse(const Shape& source, const Shape& steps, const Shape& space, Chain::Load& load) {
  load.dims = load.strides = {};
  for (int i = 0; i < space.rank(); ++i) {
    int from = i - (space.rank() - source.rank());
    int32_t dim = space[i], step = from >= 0 && source[from] != 1 ? steps[from] : 0;
    if (dim == 1) continue;
    // Two neighbouring axes are one where the outer one steps over exactly the inner one (0 over 0
    // included).
    if (load.dims.rank() > 0 && load.strides[-1] == step * dim) {
      load.dims[-1] *= dim;
      load.strides[-1] = step;
    } else {
      load.dims.push(dim);
      load.strides.push(step);
    }
  }
  // One axis that does not step is a scalar.
  if (load.dims.rank() == 1 && load.strides[0] == 0) load.dims = load.strides = {};
}

}  // namespace

void broadcastStrides(const Shape& source, const Shape& space, Chain::Load& load) {
  load.dense = source.size() == space.size();
  if (!load.dense) collapse(source, rowMajorStrides(source), space, load);
}

void partStrides(const SliceAttrs& part, const Shape& whole, const Shape& space,
                 Chain::Load& load) {
  Shape steps = rowMajorStrides(whole);
  for (int i = 0; i < whole.rank(); ++i) load.offset += int64_t{part.begin[i]} * steps[i];
  collapse(part.size, steps, space, load);
}

namespace {

/// Elements [begin, begin + n) of a broadcast operand into a tile.
void loadBroadcast(const Chain::Load& load, const uint32_t* source, int64_t begin, int n,
                   uint32_t* tile) {
  int rank = load.dims.rank();
  Shape index = Shape::filled(rank, 0);
  int64_t offset = 0;
  for (int i = rank - 1; i >= 0; --i) {
    index[i] = static_cast<int32_t>(begin % load.dims[i]);
    begin /= load.dims[i];
    offset += int64_t{index[i]} * load.strides[i];
  }
  int32_t inner = load.dims[-1], step = load.strides[-1];
  for (int done = 0; done < n;) {
    int run = std::min(n - done, inner - index[-1]);
    const uint32_t* from = source + offset;
    if (step == 0) {
      std::fill_n(tile + done, run, *from);
    } else if (step == 1) {
      std::memcpy(tile + done, from, static_cast<size_t>(run) * 4);
    } else {
      for (int i = 0; i < run; ++i) tile[done + i] = from[int64_t{i} * step];
    }
    done += run;
    offset += int64_t{run} * step;
    index[-1] += run;
    for (int i = rank - 1; i > 0 && index[i] == load.dims[i]; --i) {
      offset += load.strides[i - 1] - int64_t{load.dims[i]} * load.strides[i];
      index[i] = 0;
      ++index[i - 1];
    }
  }
}

/// How many elements later a broadcast operand repeats itself, if it is a row read again and again;
/// otherwise 0.
int64_t periodOf(const Chain::Load& load) {
  bool isRow = load.dims.rank() == 2 && load.strides[0] == 0 && load.strides[1] == 1;
  return isRow ? load.dims[1] : 0;
}

/// n elements of a row of `period` that is read again and again, from `phase` on.
void repeat(const uint32_t* row, int64_t period, int64_t phase, int64_t n, uint32_t* tile) {
  int64_t done = std::min(period, n), first = std::min(done, period - phase);
  std::copy_n(row + phase, first, tile);
  std::copy_n(row, done - first, tile + first);
  // What is there already is whole periods: it is copied behind itself.
  for (; done < n; done = std::min(2 * done, n))
    std::copy_n(tile, std::min(done, n - done), tile + done);
}

/// Elements of a tile, at most kTile: a multiple of the periods of the operands, if that can be, so
/// that every tile sees the same of them.
int tileSize(const Chain& chain) {
  int64_t size = kLanes;
  for (const Chain::Load& load : chain.loads) {
    int64_t period = load.dense ? 0 : periodOf(load);
    if (period > 0 && std::lcm(size, period) <= kTile) size = std::lcm(size, period);
  }
  return static_cast<int>(kTile / size * size);
}

/// Where each register lives while a tile is computed.
struct Registers {
  std::byte* tiles;
  void* place[kMaxRegisters];
  void* tile(int reg) const { return tiles + int64_t{reg} * kTile * 4; }
};

/// A result goes straight to its array, unless an operand that shares the array is still read after
/// it is written.
bool writesInPlace(const Chain& chain, const Chain::Store& store, std::span<const View> operands,
                   std::span<const View> results) {
  if (store.written < 0) return false;
  for (const Chain::Load& load : chain.loads) {
    if (operands[load.operand].data == results[store.result].data &&
        load.lastRead > store.written) {
      return false;
    }
  }
  return true;
}

}  // namespace

void runChain(const Chain& chain, std::span<const View> operands, std::span<const View> results,
              const Strip& strip, std::byte* tiles) {
  Registers r{tiles, {}};
  int size = tileSize(chain);
  int64_t filled = std::min<int64_t>(size, strip.end - strip.begin + kLanes - 1);
  for (int i = 0; i < chain.registers; ++i) r.place[i] = r.tile(i);
  for (const Chain::Constant& c : chain.constants) {
    std::fill_n(static_cast<uint32_t*>(r.tile(c.reg)), filled, c.bits);
  }
  uint64_t inPlace = 0;
  for (const Chain::Store& s : chain.stores) {
    if (writesInPlace(chain, s, operands, results)) inPlace |= uint64_t{1} << s.result;
  }
  for (const Chain::Load& load : chain.loads) {
    if (!load.dense && load.dims.empty()) {
      std::fill_n(static_cast<uint32_t*>(r.tile(load.reg)), filled,
                  operands[load.operand].as<uint32_t>()[load.offset]);
    }
  }
  auto runAt = [&](int64_t begin, int64_t at, int64_t end) {
    int n = static_cast<int>(std::min<int64_t>(size, end - at));
    // A ragged tile is copied in and out: its last vector would touch what belongs to another
    // thread or another array.
    bool ragged = n % kLanes != 0;
    size_t bytes = static_cast<size_t>(n) * 4;
    for (const Chain::Load& load : chain.loads) {
      const uint32_t* source = operands[load.operand].as<uint32_t>() + load.offset;
      if (load.dense && !ragged) {
        r.place[load.reg] = const_cast<uint32_t*>(source + at);
      } else if (load.dense) {
        r.place[load.reg] = std::memcpy(r.tile(load.reg), source + at, bytes);
      } else if (int64_t period = periodOf(load); period > 0 && size % period == 0) {
        // The first tile's copy serves all that follow.
        if (at == begin)
          repeat(source, period, begin % period, n, static_cast<uint32_t*>(r.tile(load.reg)));
      } else if (period > 0 && at % period + n <= period && !ragged) {
        r.place[load.reg] = const_cast<uint32_t*>(source + at % period);
      } else if (!load.dims.empty()) {
        r.place[load.reg] = r.tile(load.reg);
        loadBroadcast(load, source, at, n, static_cast<uint32_t*>(r.tile(load.reg)));
      }
    }
    for (const Chain::Store& s : chain.stores) {
      if (s.written < 0) continue;
      bool direct = !ragged && (inPlace >> s.result & 1);
      r.place[s.reg] = direct ? results[s.result].as<uint32_t>() + at : r.tile(s.reg);
    }
    int rounded = (n + kLanes - 1) / kLanes * kLanes;
    for (const Chain::Pass& p : chain.passes) {
      const void* in[3] = {r.place[p.in[0]], r.place[p.in[1]], r.place[p.in[2]]};
      p.kernel(r.place[p.out], in, rounded);
    }
    for (const Chain::Store& s : chain.stores) {
      uint32_t* target = results[s.result].as<uint32_t>() + at;
      if (r.place[s.reg] != target) std::memcpy(target, r.place[s.reg], bytes);
    }
  };
  for (int64_t row = 0; row < strip.rows; ++row) {
    int64_t begin = strip.begin + row * strip.stride, end = strip.end + row * strip.stride;
    for (int64_t at = begin; at < end; at += size) runAt(begin, at, end);
  }
}

}  // namespace fjord
