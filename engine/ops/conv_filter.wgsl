fn leftPlace(m: u32, k: u32) -> i32 { return windowPlace(k, m); }
fn rightPlace(k: u32, n: u32) -> u32 { return k * kOC + part * kGroupOC + n; }
fn finish(m: u32, n: u32, value: f32) { put(m * kOC + part * kGroupOC + n, value); }
