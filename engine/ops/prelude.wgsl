// What formulas call: see ops/wgsl.h. Polynomials are those of Moshier's Cephes library (sinf.c,
// atanf.c, asinf.c, sinhf.c, tanhf.c, ndtrf.c), reductions Cody and Waite's; errors are a few units
// in the last place.

var<private> f_infinity_bits: u32 = 0x7f800000u;
fn f_infinity() -> f32 { return bitcast<f32>(f_infinity_bits); }
fn f_nan() -> f32 { return bitcast<f32>(f_infinity_bits | 0x400000u); }
fn f_is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn f_is_infinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u; }
fn f_is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u; }
fn f_max(a: f32, b: f32) -> f32 { return select(select(b, a, a > b), a, f_is_nan(a)); }
fn f_min(a: f32, b: f32) -> f32 { return select(select(b, a, a < b), a, f_is_nan(a)); }

fn f_floor_divide(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  if (b == -1) { return -a; }
  let q = a / b;
  return q - select(0, 1, a % b != 0 && (a < 0) != (b < 0));
}

fn f_int_modulo(a: i32, b: i32) -> i32 { return a - f_floor_divide(a, b) * b; }

// Exact: |b| times powers of two is taken off |a|, from the largest on.
fn f_modulo(a: f32, b: f32) -> f32 {
  if (b == 0.0 || !f_is_finite(a) || f_is_nan(b)) { return f_nan(); }
  var r = abs(a);
  var by = abs(b);
  if (f_is_finite(b)) {
    while (by <= r * 0.5) { by *= 2.0; }
    loop {
      if (r >= by) { r -= by; }
      if (by <= abs(b)) { break; }
      by *= 0.5;
    }
  }
  r = select(r, -r, a < 0.0);
  return select(r, r + b, r != 0.0 && (r < 0.0) != (b < 0.0));
}
fn f_floor_quotient(a: f32, b: f32) -> f32 {
  let q = (a - f_modulo(a, b)) / b;
  return select(floor(a / b), round(q), f_is_finite(q));
}

fn f_int_pow(a: i32, b: i32) -> i32 {
  if (b < 0) { return select(select(0, select(1, -1, (b & 1) == 1), a == -1), 1, a == 1); }
  var y = 1;
  var square = a;
  for (var n = b; n > 0; n >>= 1u) {
    if ((n & 1) == 1) { y *= square; }
    square *= square;
  }
  return y;
}

// exp(k ln 2 + r) for the x that is both: x = k ln 2 + r, |r| <= ln 2 / 2.
fn f_scaled_exp(k: f32, r: f32) -> f32 {
  let p = ((((1.9875691500e-4 * r + 1.3981999507e-3) * r + 8.3334519073e-3) * r + 4.1665795894e-2) * r + 1.6666665459e-1) * r + 5.0000001201e-1;
  let y = p * r * r + r + 1.0;
  let half = floor(k * 0.5);
  return y * bitcast<f32>(u32(i32(half) + 127) << 23u) * bitcast<f32>(u32(i32(k - half) + 127) << 23u);
}
fn f_exp(x: f32) -> f32 {
  if (f_is_nan(x)) { return x; }
  let c = clamp(x, -104.0, 89.0);
  let k = floor(c * 1.44269504 + 0.5);
  return f_scaled_exp(k, (c - k * 0.693359375) + k * 2.12194440e-4);
}
fn f_exp2(x: f32) -> f32 {
  if (f_is_nan(x)) { return x; }
  let c = clamp(x, -150.0, 129.0);
  let k = floor(c + 0.5);
  return f_scaled_exp(k, (c - k) * 0.693147181);
}
fn f_expm1(x: f32) -> f32 {
  if (abs(x) < 0.4) {
    return x * (1.0 + x * (0.5 + x * (0.166666667 + x * (0.0416666667 + x * (8.33333333e-3 + x * (1.38888889e-3 + x * (1.98412698e-4 + x * 2.48015873e-5)))))));
  }
  return f_exp(x) - 1.0;
}
// 2 atanh(s) = log((1 + s) / (1 - s))
fn f_log_ratio(s: f32) -> f32 {
  let z = s * s;
  return 2.0 * s * (1.0 + z * (0.333333333 + z * (0.2 + z * (0.142857143 + z * (0.111111111 + z * (0.0909090909 + z * 0.0769230769))))));
}
// x = m 2^e with m in [sqrt(1/2), sqrt(2)): (m, e), for normal and subnormal x > 0.
fn f_split(x: f32) -> vec2f {
  let tiny = x < 1.17549435e-38;
  let bits = bitcast<u32>(select(x, x * 16777216.0, tiny));
  let shifted = bits - 0x3f3504f3u;
  let e = f32(i32(shifted) >> 23u) - select(0.0, 24.0, tiny);
  let m = bitcast<f32>((shifted & 0x7fffffu) + 0x3f3504f3u);
  return vec2f(m, e);
}
fn f_log_special(x: f32) -> f32 {
  if (x == 0.0) { return -f_infinity(); }
  if (x < 0.0 || f_is_nan(x)) { return f_nan(); }
  return f_infinity();
}
fn f_log(x: f32) -> f32 {
  if (!(x > 0.0) || !f_is_finite(x)) { return f_log_special(x); }
  let s = f_split(x);
  return f_log_ratio((s.x - 1.0) / (s.x + 1.0)) + s.y * -2.12194440e-4 + s.y * 0.693359375;
}
fn f_log2(x: f32) -> f32 {
  if (!(x > 0.0) || !f_is_finite(x)) { return f_log_special(x); }
  let s = f_split(x);
  return f_log_ratio((s.x - 1.0) / (s.x + 1.0)) * 1.44269504 + s.y;
}
fn f_log10(x: f32) -> f32 { return f_log(x) * 0.434294482; }
fn f_log1p(x: f32) -> f32 {
  if (abs(x) < 0.4) { return f_log_ratio(x / (2.0 + x)); }
  return f_log(1.0 + x);
}

