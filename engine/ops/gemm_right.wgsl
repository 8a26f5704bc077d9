fn rightAt(k: u32, n: u32, end: u32) -> f32 {
  if (n >= kN || k >= end) { return 0.0; }
  return in1(rightPlace(k, n));
}
fn rightRow(k: u32, n: u32, end: u32) -> vec4f {
  return vec4f(rightAt(k, n, end), rightAt(k, n + 1u, end), rightAt(k, n + 2u, end), rightAt(k, n + 3u, end));
}
fn rightBlock(k: u32, n: u32, end: u32) -> mat4x4f {
  var block: mat4x4f;
  for (var j = 0u; j < 4u; j++) { block[j] = rightRow(k + j, n, end); }
  return block;
}
