// Tiles of kTile x kTile, whose operands the threads of a workgroup fetch together and keep in workgroup
// memory.
const kSide = kTile / 4u;
const kDepth = 16u;
var<workgroup> tileLeft: array<vec4f, kDepth * kSide>;   // [k][m / 4]
var<workgroup> tileRight: array<vec4f, kDepth * kSide>;  // [k][n / 4]

fn leftAt(m: u32, k: u32, end: u32) -> f32 {
  if (m < kM && k < end) { return left(m, k); }
  return 0.0;
}
fn rightAt(k: u32, n: u32, end: u32) -> f32 {
  if (n < kN && k < end) { return right(k, n); }
  return 0.0;
}

fn forGroup(group: vec3u, local: u32) {
  // A variable of the module could differ between threads, for all that the compiler knows.
  let ownShare = group.z % kShares;
  share = ownShare;
  begin(group.z / kShares);
  let firstM = group.y * kTile;
  let firstN = group.x * kTile;
  let x = local % kSide;
  let y = local / kSide;
  var s0 = vec4f();
  var s1 = vec4f();
  var s2 = vec4f();
  var s3 = vec4f();
  let end = min(kK, (ownShare + 1u) * kTerms);
  for (var k0 = ownShare * kTerms; k0 < end; k0 += kDepth) {
    for (var e = local; e < kDepth * kSide; e += kSide * kSide) {
      let k = select(e / kSide, e % kDepth, kLeftByK);
      let q = select(e % kSide, e / kDepth, kLeftByK);
      let m = firstM + 4u * q;
      tileLeft[k * kSide + q] = vec4f(leftAt(m, k0 + k, end), leftAt(m + 1u, k0 + k, end), leftAt(m + 2u, k0 + k, end), leftAt(m + 3u, k0 + k, end));
      let kr = select(e / kSide, e % kDepth, kRightByK);
      let qr = select(e % kSide, e / kDepth, kRightByK);
      let n = firstN + 4u * qr;
      tileRight[kr * kSide + qr] = vec4f(rightAt(k0 + kr, n, end), rightAt(k0 + kr, n + 1u, end), rightAt(k0 + kr, n + 2u, end), rightAt(k0 + kr, n + 3u, end));
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
