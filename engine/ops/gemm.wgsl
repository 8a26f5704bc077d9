// C [M,N] = sum over K of left(m, k) * right(k, n). Whoever includes this defines
//
//   fn begin(product: u32)                        one of several products is meant
//   fn left(m: u32, k: u32) -> f32                asked for within M, N and K only
//   fn right(k: u32, n: u32) -> f32
//   fn finish(m: u32, n: u32, value: f32)
//
// A thread has 4 x 4 results. Their terms may be shared out: share s has kTerms of them, from
// s * kTerms on.
var<private> share: u32;

fn finishRow(m: u32, n: u32, v: vec4f) {
  if (m >= kM) { return; }
  if (n < kN) { finish(m, n, v.x); }
  if (n + 1u < kN) { finish(m, n + 1u, v.y); }
  if (n + 2u < kN) { finish(m, n + 2u, v.z); }
  if (n + 3u < kN) { finish(m, n + 3u, v.w); }
}
