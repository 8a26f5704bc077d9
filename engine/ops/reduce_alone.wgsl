// The same by one thread for each result.
fn element(o: u32) {
  let first = kept(o);
  var total = start();
  for (var r = 0u; r < kReduced; r++) { total = join(total, in0(first + reduced(r))); }
  put(o, last(total));
}
