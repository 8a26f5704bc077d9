// Convolution as a product of matrices that are never made. Its three forms differ in what the rows,
// the columns and the terms of the product are:
//
//             rows M                  terms K                 columns N
//   y         output pixels           taps x channels in      channels out
//   dx        input pixels            taps x channels out     channels in
//   filter    taps x channels in      output pixels           channels out
var<private> part: u32;  // of the channels

/// x at tap (ky, kx) and channel c of the window of output pixel `p` = (image, oy, ox).
fn windowAt(p: u32, t: u32) -> f32 {
  let c = t % kGroupC;
  let kx = t / kGroupC % kKW;
  let ky = t / (kGroupC * kKW);
  let ox = p % kOW;
  let oy = p / kOW % kOH;
  let image = p / (kOW * kOH);
  let iy = i32(oy * kStrideY + ky * kDilationY) - kBeforeY;
  let ix = i32(ox * kStrideX + kx * kDilationX) - kBeforeX;
  if (iy < 0 || ix < 0 || iy >= i32(kH) || ix >= i32(kW)) { return 0.0; }
  return in0(((image * kH + u32(iy)) * kW + u32(ix)) * kC + part * kGroupC + c);
}

/// dy where tap (ky, kx) of its window looks at input pixel `p`, channel o.
fn gradientAt(p: u32, t: u32) -> f32 {
  let o = t % kGroupOC;
  let kx = t / kGroupOC % kKW;
  let ky = t / (kGroupOC * kKW);
  let ix = p % kW;
  let iy = p / kW % kH;
  let image = p / (kW * kH);
  let sy = i32(iy) + kBeforeY - i32(ky * kDilationY);
  let sx = i32(ix) + kBeforeX - i32(kx * kDilationX);
  if (sy < 0 || sx < 0) { return 0.0; }
  let oy = u32(sy) / kStrideY;
  let ox = u32(sx) / kStrideX;
  if (u32(sy) % kStrideY != 0u || u32(sx) % kStrideX != 0u || oy >= kOH || ox >= kOW) { return 0.0; }
  return in0(((image * kOH + oy) * kOW + ox) * kOC + part * kGroupOC + o);
}

fn forGroup(group: vec3u, local: u32) {
  part = group.z;
  gemm(group.y * kTile, group.x * kTile, local);
}
