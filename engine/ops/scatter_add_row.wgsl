// The same for many updates: a workgroup has 64 columns of one of the sums. Its threads ask 64 indices at
// once whether they are meant, and note it in bits; each thread adds up its column in their order.
var<workgroup> hits: array<atomic<u32>, 2>;
fn forGroup(group: vec3u, local: u32) {
  let row = group.y * kGroupsX + group.x;
  if (row >= kRows) { return; }
  let at = i32(row % kSize);
  let first = row / kSize * kN;
  let column = group.z * 64u + local;
  var sum: LongSum;
  for (var base = 0u; base < kN; base += 64u) {
    if (local < 2u) { atomicStore(&hits[local], 0u); }
    workgroupBarrier();
    if (base + local < kN) {
      if (in0(base + local) == at) { atomicOr(&hits[local / 32u], 1u << (local % 32u)); }
    }
    workgroupBarrier();
    for (var w = 0u; w < 2u; w++) {
      var bits = atomicLoad(&hits[w]);
      while (bits != 0u) {
        let k = base + 32u * w + countTrailingZeros(bits);
        bits &= bits - 1u;
        if (column < kInner) { grow(&sum, in1((first + k) * kInner + column)); }
      }
    }
    workgroupBarrier();
  }
  if (column < kInner) { put(row * kInner + column, totalOf(&sum)); }
}
