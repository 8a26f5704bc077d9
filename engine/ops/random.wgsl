// Philox 4x32-10 (Salmon et al. 2011), as base/random.h.
fn multiply(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let upper = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return vec2u((a >> 16u) * (b >> 16u) + (middle >> 16u) + (upper >> 16u), a * b);
}
fn philox(counter: vec4u) -> vec4u {
  var c = counter;
  var k = vec2u(bitcast<u32>(in0(0u)), bitcast<u32>(in0(1u)));
  for (var i = 0u; i < 10u; i++) {
    let a = multiply(0xd2511f53u, c.x);
    let b = multiply(0xcd9e8d57u, c.z);
    c = vec4u(b.x ^ c.y ^ k.x, b.y, a.x ^ c.w ^ k.y, a.y);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}
fn words(block: u32, stream: u32) -> vec4u {
  return philox(vec4u(block, stream, bitcast<u32>(in0(2u)), bitcast<u32>(in0(3u))));
}
fn uniform(word: u32) -> f32 { return f32(word >> 8u) * 0x1p-24f; }
fn normals(a: u32, b: u32) -> vec2f {
  let radius = sqrt(-2.0 * f_log((f32(a >> 8u) + 0.5) * 0x1p-24f));
  let angle = 6.28318530718 * uniform(b);
  return radius * vec2f(f_cos(angle), f_sin(angle));
}
