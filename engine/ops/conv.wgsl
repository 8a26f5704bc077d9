// Convolution as a product of matrices that are never made. Its three forms differ in what the rows,
// the columns and the terms of the product are:
//
//             rows M                  terms K                 columns N
//   y         output pixels           taps x channels in      channels out
//   dx        input pixels            taps x channels out     channels in
//   filter    taps x channels in      output pixels           channels out
var<private> part: u32;  // of the channels
fn begin(product: u32) { part = product; }

/// x at tap (ky, kx) and channel c of the window of output pixel `p`; t counts taps and channels.
fn windowAt(p: u32, t: u32) -> f32 {
  let tap = t / kGroupC;
  let pixel = inputPixel(outputPlace(p, 1u), tap / kKW, tap % kKW);
  if (pixel < 0) { return 0.0; }
  return in0(u32(pixel) * kC + part * kGroupC + t % kGroupC);
}

/// dy where tap (ky, kx) of its window looks at input pixel `p`, channel o.
fn gradientAt(p: u32, t: u32) -> f32 {
  let tap = t / kGroupOC;
  let pixel = outputPixel(inputPlace(p, 1u), tap / kKW, tap % kKW);
  if (pixel < 0) { return 0.0; }
  return in0(u32(pixel) * kOC + part * kGroupOC + t % kGroupOC);
}
