// Threads that work alone and fetch all that they need: no thread waits for another, and the shader is
// compiled in a fraction of the time of one whose threads do.
fn element(i: u32) {
  // What lies beyond the last row or column is computed from the last one, and not stored.
  let n = i % kAcross * 4u;
  let m = i / kAcross % kDown * 4u;
  let product = i / (kAcross * kDown);
  share = product % kShares;
  begin(product / kShares);
  let m1 = min(m + 1u, kM - 1u);
  let m2 = min(m + 2u, kM - 1u);
  let m3 = min(m + 3u, kM - 1u);
  let n1 = min(n + 1u, kN - 1u);
  let n2 = min(n + 2u, kN - 1u);
  let n3 = min(n + 3u, kN - 1u);
  var s0 = vec4f();
  var s1 = vec4f();
  var s2 = vec4f();
  var s3 = vec4f();
  let end = min(kK, (share + 1u) * kTerms);
  for (var k = share * kTerms; k < end; k++) {
    let b = vec4f(right(k, n), right(k, n1), right(k, n2), right(k, n3));
    s0 += left(m, k) * b;
    if (kRows > 1u) { s1 += left(m1, k) * b; }
    if (kRows > 2u) { s2 += left(m2, k) * b; }
    if (kRows > 3u) { s3 += left(m3, k) * b; }
  }
  finishRow(m, n, s0);
  if (kRows > 1u) { finishRow(m + 1u, n, s1); }
  if (kRows > 2u) { finishRow(m + 2u, n, s2); }
  if (kRows > 3u) { finishRow(m + 3u, n, s3); }
}
