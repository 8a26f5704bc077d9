// What an op does on a GPU: shaders, as data. An op that has a GPU form beside its kernel writes
//
//   static void gpu(ShaderWriter& w, const Attrs& a);
//
// and one that cannot says why: `static constexpr NoGpu gpu{"..."}`. The text of a shader is WGSL
// from a .wgsl file beside the op's .cc. It sees the operands as functions in0(i), in1(i), .. of the
// number of an element, gives every element of the output once by put(i, value), and finds its
// constants by name. It has one of
//
//   fn element(i: u32)                          called for each i below ShaderWriter::elements
//   fn forGroup(group: vec3u, local: u32)       called by each of the threads of a workgroup
//
// A result whose terms are shared out among shaders' threads is put together by a last one: see
// Shader::Role.
//
// Numbers are f32, or i32 for int32 and bool. run/gpu.h makes programs of it.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "ops/wgsl.h"

namespace fjord {

struct Shader {
  /// Constants and functions, and the parts of WGSL that use them.
  std::string text;
  /// How often element(i) is called; 0 where workgroup(..) is, by so many groups.
  int64_t elements = 0;
  std::array<int64_t, 3> groups = {0, 1, 1};
  int threads = 64;
  /// The only input that it reads, or -1 for all.
  int reads = -1;
  /// Bit k: it reads input k in fours as well, see ShaderWriter::vectors.
  uint32_t vectors = 0;
  /// kShares: put(i, value) goes to array number `share`, a variable of the shader, of
  /// ShaderWriter::shares arrays like the output. kJoins: reads these by share_of(share, i), and no
  /// input.
  enum Role : uint8_t { kWhole, kShares, kJoins };
  Role role = kWhole;
};

/// Collects the shaders of one op, which run one after the other.
class ShaderWriter {
 public:
  /// A product of up to `aloneTerms` multiply-adds, or of few rows or columns, is computed by threads
  /// that work alone; none if it is 0.
  ShaderWriter(std::span<const Type> in, const Type& out, int64_t aloneTerms)
      : in_(in), out_(out), aloneTerms_(aloneTerms) {}
  const Type& in(int i) const { return in_[i]; }
  const Type& out() const { return out_; }

  /// Begins a shader that calls element(i).
  void elements(int64_t count);
  /// Begins a shader that calls forGroup(group, local).
  void workgroups(std::array<int64_t, 3> groups, int threads);
  /// The same with a group for each of `count`, times z: constants kGroupsX and `name` = count, of which
  /// group.y * kGroupsX + group.x is one if it is below.
  void workgroupsOf(std::string_view name, int64_t count, int64_t z, int threads);
  /// WGSL as it is.
  void text(std::initializer_list<std::string_view> parts);
  /// const name = value, a u32.
  void constant(std::string_view name, int64_t value);
  /// The same that may be negative: an i32.
  void offset(std::string_view name, int64_t value);
  void number(std::string_view name, float value);
  void flag(std::string_view name, bool value);
  /// alias Number = the type of an element of `t`.
  void numbers(const Type& t);
  /// fn name(i) of the number of an element of a row-major array of `dims`: its place in an array
  /// with these strides.
  void walk(std::string_view name, const Shape& dims, const Shape& strides, int64_t offset);
  void reads(int input) { shaders.back().reads = input; }
  /// The shader has in0v(i) or in1v(i), .. for this input: elements i to i + 3, i a multiple of 4. Their
  /// number is one too.
  void vectors(int input) { shaders.back().vectors |= 1u << input; }
  struct GemmOperand {
    /// Whether the neighbours of an element in memory are those of the next term, so that threads
    /// fetch neighbours.
    bool byK;
    /// Whether an element whose number in that direction is a multiple of 4 is followed by three
    /// neighbours, at a place that is one too.
    bool vectors;
  };
  /// Begins `count` products of M x K by K x N: gemm_tiles.wgsl, or gemm_alone.wgsl where they are
  /// small. What the operands are is written next (gemm.wgsl says how), then endGemm called.
  void gemm(int64_t m, int64_t n, int64_t k, int64_t count, GemmOperand left, GemmOperand right);
  void endGemm();

  std::vector<Shader> shaders;
  /// Arrays that shaders of the role kShares write; 0 without.
  int64_t shares = 0;

 private:
  std::span<const Type> in_;
  Type out_;
  int64_t aloneTerms_;
};

/// The same as ShaderWriter::walk, as text.
std::string wgslWalk(std::string_view name, const Shape& dims, const Shape& strides,
                     int64_t offset);

struct NoGpu {
  std::string_view reason;
};

/// WGSL's name of how an element is held: "f32" or "i32".
inline std::string_view wgslType(DType t) { return t == DType::kF32 ? "f32" : "i32"; }

}  // namespace fjord
