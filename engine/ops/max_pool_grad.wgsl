/// Whether no tap before `tap` of output pixel `o` has the value `best`.
fn isFirst(o: u32, c: u32, tap: u32, best: f32) -> bool {
  let place = outputPlace(o * kC + c, kC);
  for (var t = 0u; t < tap; t++) {
    let pixel = inputPixel(place, t / kKW, t % kKW);
    if (pixel >= 0 && in0(u32(pixel) * kC + c) == best) { return false; }
  }
  return true;
}
fn maxPoolGrad(i: u32) {
  let at = inputPlace(i, kC);
  let x = in0(i);
  var sum: LongSum;
  // From the last tap to the first: windows in their order, as they would be added up.
  for (var t = kKH * kKW; t > 0u; t--) {
    let pixel = outputPixel(at, (t - 1u) / kKW, (t - 1u) % kKW);
    if (pixel < 0) { continue; }
    let o = u32(pixel);
    if (in1(o * kC + at.c) == x && isFirst(o, at.c, t - 1u, x)) { grow(&sum, in2(o * kC + at.c)); }
  }
  put(i, totalOf(&sum));
}
