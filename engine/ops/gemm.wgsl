// C [M,N] = sum over K of left(m, k) * right(k, n), in tiles of kTile x kTile that the threads of a
// workgroup fetch together and keep in workgroup memory; each thread has 4 x 4 sums. Whoever
// includes this defines left(m, k), right(k, n), which may be asked for within M, N and K only, and
// finish(m, n, value).
const kSide = kTile / 4u;
const kDepth = 16u;
var<workgroup> tileLeft: array<vec4f, kDepth * kSide>;   // [k][m / 4]
var<workgroup> tileRight: array<vec4f, kDepth * kSide>;  // [k][n / 4]

fn leftAt(m: u32, k: u32) -> f32 {
  if (m < kM && k < kK) { return left(m, k); }
  return 0.0;
}
fn rightAt(k: u32, n: u32) -> f32 {
  if (n < kN && k < kK) { return right(k, n); }
  return 0.0;
}
fn finishRow(m: u32, n: u32, v: vec4f) {
  if (m >= kM) { return; }
  if (n < kN) { finish(m, n, v.x); }
  if (n + 1u < kN) { finish(m, n + 1u, v.y); }
  if (n + 2u < kN) { finish(m, n + 2u, v.z); }
  if (n + 3u < kN) { finish(m, n + 3u, v.w); }
}

fn gemm(firstM: u32, firstN: u32, local: u32) {
  let x = local % kSide;
  let y = local / kSide;
  var s0 = vec4f();
  var s1 = vec4f();
  var s2 = vec4f();
  var s3 = vec4f();
  for (var k0 = 0u; k0 < kK; k0 += kDepth) {
    for (var e = local; e < kDepth * kSide; e += kSide * kSide) {
      let k = select(e / kSide, e % kDepth, kLeftByK);
      let q = select(e % kSide, e / kDepth, kLeftByK);
      let m = firstM + 4u * q;
      tileLeft[k * kSide + q] = vec4f(leftAt(m, k0 + k), leftAt(m + 1u, k0 + k), leftAt(m + 2u, k0 + k), leftAt(m + 3u, k0 + k));
      let kr = select(e / kSide, e % kDepth, kRightByK);
      let qr = select(e % kSide, e / kDepth, kRightByK);
      let n = firstN + 4u * qr;
      tileRight[kr * kSide + qr] = vec4f(rightAt(k0 + kr, n), rightAt(k0 + kr, n + 1u), rightAt(k0 + kr, n + 2u), rightAt(k0 + kr, n + 3u));
    }
    workgroupBarrier();
    for (var k = 0u; k < kDepth; k++) {
      let a = tileLeft[k * kSide + y];
      let b = tileRight[k * kSide + x];
      s0 += a.x * b;
      s1 += a.y * b;
      s2 += a.z * b;
      s3 += a.w * b;
    }
    workgroupBarrier();
  }
  let m = firstM + 4u * y;
  let n = firstN + 4u * x;
  finishRow(m, n, s0);
  finishRow(m + 1u, n, s1);
  finishRow(m + 2u, n, s2);
  finishRow(m + 3u, n, s3);
}
