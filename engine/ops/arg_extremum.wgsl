fn element(i: u32) {
  var best = 0u;
  for (var k = 1u; k < kCount; k++) {
    if (better(in0(place(i, k)), in0(place(i, best)))) { best = k; }
  }
  put(i, i32(best));
}
