// Channel o of the output is channel o / kM of the input through its own filter.
fn forward(i: u32) {
  let o = outputPlace(i, kC * kM);
  var sum: LongSum;
  for (var ky = 0u; ky < kKH; ky++) {
    for (var kx = 0u; kx < kKW; kx++) {
      let pixel = inputPixel(o, ky, kx);
      if (pixel >= 0) { grow(&sum, in0(u32(pixel) * kC + o.c / kM) * in1((ky * kKW + kx) * kC * kM + o.c)); }
    }
  }
  put(i, totalOf(&sum));
}
fn toInput(i: u32) {
  let at = inputPlace(i, kC);
  var sum: LongSum;
  for (var ky = 0u; ky < kKH; ky++) {
    for (var kx = 0u; kx < kKW; kx++) {
      let pixel = outputPixel(at, ky, kx);
      if (pixel < 0) { continue; }
      for (var m = 0u; m < kM; m++) {
        let o = at.c * kM + m;
        grow(&sum, in0(u32(pixel) * kC * kM + o) * in1((ky * kKW + kx) * kC * kM + o));
      }
    }
  }
  put(i, totalOf(&sum));
}
fn toFilter(i: u32) {
  let o = i % (kC * kM);
  let tap = i / (kC * kM);
  var sum: LongSum;
  for (var p = 0u; p < kPixels; p++) {
    let pixel = inputPixel(Place(p / (kOW * kOH), p / kOW % kOH, p % kOW, o), tap / kKW, tap % kKW);
    if (pixel >= 0) { grow(&sum, in0(u32(pixel) * kC + o / kM) * in1(p * kC * kM + o)); }
  }
  put(i, totalOf(&sum));
}
