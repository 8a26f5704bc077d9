// Matrix `batch` of each operand starts at leftMatrix(batch) and rightMatrix(batch).
var<private> batch: u32;
fn begin(product: u32) { batch = product; }
fn leftPlace(m: u32, k: u32) -> i32 { return i32(leftMatrix(batch) + select(m * kK + k, k * kM + m, kTransposeLeft)); }
fn rightPlace(k: u32, n: u32) -> u32 { return rightMatrix(batch) + select(k * kN + n, n * kK + k, kTransposeRight); }
fn finish(m: u32, n: u32, value: f32) { put((batch * kM + m) * kN + n, value); }
