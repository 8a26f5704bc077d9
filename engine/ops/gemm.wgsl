// C [M,N] = sum over K of left(m, k) * right(k, n). Whoever includes this defines
//
//   fn begin(product: u32)                        one of several products is meant
//   fn leftPlace(m: u32, k: u32) -> i32           of left(m, k) in in0, or -1 where it is zero
//   fn rightPlace(k: u32, n: u32) -> u32          of right(k, n) in in1
//   fn finish(m: u32, n: u32, value: f32)
//
// and is asked for places within M, N and K only. Operands are fetched in blocks of four terms by four
// rows or columns: leftBlock(m, k, end)[j] has rows m to m + 3 of term k + j, rightBlock(k, n, end)[j]
// columns n to n + 3 of it; zeros outside, and from term `end` on. A thread has 4 x 4 results. Their
// terms may be shared out: share s has kTerms of them, from s * kTerms on. Many are added up in runs
// (ops/long_sum.h).
var<private> share: u32;
const kRunTerms = 512u;

fn finishRow(m: u32, n: u32, v: vec4f) {
  if (m >= kM) { return; }
  if (n < kN) { finish(m, n, v.x); }
  if (n + 1u < kN) { finish(m, n + 1u, v.y); }
  if (n + 2u < kN) { finish(m, n + 2u, v.z); }
  if (n + 3u < kN) { finish(m, n + 3u, v.w); }
}