// The quarter of the circle and the angle in it.
fn f_quarter(x: f32) -> vec2f {
  let k = round(x * 0.636619772);
  return vec2f(k, ((x - k * 1.5703125) - k * 4.83751297e-4) - k * 7.54978995489e-8);
}
fn f_circle(quarter: i32, r: f32) -> f32 {
  let z = r * r;
  let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
  let y = select(s, c, (quarter & 1) == 1);
  return select(y, -y, (quarter & 2) == 2);
}
fn f_sin(x: f32) -> f32 {
  if (!f_is_finite(x)) { return f_nan(); }
  let q = f_quarter(x);
  return f_circle(i32(q.x), q.y);
}
fn f_cos(x: f32) -> f32 {
  if (!f_is_finite(x)) { return f_nan(); }
  let q = f_quarter(x);
  return f_circle(i32(q.x) + 1, q.y);
}
fn f_tan(x: f32) -> f32 { return f_sin(x) / f_cos(x); }
fn f_atan(x: f32) -> f32 {
  let a = abs(x);
  var start = 0.0;
  var t = a;
  if (a > 2.41421356) {
    start = 1.57079633;
    t = -1.0 / a;
  } else if (a > 0.414213562) {
    start = 0.785398163;
    t = (a - 1.0) / (a + 1.0);
  }
  let z = t * t;
  let y = start + ((((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1) * z * t + t);
  return select(y, -y, x < 0.0);
}
fn f_atan2(y: f32, x: f32) -> f32 {
  if (f_is_nan(x) || f_is_nan(y)) { return f_nan(); }
  let left = (bitcast<u32>(x) >> 31u) == 1u;
  var angle = 0.0;
  if (y == 0.0) {
    angle = select(0.0, 3.14159265, left);
  } else if (abs(x) >= abs(y)) {
    if (f_is_infinite(x) && f_is_infinite(y)) {
      angle = select(0.785398163, 2.35619449, left);
    } else {
      angle = f_atan(abs(y / x));
      angle = select(angle, 3.14159265 - angle, left);
    }
  } else {
    angle = 1.57079633 - f_atan(x / abs(y));
  }
  return select(angle, -angle, (bitcast<u32>(y) >> 31u) == 1u);
}
fn f_small_asin(x: f32) -> f32 {
  let z = x * x;
  return ((((4.2163199048e-2 * z + 2.4181311049e-2) * z + 4.5470025998e-2) * z + 7.4953002686e-2) * z + 1.6666752422e-1) * z * x + x;
}
fn f_asin(x: f32) -> f32 {
  let a = abs(x);
  if (!(a <= 1.0)) { return f_nan(); }
  var y = 0.0;
  if (a > 0.5) { y = 1.57079633 - 2.0 * f_small_asin(sqrt(0.5 * (1.0 - a))); } else { y = f_small_asin(a); }
  return select(y, -y, x < 0.0);
}
fn f_acos(x: f32) -> f32 {
  if (!(abs(x) <= 1.0)) { return f_nan(); }
  if (x > 0.5) { return 2.0 * f_small_asin(sqrt(0.5 * (1.0 - x))); }
  if (x < -0.5) { return 3.14159265 - 2.0 * f_small_asin(sqrt(0.5 * (1.0 + x))); }
  return 1.57079633 - f_small_asin(x);
}
fn f_sinh(x: f32) -> f32 {
  let a = abs(x);
  if (a < 1.0) {
    let z = x * x;
    return ((2.03721912945e-4 * z + 8.33028376239e-3) * z + 1.66667160211e-1) * z * x + x;
  }
  let half = f_exp(0.5 * a);
  let y = 0.5 * half * half - 0.5 / half / half;
  return select(y, -y, x < 0.0);
}
fn f_cosh(x: f32) -> f32 {
  let half = f_exp(0.5 * abs(x));
  return 0.5 * half * half + 0.5 / half / half;
}
fn f_tanh(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.625) {
    let z = x * x;
    return ((((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z - 3.33332819422e-1) * z * x + x;
  }
  let y = select(1.0 - 2.0 / (f_exp(2.0 * a) + 1.0), x, f_is_nan(x));
  return select(y, -y, x < 0.0);
}
fn f_asinh(x: f32) -> f32 {
  let a = abs(x);
  var y = 0.0;
  if (a > 1e9) { y = f_log(a) + 0.693147181; } else { y = f_log1p(a + a * a / (1.0 + sqrt(1.0 + a * a))); }
  return select(y, -y, x < 0.0);
}
fn f_acosh(x: f32) -> f32 {
  if (x > 1e9) { return f_log(x) + 0.693147181; }
  if (!(x >= 1.0)) { return f_nan(); }
  let t = x - 1.0;
  return f_log1p(t + sqrt(2.0 * t + t * t));
}
fn f_atanh(x: f32) -> f32 { return 0.5 * f_log1p(2.0 * x / (1.0 - x)); }
fn f_erf(x: f32) -> f32 {
  let a = abs(x);
  if (f_is_nan(x)) { return x; }
  if (a < 1.0) {
    let z = x * x;
    return x * ((((((7.853861353153693e-5 * z - 8.010193625184903e-4) * z + 5.188327685732524e-3) * z - 2.685381193529856e-2) * z + 1.128358514861418e-1) * z - 3.761262582423300e-1) * z + 1.128379165726710);
  }
  let c = min(a, 6.0);
  let q = 1.0 / c;
  let z = q * q;
  var p = 0.0;
  if (c < 2.0) {
    p = (((((((2.326819970068386e-2 * z - 1.387039388740657e-1) * z + 3.687424674597105e-1) * z - 5.824733027278666e-1) * z + 6.210004621745983e-1) * z - 4.944515323274145e-1) * z + 3.404879937665872e-1) * z - 2.741127028184656e-1) * z + 5.638259427386472e-1;
  } else {
    p = ((((((-1.047766399936249e1 * z + 1.297719955372516e1) * z - 7.495518717768503) * z + 2.921019019210786) * z - 1.015265279202700) * z + 4.218463358204948e-1) * z - 2.820767439740514e-1) * z + 5.641895067754075e-1;
  }
  let y = 1.0 - f_exp(-c * c) * q * p;
  return select(y, -y, x < 0.0);
}
fn f_cbrt(x: f32) -> f32 {
  let a = abs(x);
  if (a == 0.0 || !f_is_finite(x)) { return x; }
  let y = f_exp2(f_log2(a) * 0.333333333);
  let better = y - (y * y * y - a) / (3.0 * y * y);
  return select(better, -better, x < 0.0);
}
fn f_pow(a: f32, b: f32) -> f32 {
  if (b == 0.0 || a == 1.0) { return 1.0; }
  if (f_is_nan(a) || f_is_nan(b)) { return f_nan(); }
  let size = abs(a);
  if (f_is_infinite(b)) {
    if (size == 1.0) { return 1.0; }
    return select(0.0, f_infinity(), (size > 1.0) == (b > 0.0));
  }
  let whole = b == trunc(b);
  let odd = whole && abs(b) < 16777216.0 && (i32(b) & 1) != 0;
  if (a < 0.0 && !whole && f_is_finite(a)) { return f_nan(); }
  var y = 0.0;
  if (size == 0.0 || f_is_infinite(a)) {
    y = select(0.0, f_infinity(), (size == 0.0) == (b < 0.0));
  } else {
    // The logarithm in two parts, so that its error does not grow with b.
    let s = f_split(size);
    let l = f_log_ratio((s.x - 1.0) / (s.x + 1.0)) * 1.44269504;
    let k = clamp(round(b * (s.y + l)), -200.0, 200.0);
    let r = clamp(fma(b, l, fma(b, s.y, -k)), -1.0, 1.0);
    y = f_scaled_exp(k, 0.0) * f_scaled_exp(0.0, r * 0.693147181);
  }
  return select(y, -y, odd && (bitcast<u32>(a) >> 31u) == 1u);
}
fn f_sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + f_exp(-x)); }
fn f_softplus(x: f32) -> f32 { return f_max(x, 0.0) + f_log1p(f_exp(-abs(x))); }
