/// Whether tap (ky, kx) of output pixel `o` is the first of its maxima.
fn wins(o: u32, c: u32, tap: u32) -> bool {
  let place = outputPlace(o * kC + c, kC);
  let best = in1(o * kC + c);
  for (var t = 0u; t <= tap; t++) {
    let pixel = inputPixel(place, t / kKW, t % kKW);
    if (pixel >= 0 && in0(u32(pixel) * kC + c) == best) { return t == tap; }
  }
  return false;
}
fn maxPoolGrad(i: u32) {
  let at = inputPlace(i, kC);
  var sum = 0.0;
  // From the last tap to the first: windows in their order, as they would be added up.
  for (var t = kKH * kKW; t > 0u; t--) {
    let pixel = outputPixel(at, (t - 1u) / kKW, (t - 1u) % kKW);
    if (pixel >= 0 && wins(u32(pixel), at.c, t - 1u)) { sum += in2(u32(pixel) * kC + at.c); }
  }
  put(i, sum);
}
