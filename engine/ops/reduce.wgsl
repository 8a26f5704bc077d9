// A workgroup has kOutputs neighbouring results, each of which kLanes threads reduce: thread `lane`
// takes elements lane, lane + kLanes, .. and the threads' results are joined as a tree, so that the
// order is always the same. Whoever includes this defines kept(o) and reduced(r), the places of a
// result's first element and of element r from there, start(), join(a, b) and last(a).
var<workgroup> joined: array<Number, kOutputs * kLanes>;
fn forGroup(group: vec3u, local: u32) {
  let o = (group.y * kGroupsX + group.x) * kOutputs + local % kOutputs;
  let lane = local / kOutputs;
  var total = start();
  if (o < kResults) {
    let first = kept(o);
    for (var r = lane; r < kReduced; r += kLanes) { total = join(total, in0(first + reduced(r))); }
  }
  joined[local] = total;
  workgroupBarrier();
  for (var half = kLanes / 2u; half > 0u; half /= 2u) {
    if (lane < half) { joined[local] = join(joined[local], joined[local + half * kOutputs]); }
    workgroupBarrier();
  }
  if (o < kResults && lane == 0u) { put(o, last(joined[local])); }
}
