// The same with a workgroup for each column: a thread takes elements local, local + kThreads, .., and
// what the threads have is joined as a tree.
var<workgroup> joined: array<f32, kThreads>;
fn joinMaximum(local: u32, v: f32) -> f32 {
  joined[local] = v;
  workgroupBarrier();
  for (var half = kThreads / 2u; half > 0u; half /= 2u) {
    if (local < half) { joined[local] = max(joined[local], joined[local + half]); }
    workgroupBarrier();
  }
  let all = joined[0];
  workgroupBarrier();
  return all;
}
fn joinSum(local: u32, v: f32) -> f32 {
  joined[local] = v;
  workgroupBarrier();
  for (var half = kThreads / 2u; half > 0u; half /= 2u) {
    if (local < half) { joined[local] += joined[local + half]; }
    workgroupBarrier();
  }
  return joined[0];
}
fn forGroup(group: vec3u, local: u32) {
  let i = group.y * kGroupsX + group.x;
  if (i >= kColumns) { return; }
  var top = -f_infinity();
  for (var k = local; k < kCount; k += kThreads) { top = max(top, in0(place(i, k))); }
  top = joinMaximum(local, top);
  var sum: LongSum;
  for (var k = local; k < kCount; k += kThreads) { grow(&sum, f_exp(in0(place(i, k)) - top)); }
  let total = joinSum(local, totalOf(&sum));
  let shift = f_log(total) + top;
  for (var k = local; k < kCount; k += kThreads) {
    let x = in0(place(i, k));
    put(place(i, k), select(f_exp(x - top) / total, x - shift, kLogarithm));
  }
}
