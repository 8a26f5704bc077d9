fn element(i: u32) {
  var total = Number(0);
  for (var n = 0u; n < kCount; n++) {
    let at = place(i, select(n, kCount - 1u - n, kReverse));
    let next = total + in0(at);
    put(at, select(next, total, kExclusive));
    total = next;
  }
}
