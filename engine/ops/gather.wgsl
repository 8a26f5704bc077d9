// x as [outer, kCount, kInner]; kN indices. An index outside reads zero and writes nothing.
fn element(i: u32) {
  let at = in1(i / kInner % kN);
  let outer = i / (kInner * kN);
  if (at < 0 || at >= i32(kCount)) {
    put(i, Number(0));
  } else {
    put(i, in0((outer * kCount + u32(at)) * kInner + i % kInner));
  }
}
