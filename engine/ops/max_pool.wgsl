fn maxPool(i: u32) {
  let o = outputPlace(i, kC);
  var best = -f_infinity();
  for (var ky = 0u; ky < kKH; ky++) {
    for (var kx = 0u; kx < kKW; kx++) {
      let pixel = inputPixel(o, ky, kx);
      if (pixel >= 0) {
        let v = in0(u32(pixel) * kC + o.c);
        best = select(best, v, v > best || f_is_nan(v));
      }
    }
  }
  put(i, best);
}
