fn leftAt(m: u32, k: u32, end: u32) -> f32 {
  if (m >= kM || k >= end) { return 0.0; }
  let at = leftPlace(m, k);
  if (at < 0) { return 0.0; }
  return in0(u32(at));
}
fn leftColumn(m: u32, k: u32, end: u32) -> vec4f {
  return vec4f(leftAt(m, k, end), leftAt(m + 1u, k, end), leftAt(m + 2u, k, end), leftAt(m + 3u, k, end));
}
fn leftBlock(m: u32, k: u32, end: u32) -> mat4x4f {
  // A loop, so that the places of four elements stand in the shader, and not of sixteen.
  var block: mat4x4f;
  for (var j = 0u; j < 4u; j++) { block[j] = leftColumn(m, k + j, end); }
  return block;
}
