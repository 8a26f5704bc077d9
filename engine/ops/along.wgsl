// Work along one axis of an array seen as [outer, kCount, kInner]: column i of outer * inner.
fn place(i: u32, k: u32) -> u32 { return (i / kInner * kCount + k) * kInner + i % kInner; }
