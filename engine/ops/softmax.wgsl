fn element(i: u32) {
  var top = -f_infinity();
  for (var k = 0u; k < kCount; k++) { top = max(top, in0(place(i, k))); }
  var total = 0.0;
  for (var k = 0u; k < kCount; k++) { total += f_exp(in0(place(i, k)) - top); }
  let shift = f_log(total) + top;
  for (var k = 0u; k < kCount; k++) {
    let x = in0(place(i, k));
    put(place(i, k), select(f_exp(x - top) / total, x - shift, kLogarithm));
  }
}
