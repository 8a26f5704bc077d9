// Tiles of kTile x kTile, whose operands the threads of a workgroup fetch together and keep in workgroup
// memory.
const kSide = kTile / 4u;
const kDepth = 16u;
const kBlocks = kDepth / 4u * kSide;
var<workgroup> tileLeft: array<vec4f, kDepth * kSide>;   // [k][m / 4]
var<workgroup> tileRight: array<vec4f, kDepth * kSide>;  // [k][n / 4]

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
  var t0 = vec4f();
  var t1 = vec4f();
  var t2 = vec4f();
  var t3 = vec4f();
  let end = min(kK, (ownShare + 1u) * kTerms);
  for (var k0 = ownShare * kTerms; k0 < end; k0 += kDepth) {
    // One half of the threads fetches from the left, the other from the right: neighbours in memory.
    for (var e = local; e < 2u * kBlocks; e += kSide * kSide) {
      let block = e % kBlocks;
      let byK = select(kRightByK, kLeftByK, e < kBlocks);
      let k = 4u * select(block / kSide, block % (kDepth / 4u), byK);
      let q = select(block % kSide, block / (kDepth / 4u), byK);
      if (e < kBlocks) {
        let a = leftBlock(firstM + 4u * q, k0 + k, end);
        for (var j = 0u; j < 4u; j++) { tileLeft[(k + j) * kSide + q] = a[j]; }
      } else {
        let b = rightBlock(k0 + k, firstN + 4u * q, end);
        for (var j = 0u; j < 4u; j++) { tileRight[(k + j) * kSide + q] = b[j]; }
      }
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
    if (kTerms > kRunTerms && (k0 - ownShare * kTerms) % kRunTerms == kRunTerms - kDepth) {
      t0 += s0;
      t1 += s1;
      t2 += s2;
      t3 += s3;
      s0 = vec4f();
      s1 = vec4f();
      s2 = vec4f();
      s3 = vec4f();
    }
    workgroupBarrier();
  }
  let m = firstM + 4u * y;
  let n = firstN + 4u * x;
  finishRow(m, n, t0 + s0);
  finishRow(m + 1u, n, t1 + s1);
  finishRow(m + 2u, n, t2 + s2);
  finishRow(m + 3u, n, t3 + s3);
}
