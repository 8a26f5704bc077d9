fn pixelsOf(o: Place) -> f32 {
  var count = 0.0;
  for (var t = 0u; t < kKH * kKW; t++) { count += select(0.0, 1.0, inputPixel(o, t / kKW, t % kKW) >= 0); }
  return count;
}
fn avgPool(i: u32) {
  let o = outputPlace(i, kC);
  var sum: LongSum;
  for (var t = 0u; t < kKH * kKW; t++) {
    let pixel = inputPixel(o, t / kKW, t % kKW);
    if (pixel >= 0) { grow(&sum, in0(u32(pixel) * kC + o.c)); }
  }
  put(i, totalOf(&sum) / pixelsOf(o));
}
fn avgPoolGrad(i: u32) {
  let at = inputPlace(i, kC);
  var sum: LongSum;
  for (var t = kKH * kKW; t > 0u; t--) {
    let pixel = outputPixel(at, (t - 1u) / kKW, (t - 1u) % kKW);
    if (pixel >= 0) {
      let o = u32(pixel) * kC + at.c;
      grow(&sum, in0(o) / pixelsOf(outputPlace(o, kC)));
    }
  }
  put(i, totalOf(&sum));
}
