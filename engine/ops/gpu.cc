#include "ops/gpu.h"

#include <algorithm>

#include "ops/gemm.wgsl.h"
#include "ops/gemm_alone.wgsl.h"
#include "ops/gemm_left.wgsl.h"
#include "ops/gemm_left4.wgsl.h"
#include "ops/gemm_right.wgsl.h"
#include "ops/gemm_right4.wgsl.h"
#include "ops/gemm_tiles.wgsl.h"

namespace fjord {

std::string wgslWalk(std::string_view name, const Shape& dims, const Shape& strides,
                     int64_t offset) {
  // Nobody walks over nothing, but a remainder by 0 does not even compile.
  if (dims.size() == 0) return cat("fn ", name, "(i:u32)->u32{return ", offset, "u;}\n");
  // Neighbouring axes that step as one are one.
  Shape joined, steps;
  for (int d = 0; d < dims.rank(); ++d) {
    if (dims[d] == 1) continue;
    if (joined.rank() > 0 && steps[-1] == strides[d] * dims[d]) {
      joined[-1] *= dims[d];
      steps[-1] = strides[d];
    } else {
      joined.push(dims[d]);
      steps.push(strides[d]);
    }
  }
  std::string sum;
  int64_t inner = 1;
  for (int d = joined.rank() - 1; d >= 0; --d) {
    if (steps[d] != 0) sum += cat("+j/", inner, "%", joined[d], "*(", steps[d], ")");
    inner *= joined[d];
  }
  return cat("fn ", name, "(i:u32)->u32{let j=i32(i);return u32(", offset, sum, ");}\n");
}

void ShaderWriter::elements(int64_t count) { shaders.push_back({.text = {}, .elements = count}); }

void ShaderWriter::workgroups(std::array<int64_t, 3> groups, int threads) {
  shaders.push_back({.text = {}, .groups = groups, .threads = threads});
}

void ShaderWriter::workgroupsOf(std::string_view name, int64_t count, int64_t z, int threads) {
  // What every device allows of a dimension.
  int64_t x = std::clamp<int64_t>(count, 1, 65535);
  workgroups({x, (count + x - 1) / x, z}, threads);
  constant("kGroupsX", x);
  constant(name, count);
}

void ShaderWriter::text(std::initializer_list<std::string_view> parts) {
  for (std::string_view part : parts) shaders.back().text += part;
}

void ShaderWriter::constant(std::string_view name, int64_t value) {
  shaders.back().text += cat("const ", name, "=", value, "u;\n");
}
void ShaderWriter::offset(std::string_view name, int64_t value) {
  shaders.back().text += cat("const ", name, ":i32=", value, ";\n");
}
void ShaderWriter::number(std::string_view name, float value) {
  shaders.back().text += cat("const ", name, ":f32=", wgslFloat(value), ";\n");
}
void ShaderWriter::flag(std::string_view name, bool value) {
  shaders.back().text += cat("const ", name, "=", value ? "true" : "false", ";\n");
}
void ShaderWriter::numbers(const Type& t) {
  shaders.back().text += cat("alias Number=", wgslType(t.dtype), ";\n");
}
void ShaderWriter::walk(std::string_view name, const Shape& dims, const Shape& strides,
                        int64_t offset) {
  shaders.back().text += wgslWalk(name, dims, strides, offset);
}

void ShaderWriter::gemm(int64_t m, int64_t n, int64_t k, int64_t count, GemmOperand left,
                        GemmOperand right) {
  // Small tiles where large ones would leave most of the GPU without work; none where most of a tile
  // would be empty.
  int64_t side = m * n * count >= 1 << 20 ? 64 : 32;
  bool alone = m * n * k * count <= aloneTerms_ || (aloneTerms_ > 0 && std::min(m, n) <= side / 2);
  if (alone) side = 4;
  int64_t down = (m + side - 1) / side, across = (n + side - 1) / side;
  // Few results of many terms would leave most of it without work too: their terms are shared out.
  constexpr int64_t kBusyThreads = 4096, kLeastTerms = 512;
  int64_t threads = down * across * count * (side / 4) * (side / 4);
  int64_t share = std::max(kLeastTerms, k * threads / kBusyThreads / 16 * 16);
  int64_t parts = std::max<int64_t>(1, (k + share - 1) / share);
  if (alone) {
    elements(down * across * count * parts);
    constant("kAcross", across);
    constant("kDown", down);
  } else {
    workgroups({across, down, count * parts}, static_cast<int>(side / 4 * (side / 4)));
    constant("kTile", side);
  }
  flag("kLeftByK", left.byK);
  flag("kRightByK", right.byK);
  constant("kM", m);
  constant("kN", n);
  constant("kK", k);
  constant("kShares", parts);
  constant("kTerms", share);
  text({kGemmWgsl, left.vectors ? kGemmLeft4Wgsl : kGemmLeftWgsl,
        right.vectors ? kGemmRight4Wgsl : kGemmRightWgsl, alone ? kGemmAloneWgsl : kGemmTilesWgsl});
  if (left.vectors) vectors(0);
  if (right.vectors) vectors(1);
  if (parts == 1) return;
  shaders.back().role = Shader::kShares;
  shares = parts;
}

void ShaderWriter::endGemm() {
  if (shares == 0) return;
  elements(out_.shape.size());
  shaders.back().role = Shader::kJoins;
  constant("kShares", shares);
  text(
      {"fn element(i:u32){var v=0.0;for(var begin=0u;begin<kShares;begin+=64u){var run=0.0;for(var "
       "s=begin;s<min(kShares,begin+64u);s++){run+=share_of(s,i);}v+=run;}put(i,v);}\n"});
}

}  // namespace fjord
