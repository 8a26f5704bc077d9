fn left(m: u32, k: u32) -> f32 { return gradientAt(m, k); }
fn right(k: u32, n: u32) -> f32 { return in1((k / kGroupOC * kGroupC + n) * kOC + part * kGroupOC + k % kGroupOC); }
fn finish(m: u32, n: u32, value: f32) { put(m * kC + part * kGroupC + n, value); }
