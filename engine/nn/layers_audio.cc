// Sounds as spectrograms: what share each frequency has of a frame of samples.
//
// Shapes: N signals of C channels and T samples; S frames; F frequencies, from 0 to half the rate.
#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "nn/layer_parts.h"
#include "nn/stft.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

/// Frames of x [N,T,1] by a kernel [frame,1,F]: [N,S,F].
Value framed(Value x, Value kernel, int32_t step, Padding padding = {}) {
  return convolve(x, kernel, {.strides = {step}, .dilations = {1}, .padding = padding});
}
Value array(Graph& graph, const Shape& shape, std::span<const float> values) {
  Result<Tensor> tensor = Tensor::of(shape, values);
  if (tensor) return graph.array(*tensor);
  graph.fail(tensor.error().message);
  return {};
}

/// Weights: real_kernel and imag_kernel [frame_length,1,F], those of them that the mode needs.
constexpr Argument kStftSpectrogram[] = {choice("mode", "log|magnitude|psd|real|imag|angle|stft"),
                                         whole("frame_length", kCount, 256),
                                         whole("frame_step", kCount),
                                         whole("fft_length", kCount),
                                         also(kStftWindow),
                                         choice("padding", "valid|same"),
                                         flag("expand_dims", false),
                                         also(kEitherLayout)};

/// Of signals [N,T,1], as the mode says: [N,S,F], or [N,S,2F] of real and imaginary parts.
Value spectrum(LayerContext& c, const Fields& f, Value signals, int32_t step, int32_t frequencies) {
  std::string_view mode = f.choice("mode");
  auto part = [&](const char* side) {
    Json config = {{"side", side}, {"periodic", f.flag("periodic")}};
    for (const char* name : {"window", "scaling"}) {
      if (f.has(name)) config[name] = f.json(name);
    }
    Value kernel = c.weight(cat(side, "_kernel"), {f.whole("frame_length"), 1, frequencies},
                            {{"class_name", "STFT"}, {"config", config}});
    return framed(signals, kernel, step, paddingOf(f));
  };
  if (mode == "real" || mode == "imag") return part(mode == "real" ? "real" : "imag");
  Value real = part("real"), imag = part("imag");
  if (mode == "stft") return concat({{real, imag}}, {.axis = 2});
  if (mode == "angle") return atan2(imag, real);
  Value power = square(real) + square(imag);
  if (mode == "psd") {
    // Between 0 and half the rate a frequency stands for its negative, too.
    Value k = range(*signals.graph, frequencies);
    return power + where((k > 0.0) & (k < frequencies - 1.0), power, 0.0);
  }
  Value y = sqrt(maximum(power, like(power, 1e-7)));
  return mode == "log" ? log(y) : y;
}

/// x [N,T,C] to [N,S,C*F], or [N,S,F,C] with expand_dims; [N,C,T] to [N,C*F,S], or [N,C,S,F].
Value stftSpectrogram(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  if (!isBatch(x, 1)) return {};
  int32_t frame = f.whole("frame_length");
  int32_t step = f.has("frame_step") ? f.whole("frame_step") : std::max(frame / 2, 1);
  int64_t fft =
      f.has("fft_length") ? f.whole("fft_length") : std::bit_ceil(static_cast<uint64_t>(frame));
  if (step > frame || fft < frame) {
    x.graph->fail(cat("frame_step must be at most frame_length, ", frame,
                      ", and fft_length at least, got ", step, " and ", fft));
    return {};
  }
  bool isFirst = areChannelsFirst(f), isWide = f.flag("expand_dims");
  if (!isFirst) x = axisLast(x, 1);
  int64_t n = x.shape()[0], channels = x.shape()[1];
  x = reshape(cast(x, DType::kF32), {.shape = {n * channels, x.shape()[2], 1}});
  Value y = spectrum(c, f, x, step, static_cast<int32_t>(fft / 2 + 1));
  if (!y) return {};
  int64_t frames = y.shape()[1], size = y.shape()[2];
  y = reshape(y, {.shape = {n, channels, frames, size}});
  if (isFirst && isWide) return y;
  y = transpose(y, {.perm = isFirst  ? Shape{0, 1, 3, 2}
                            : isWide ? Shape{0, 2, 3, 1}
                                     : Shape{0, 2, 1, 3}});
  if (isWide) return y;
  return reshape(y, {.shape = isFirst ? Shape{n, channels * size, frames}
                                      : Shape{n, frames, channels * size}});
}

// ---- the mel scale

/// How high a frequency sounds: the scale of O'Shaughnessy 1987, as the Hidden Markov Model Toolkit has it.
double mel(double hertz) { return 1127 * std::log1p(hertz / 700); }

