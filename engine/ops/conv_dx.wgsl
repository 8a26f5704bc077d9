fn leftPlace(m: u32, k: u32) -> i32 { return gradientPlace(m, k); }
fn rightPlace(k: u32, n: u32) -> u32 { return (k / kGroupOC * kGroupC + n) * kOC + part * kGroupOC + k % kGroupOC; }
fn finish(m: u32, n: u32, value: f32) { put(m * kC + part * kGroupC + n, value); }
