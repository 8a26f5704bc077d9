fn element(i: u32) {
  var total: LongSum;
  var whole = Number(0);  // of its whole runs
  for (var n = 0u; n < kCount; n++) {
    let at = place(i, select(n, kCount - 1u - n, kReverse));
    let before = whole + total.run;
    grow(&total, in0(at));
    if (kParts > 1u && total.terms % 32u == 0u) { whole = totalOf(&total); }
    put(at, select(whole + total.run, before, kExclusive));
  }
}
