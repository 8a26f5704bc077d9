// Four neighbours in memory are four terms of a row, or four rows of a term.
fn leftVector(m: u32, k: u32, end: u32) -> vec4f {
  if (m >= kM || k >= end) { return vec4f(); }
  let at = leftPlace(m, k);
  if (at < 0) { return vec4f(); }
  return in0v(u32(at));
}
fn leftBlock(m: u32, k: u32, end: u32) -> mat4x4f {
  if (kLeftByK) {
    return transpose(mat4x4f(leftVector(m, k, end), leftVector(m + 1u, k, end), leftVector(m + 2u, k, end), leftVector(m + 3u, k, end)));
  }
  return mat4x4f(leftVector(m, k, end), leftVector(m, k + 1u, end), leftVector(m, k + 2u, end), leftVector(m, k + 3u, end));
}
