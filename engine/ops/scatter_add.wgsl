// Sums [outer, kSize, kInner] of kN updates.
/// Element i of the sums asks every index whether it is meant: slow where there are many, but the
/// order is that of the indices, and a GPU has no atomic sum of floats.
fn element(i: u32) {
  let at = i32(i / kInner % kSize);
  let outer = i / (kInner * kSize);
  var sum = Number(0);
  for (var k = 0u; k < kN; k++) {
    if (in0(k) == at) { sum += in1((outer * kN + k) * kInner + i % kInner); }
  }
  put(i, sum);
}
