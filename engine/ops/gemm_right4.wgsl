// Four neighbours in memory are four terms of a column, or four columns of a term.
fn rightVector(k: u32, n: u32, end: u32) -> vec4f {
  if (n >= kN || k >= end) { return vec4f(); }
  return in1v(rightPlace(k, n));
}
fn rightBlock(k: u32, n: u32, end: u32) -> mat4x4f {
  if (kRightByK) {
    return transpose(mat4x4f(rightVector(k, n, end), rightVector(k, n + 1u, end), rightVector(k, n + 2u, end), rightVector(k, n + 3u, end)));
  }
  return mat4x4f(rightVector(k, n, end), rightVector(k + 1u, n, end), rightVector(k + 2u, n, end), rightVector(k + 3u, n, end));
}
