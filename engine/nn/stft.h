// The waves and windows of a short-time Fourier transform, as numbers of a kernel.
#pragma once

#include <span>

#include "base/fields.h"

namespace fjord {

/// The window of a short-time Fourier transform: by the names of scipy.signal.windows, or null for none.
inline constexpr Argument kStftWindow[] = {
    arguments::choice("window",
                      "hann|hamming|blackman|nuttall|blackmanharris|flattop|bartlett|barthann|"
                      "boxcar|null"),
    arguments::choice("scaling", "density|spectrum|null"), arguments::flag("periodic", false)};
/// [frames, fft / 2 + 1]: waves of 0, 1, .. turns in `fft` samples, cosines or the negatives of sines, each times the
/// window. A window of a periodic signal has its first value again after the last one. It is scaled to length 1
/// ("density"), sum 1 ("spectrum") or not at all ("null").
Status fillStft(std::span<float> out, int32_t frame, int32_t fft, bool isImaginary,
                std::string_view window, bool isPeriodic, std::string_view scaling = "null");

}  // namespace fjord
