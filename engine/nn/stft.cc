#include "nn/stft.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/alternatives.h"

namespace fjord {

namespace {

/// At a share t of its length a window is slope * |t - 1/2| + the sum of cosines[k] cos(2 pi k t).
struct Window {
  double slope, cosines[5];
};
// In the order of kStftWindow; Blackman and Tukey 1958, Harris 1978, Nuttall 1981, D'Antona and Ferrero 2006.
constexpr Window kWindows[] = {
    {0, {0.5, -0.5}},
    {0, {0.54, -0.46}},
    {0, {0.42, -0.5, 0.08}},
    {0, {0.3635819, -0.4891775, 0.1365995, -0.0106411}},
    {0, {0.35875, -0.48829, 0.14128, -0.01168}},
    {0, {0.21557895, -0.41663158, 0.277263158, -0.083578947, 0.006947368}},
    {-2, {1}},
    {-0.48, {0.62, -0.38}},
    {0, {1}},
    {0, {1}},
};

}  // namespace

Status fillStft(std::span<float> out, int32_t frame, int32_t fft, bool isImaginary,
                std::string_view window, bool isPeriodic, std::string_view scaling) {
  std::vector<std::string_view> names = alternatives(kStftWindow[0].text);
  const Window& w = kWindows[std::ranges::find(names, window) - names.begin()];
  // One turn; of one sample, too.
  std::vector<double> wave(std::max(fft, 1)), weights(frame, 1);
  for (size_t i = 0; i < wave.size(); ++i) {
    double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(wave.size());
    wave[i] = isImaginary ? -std::sin(angle) : std::cos(angle);
  }
  double length = frame - (isPeriodic ? 0 : 1), scale = 0;
  for (int32_t i = 0; i < frame; ++i) {
    double t = i / length, value = w.slope * std::fabs(t - 0.5);
    for (int k = 0; k < 5; ++k) value += w.cosines[k] * std::cos(2 * std::numbers::pi * k * t);
    if (frame > 1) weights[i] = value;
    scale += scaling == "density" ? weights[i] * weights[i] : std::fabs(weights[i]);
  }
  if (scaling == "density") scale = std::sqrt(scale);
  if (scaling == "null" || window == "null") scale = 1;
  if (!(scale > 1e-12)) return fail("the window ", window, " of ", frame, " samples is 0");
  for (size_t i = 0, columns = out.size() / frame; i < out.size(); ++i) {
    size_t row = i / columns, turns = i % columns;
    out[i] = static_cast<float>(wave[uint64_t{row} * turns % wave.size()] * weights[row] / scale);
  }
  return {};
}

}  // namespace fjord
