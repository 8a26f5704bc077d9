// Threads that work alone and fetch all that they need: no thread waits for another, and the shader is
// compiled in a fraction of the time of one whose threads do.
fn element(i: u32) {
  let n = i % kAcross * 4u;
  let m = i / kAcross % kDown * 4u;
  let product = i / (kAcross * kDown);
  share = product % kShares;
  begin(product / kShares);
  var s0 = vec4f();
  var s1 = vec4f();
  var s2 = vec4f();
  var s3 = vec4f();
  var t0 = vec4f();
  var t1 = vec4f();
  var t2 = vec4f();
  var t3 = vec4f();
  let end = min(kK, (share + 1u) * kTerms);
  for (var k = share * kTerms; k < end; k += 4u) {
    let a = leftBlock(m, k, end);
    let b = rightBlock(k, n, end);
    s0 += a[0].x * b[0] + a[1].x * b[1] + a[2].x * b[2] + a[3].x * b[3];
    s1 += a[0].y * b[0] + a[1].y * b[1] + a[2].y * b[2] + a[3].y * b[3];
    s2 += a[0].z * b[0] + a[1].z * b[1] + a[2].z * b[2] + a[3].z * b[3];
    s3 += a[0].w * b[0] + a[1].w * b[1] + a[2].w * b[2] + a[3].w * b[3];
    if (kTerms > kRunTerms && (k - share * kTerms) % kRunTerms == kRunTerms - 4u) {
      t0 += s0;
      t1 += s1;
      t2 += s2;
      t3 += s3;
      s0 = vec4f();
      s1 = vec4f();
      s2 = vec4f();
      s3 = vec4f();
    }
  }
  finishRow(m, n, t0 + s0);
  finishRow(m + 1u, n, t1 + s1);
  finishRow(m + 2u, n, t2 + s2);
  finishRow(m + 3u, n, t3 + s3);
}
