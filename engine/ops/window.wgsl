// Windows over images [N,H,W,C]: outputs [N,OH,OW,..]. A place is a pixel and a channel.
struct Place {
  image: u32,
  y: u32,
  x: u32,
  c: u32,
}
fn outputPlace(i: u32, channels: u32) -> Place {
  let p = i / channels;
  return Place(p / (kOW * kOH), p / kOW % kOH, p % kOW, i % channels);
}
fn inputPlace(i: u32, channels: u32) -> Place {
  let p = i / channels;
  return Place(p / (kW * kH), p / kW % kH, p % kW, i % channels);
}
/// The pixel of the input that tap (ky, kx) of output pixel (y, x) looks at, or -1.
fn inputPixel(o: Place, ky: u32, kx: u32) -> i32 {
  let iy = i32(o.y * kStrideY + ky * kDilationY) - kBeforeY;
  let ix = i32(o.x * kStrideX + kx * kDilationX) - kBeforeX;
  if (iy < 0 || ix < 0 || iy >= i32(kH) || ix >= i32(kW)) { return -1; }
  return (i32(o.image * kH) + iy) * i32(kW) + ix;
}
/// The pixel of the output whose tap (ky, kx) looks at input pixel (y, x), or -1.
fn outputPixel(i: Place, ky: u32, kx: u32) -> i32 {
  let sy = i32(i.y) + kBeforeY - i32(ky * kDilationY);
  let sx = i32(i.x) + kBeforeX - i32(kx * kDilationX);
  if (sy < 0 || sx < 0) { return -1; }
  let oy = u32(sy) / kStrideY;
  let ox = u32(sx) / kStrideX;
  if (u32(sy) % kStrideY != 0u || u32(sx) % kStrideX != 0u || oy >= kOH || ox >= kOW) { return -1; }
  return i32((i.image * kOH + oy) * kOW + ox);
}
