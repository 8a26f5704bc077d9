// Numbers beyond two standard deviations are drawn again, from the same place of another stream.
fn truncated(block: u32, first: vec4u, four: ptr<function, array<f32, 4>>) {
  var w = first;
  var have = 0u;
  for (var again = 0u; have < 4u && again < 16u; again++) {
    if (again > 0u) { w = words(block, kStream + again * 0x1000000u); }
    for (var j = 0u; j < 4u; j += 2u) {
      let pair = normals(w[j], w[j + 1u]);
      for (var k = 0u; k < 2u; k++) {
        if (have < 4u && abs(pair[k]) < 2.0) {
          (*four)[have] = kMean + kStddev * pair[k];
          have++;
        }
      }
    }
  }
  for (; have < 4u; have++) { (*four)[have] = kMean; }
}
