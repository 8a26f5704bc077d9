// Chain: elementwise ops over one iteration space, fused. It runs tile by tile, so that what passes
// from op to op stays in the first-level cache, and each operand is read and each result written
// once.
//
// A chain is data: registers (tiles of kTile elements), loads, constants, instructions, results.
// The planner builds it (plan/chain.cc), runChain executes it here, and the same data can be
// printed as a shader.
#pragma once

#include <span>
#include <vector>

#include "ops/op.h"

namespace fjord {

/// Elements of a tile: 2 KB, so that a dozen live registers fit the 32 KB of a small first-level
/// cache.
inline constexpr int kTile = 512;

struct Chain {
  /// An operand array, seen through broadcasting or in part: element i of the space is data[offset + sum
  /// of index * stride]. Dimensions that step alike are collapsed; `dims` empty means a scalar, `dense`
  /// the same layout as the space.
  struct Load {
    int32_t operand = 0;
    int32_t reg = 0;
    bool dense = false;
    Shape dims = {}, strides = {};
    int64_t offset = 0;
    int32_t lastRead = -1;  // last instruction that reads it
  };
  struct Constant {
    uint32_t bits = 0;
    int32_t reg = 0;
  };
  struct Instruction {
    OpId op;
    TileKernel kernel = nullptr;
    int32_t out = 0;
    int32_t in[3] = {0, 0, 0};
    /// What it takes (beside the condition of a selection) and gives.
    DType operand = DType::kF32, result = DType::kF32;
  };
  /// What the CPU does over a tile at once: an instruction, or neighbouring ones whose results only
  /// the next one reads.
  struct Pass {
    TileKernel kernel = nullptr;
    int32_t out = 0;
    int32_t in[3] = {0, 0, 0};
  };
  struct Store {
    int32_t result = 0;
    int32_t reg = 0;
    int32_t written = -1;  // the instruction that computes it, or -1 for a load or constant
  };

  Shape space;
  std::vector<Load> loads;
  std::vector<Constant> constants;
  std::vector<Instruction> instructions;
  std::vector<Pass> passes;
  std::vector<Store> stores;
  int32_t registers = 0;

  int64_t scratchBytesPerThread() const { return int64_t{registers} * kTile * 4; }
};

/// Most registers of a chain.
inline constexpr int kMaxRegisters = 64;

/// These elements of the space. operands[i].data and results[i].data are indexed by
/// Load::operand and Store::result; a result may share memory with a dense operand. `tiles` has
/// scratchBytesPerThread() bytes.
void runChain(const Chain& chain, std::span<const View> operands, std::span<const View> results,
              const Strip& strip, std::byte* tiles);

/// Makes the passes of the instructions.
void linkPasses(Chain& chain);

/// dims and strides of an array of shape `source` broadcast to `space`, collapsed.
void broadcastStrides(const Shape& source, const Shape& space, Chain::Load& load);
/// The same of a part of an array of shape `whole`.
void partStrides(const SliceAttrs& part, const Shape& whole, const Shape& space, Chain::Load& load);

// ---- which kernels a row has

constexpr bool takesFloats(RowKind k) {
  return k == RowKind::kFloat || k == RowKind::kNumber || k == RowKind::kWhole ||
         k == RowKind::kFirst || k == RowKind::kTest || k == RowKind::kCompare;
}
// A selection moves bits, whatever they mean, so the integer kernel serves every type.
constexpr bool takesInts(RowKind k) {
  return k == RowKind::kNumber || k == RowKind::kFirst || k == RowKind::kCompare ||
         k == RowKind::kLogic || k == RowKind::kBits || k == RowKind::kSelect;
}

}  // namespace fjord