/// What share of each frequency, [F,bands], is in each band: a triangle up to the middle of the band and down from
/// there, the middles at equal distances on the scale.
std::vector<float> melBands(int32_t frequencies, int32_t bands, double rate, double least,
                            double most) {
  double from = mel(least), width = (mel(most) - from) / (bands + 1);
  std::vector<float> out(static_cast<size_t>(frequencies) * bands);
  // None has a share of frequency 0.
  for (int32_t i = 1; i < frequencies; ++i) {
    double place = (mel(rate / 2 * i / (frequencies - 1)) - from) / width;
    for (int32_t j = 0; j < bands; ++j)
      out[static_cast<size_t>(i) * bands + j] =
          static_cast<float>(std::max(0.0, 1 - std::fabs(place - (j + 1))));
  }
  return out;
}

constexpr Argument kMelSpectrogram[] = {whole("fft_length", kCount, 2048),
                                        whole("sequence_stride", kCount, 512),
                                        whole("sequence_length", kCount),
                                        choice("window", "hann|hamming|null"),
                                        number("sampling_rate", kPositive, 16000),
                                        whole("num_mel_bins", kCount, 128),
                                        number("min_freq", kNotNegative, 20),
                                        number("max_freq", kPositive),
                                        flag("power_to_db", true),
                                        number("top_db", kNotNegative, 80),
                                        number("mag_exp", kPositive, 2),
                                        number("min_power", kPositive, 1e-10),
                                        number("ref_power", kFinite, 1)};
/// x [N,T] to [N,num_mel_bins,S]. Frames are around each sequence_stride-th sample, with the signal's mirror image
/// beyond its ends.
Value melSpectrogram(LayerContext&, const Fields& f, Inputs in) {
  Value x = cast(in[0], DType::kF32);
  if (!isBatch(x, 0)) return {};
  Graph& graph = *x.graph;
  int32_t fft = f.whole("fft_length"), bands = f.whole("num_mel_bins"), frequencies = fft / 2 + 1;
  int32_t frame = f.has("sequence_length") ? f.whole("sequence_length") : fft;
  double rate = f.number("sampling_rate"), least = f.number("min_freq");
  double most = f.has("max_freq") ? f.number("max_freq") : std::floor(rate / 2);
  if (frame > fft || least >= most) {
    graph.fail(cat("sequence_length must be at most fft_length, and min_freq below max_freq, got ",
                   frame, ", ", fft, ", ", least, " and ", most));
    return {};
  }
  // Of a matrix that is a constant of the model: 128 MB.
  constexpr int64_t kMost = int64_t{1} << 25;
  if (int64_t{frequencies} * std::max(frame, bands) > kMost) {
    graph.fail(cat("needs a matrix of ", frequencies, " by ", std::max(frame, bands),
                   " numbers, at most ", kMost, " are supported"));
    return {};
  }
  // A frame stands in the middle of fft_length samples. Where it does changes phases alone.
  int32_t before = (fft - frame) / 2, after = fft - frame - before;
  x = mirrorPad(x, {.paddings = {0, 0, fft / 2 - before, fft / 2 - after}});
  x = withAxis(x, 2);
  Value power;
  for (bool isImaginary : {false, true}) {
    std::vector<float> kernel(static_cast<size_t>(frame) * frequencies);
    // TensorFlow's windows of an odd number of samples are symmetric. One that is not scaled is never refused.
    (void)fillStft(kernel, frame, fft, isImaginary, f.choice("window"), frame % 2 == 0);
    Value part = square(
        framed(x, array(graph, {frame, 1, frequencies}, kernel), f.whole("sequence_stride")));
    power = power ? power + part : part;
  }
  double half = f.number("mag_exp") / 2;
  if (half != 1) power = pow(power, like(power, half));
  Value y = matMul(
      power, array(graph, {frequencies, bands}, melBands(frequencies, bands, rate, least, most)));
  if (f.flag("power_to_db") && y) {
    double floor = f.number("min_power");
    y = log10(maximum(y, like(y, floor))) * 10 -
        10 * std::log10(std::max(std::fabs(f.number("ref_power")), floor));
    y = maximum(y, max(y) - f.number("top_db"));
  }
  return axisLast(y, 1);
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"STFTSpectrogram", "stftSpectrogram", kStftSpectrogram, stftSpectrogram},
    {"MelSpectrogram", "melSpectrogram", kMelSpectrogram, melSpectrogram},
}));

}  // namespace

std::span<const LayerRow> audioLayers() { return kRows; }

}  // namespace fjord
