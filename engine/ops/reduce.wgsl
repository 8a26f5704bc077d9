// A workgroup has kOutputs results, each of which kLanes threads reduce: thread `lane` takes elements
// lane, lane + kLanes, .. and the threads' results are joined as a tree, so that the order is always the
// same. Neighbouring threads have neighbouring results, or neighbouring elements of one. Whoever
// includes this defines kept(o) and reduced(r), the places of a result's first element and of element
// r from there, start(), join(a, b) and last(a).
const kApart = select(1u, kOutputs, kResultsAreNeighbours);  // two lanes of a result
var<workgroup> joined: array<Number, kOutputs * kLanes>;
fn forGroup(group: vec3u, local: u32) {
  let o = (group.y * kGroupsX + group.x) * kOutputs + select(local / kLanes, local % kOutputs, kResultsAreNeighbours);
  let lane = select(local % kLanes, local / kOutputs, kResultsAreNeighbours);
  var total: LongSum;
  total.run = start();
  if (o < kResults) {
    let first = kept(o);
    for (var r = lane; r < kReduced; r += kLanes) { grow(&total, in0(first + reduced(r))); }
  }
  joined[local] = totalOf(&total);
  workgroupBarrier();
  for (var half = kLanes / 2u; half > 0u; half /= 2u) {
    if (lane < half) { joined[local] = join(joined[local], joined[local + half * kApart]); }
    workgroupBarrier();
  }
  if (o < kResults && lane == 0u) { put(o, last(joined[local])); }
}
