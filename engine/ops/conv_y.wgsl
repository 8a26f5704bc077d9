fn left(m: u32, k: u32) -> f32 { return windowAt(m, k); }
fn right(k: u32, n: u32) -> f32 { return in1(k * kOC + part * kGroupOC + n); }
fn finish(m: u32, n: u32, value: f32) { put(m * kOC + part * kGroupOC + n, value); }
