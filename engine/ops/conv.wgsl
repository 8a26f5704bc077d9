// Convolution as a product of matrices that are never made. Its three forms differ in what the rows,
// the columns and the terms of the product are:
//
//             rows M                  terms K                 columns N
//   y         output pixels           taps x channels in      channels out
//   dx        input pixels            taps x channels out     channels in
//   filter    taps x channels in      output pixels           channels out
var<private> part: u32;  // of the channels
fn begin(product: u32) { part = product; }

/// The place of x at tap (ky, kx) and channel c of the window of output pixel `p`, or -1; t counts taps
/// and channels.
fn windowPlace(p: u32, t: u32) -> i32 {
  let tap = t / kGroupC;
  let pixel = inputPixel(outputPlace(p, 1u), tap / kKW, tap % kKW);
  return select(-1, pixel * i32(kC) + i32(part * kGroupC + t % kGroupC), pixel >= 0);
}

/// The place of dy where tap (ky, kx) of its window looks at input pixel `p`, channel o, or -1.
fn gradientPlace(p: u32, t: u32) -> i32 {
  let tap = t / kGroupOC;
  let pixel = outputPixel(inputPlace(p, 1u), tap / kKW, tap % kKW);
  return select(-1, pixel * i32(kOC) + i32(part * kGroupOC + t % kGroupOC), pixel >= 0);
}
