#include "ops/gpu.h"

#include "ops/gemm.wgsl.h"

namespace fjord {

std::string wgslWalk(std::string_view name, const Shape& dims, const Shape& strides,
                     int64_t offset) {
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

void ShaderWriter::gemm(int64_t m, int64_t n, int64_t k, int64_t count, bool leftByK,
                        bool rightByK) {
  // Small tiles where large ones would leave most of the GPU without work.
  int64_t tile = m * n * count >= 1 << 20 ? 64 : 32;
  workgroups({(n + tile - 1) / tile, (m + tile - 1) / tile, count},
             static_cast<int>(tile / 4 * (tile / 4)));
  constant("kTile", tile);
  constant("kM", m);
  constant("kN", n);
  constant("kK", k);
  flag("kLeftByK", leftByK);
  flag("kRightByK", rightByK);
  text({kGemmWgsl});
}

}  // namespace fjord
