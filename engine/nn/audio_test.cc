// Layers of sounds and of lookup: kernels and spectrograms by what is known of them, what they refuse. Values against
// Keras stand in golden_layers_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "nn/layers.h"
#include "nn/weights.h"
#include "testing/keras_cases.h"
#include "testing/models.h"

namespace fjord {
namespace {

using testing::made;

std::string errorOf(std::string_view className, const Json& config, const Shape& shape) {
  auto types = inferLayer(className, config, {{Type{DType::kF32, shape}}});
  return types ? cat((*types)[0]) : types.error().message;
}

// ---- kernels

TEST(KerasGolden, KernelsOfFourierTransforms) {
  Goldens goldens("nn_audio");
  int count = 0;
  for (const Json& c : goldens.cases) {
    if (!c.contains("initializer")) continue;
    SCOPED_TRACE(c["name"].get<std::string>());
    ++count;
    Tensor want = goldens.tensor(c["values"]);
    auto got = initialize(c["initializer"], want.shape(), 0);
    ASSERT_TRUE(got) << got.error().message;
    expectClose(*got, want, "the kernel", 1e-6);
  }
  EXPECT_GT(count, 50);
}

TEST(Stft, RefusesInWords) {
  auto errorOf = [](const Json& config, const Shape& shape) {
    auto t = initialize({{"class_name", "STFTInitializer"}, {"config", config}}, shape, 0);
    return t ? "" : t.error().message;
  };
  EXPECT_EQ(errorOf(Json::object(), {4, 3}),
            "an STFT initializer needs axes [frame_length,1,frequencies], got [4,3]");
  EXPECT_EQ(errorOf(Json::object(), {0, 1, 3}),
            "an STFT initializer needs axes [frame_length,1,frequencies], got [0,1,3]");
  EXPECT_EQ(errorOf(Json::object(), {2, 1, 3}), "the window hann of 2 samples is 0");
  EXPECT_EQ(
      errorOf({{"window", "kaiser"}}, {4, 1, 3}),
      "stft: window must be one of hann, hamming, blackman, nuttall, blackmanharris, flattop, "
      "bartlett, barthann, boxcar, null, got \"kaiser\"");
}

// ---- spectrograms

std::unique_ptr<Model> alone(const char* className, Json config, const Json& shape,
                             Threads& threads) {
  config["batch_input_shape"] = shape;
  return made(sequential({layer(className, config)}), threads, {});
}

/// Signals of one frequency each, k turns in a frame of 16 samples: all of it is in frequency k.
TEST(Stft, FindsTheFrequencyOfAWave) {
  constexpr int32_t kFrame = 16, kTurns = 3, kSamples = 40;
  Threads threads;
  auto model = alone("STFTSpectrogram",
                     {{"mode", "magnitude"},
                      {"frame_length", kFrame},
                      {"frame_step", 4},
                      {"window", "boxcar"},
                      {"scaling", "spectrum"}},
                     {nullptr, kSamples, 1}, threads);
  Tensor x = *Tensor::zeros({DType::kF32, {1, kSamples, 1}});
  for (int32_t i = 0; i < kSamples; ++i)
    x.data<float>()[i] = static_cast<float>(std::sin(2 * std::numbers::pi * kTurns * i / kFrame));
  auto got = model->predict({&x, 1});
  ASSERT_TRUE(got) << got.error().message;
  const Tensor& y = (*got)[0];
  ASSERT_EQ(y.shape(), (Shape{1, 7, 9}));
  // The least is the root of Keras's 1e-7.
  for (int64_t i = 0; i < y.size(); ++i)
    EXPECT_NEAR(y.data<float>()[i], i % 9 == kTurns ? 0.5 : std::sqrt(1e-7), 1e-6) << i;
}

TEST(Stft, ScalesTheFrequencyOfAMelBand) {
  // 2 kHz of 16, a whole number of turns in each frame.
  constexpr int32_t kSamples = 128, kBands = 20;
  Threads threads;
  auto model = alone("MelSpectrogram",
                     {{"fft_length", 64},
                      {"sequence_stride", 16},
                      {"num_mel_bins", kBands},
                      {"min_freq", 0},
                      {"power_to_db", false}},
                     {nullptr, kSamples}, threads);
  Tensor x = *Tensor::zeros({DType::kF32, {1, kSamples}});
  for (int32_t i = 0; i < kSamples; ++i)
    x.data<float>()[i] = static_cast<float>(std::cos(2 * std::numbers::pi * i / 8));
  auto got = model->predict({&x, 1});
  ASSERT_TRUE(got) << got.error().message;
  const Tensor& y = (*got)[0];
  ASSERT_EQ(y.shape(), (Shape{1, kBands, 9}));
  // 1127 ln(1 + f / 700) goes from 0 to 2840.02 in 21 parts, and is 1521.36 at 2 kHz: 11.25 of them.
  for (int32_t frame = 2; frame < 7; ++frame) {
    int32_t most = 0;
    for (int32_t band = 0; band < kBands; ++band) {
      if (y.data<float>()[band * 9 + frame] > y.data<float>()[most * 9 + frame]) most = band;
    }
    EXPECT_EQ(most, 10) << frame;
  }
}

TEST(Spectrograms, RefuseInWords) {
  EXPECT_EQ(errorOf("STFTSpectrogram", {{"frame_length", 8}, {"frame_step", 9}}, {-1, 20, 1}),
            "STFTSpectrogram: frame_step must be at most frame_length, 8, and fft_length at least, "
            "got 9 and 8");
  EXPECT_EQ(errorOf("STFTSpectrogram", {{"frame_length", 8}, {"fft_length", 4}}, {-1, 20, 1}),
            "STFTSpectrogram: frame_step must be at most frame_length, 8, and fft_length at least, "
            "got 4 and 4");
  EXPECT_EQ(errorOf("STFTSpectrogram", Json::object(), {-1, 20}),
            "STFTSpectrogram: needs a batch of steps [N,T,C], got float32[1,20]");
  EXPECT_EQ(errorOf("MelSpectrogram", Json::object(), {-1, 4000, 1}),
            "MelSpectrogram: needs samples [N,C], got float32[1,4000,1]");
  EXPECT_EQ(errorOf("MelSpectrogram", {{"sequence_length", 4096}}, {-1, 9000}),
            "MelSpectrogram: sequence_length must be at most fft_length, and min_freq below "
            "max_freq, got 4096, 2048, 20 and 8000");
  EXPECT_EQ(errorOf("MelSpectrogram", {{"min_freq", 500}, {"max_freq", 500}}, {-1, 9000}),
            "MelSpectrogram: sequence_length must be at most fft_length, and min_freq below "
            "max_freq, got 2048, 2048, 500 and 500");
  EXPECT_EQ(errorOf("MelSpectrogram", {{"fft_length", 65536}}, {-1, 100000}),
            "MelSpectrogram: needs a matrix of 32769 by 65536 numbers, at most 33554432 are "
            "supported");
  EXPECT_EQ(errorOf("MelSpectrogram", Json::object(), {-1, 1024}),
            "MelSpectrogram: mirrorPad: paddings [0,0,1024,1024] reach beyond what there is to "
            "mirror of [1,1024] (inputs: float32[1,1024])");
}

// ---- lookup

TEST(IntegerLookup, RefusesInWords) {
  auto refusal = [](const Json& config) { return errorOf("IntegerLookup", config, {-1, 3}); };
  EXPECT_EQ(refusal(Json::object()),
            "IntegerLookup: vocabulary is missing: it must be a list of finite numbers from "
            "-2147483648 to 2147483647");
  EXPECT_EQ(refusal({{"vocabulary", {1, 2.5}}}),
            "IntegerLookup: vocabulary must have whole numbers alone, and at least one");
  std::string clear =
      "IntegerLookup: vocabulary must have each number once, not mask_token, and with invert not "
      "oov_token";
  EXPECT_EQ(refusal({{"vocabulary", {1, 2, 1}}}), clear);
  EXPECT_EQ(refusal({{"vocabulary", {-1}}}), clear);
  EXPECT_EQ(refusal({{"vocabulary", {1, 2}}, {"mask_token", 2}}), clear);
  EXPECT_EQ(refusal({{"vocabulary", {1, 2}}, {"invert", true}, {"oov_token", 2}}), clear);
  EXPECT_EQ(refusal({{"vocabulary", {1, 2}}, {"invert", true}, {"output_mode", "count"}}),
            "IntegerLookup: invert is for output_mode int, got count");
  EXPECT_EQ(refusal({{"vocabulary", {1, 2}}, {"max_tokens", 2}}),
            "IntegerLookup: max_tokens must be at least the 3 places that there are");
  EXPECT_EQ(refusal({{"vocabulary", {1, 2}}, {"pad_to_max_tokens", true}}),
            "IntegerLookup: max_tokens must be at least the 3 places that there are");
  EXPECT_EQ(refusal({{"vocabulary", {1, 2}}, {"vocabulary_size", 2}}),
            "IntegerLookup: vocabulary_size must be 3, as vocabulary says");
  EXPECT_EQ(refusal({{"vocabulary", {1, 2}}, {"num_oov_indices", 0}}),
            "IntegerLookup: num_oov_indices must be a whole number from 1 to 1073741824, got 0");
  EXPECT_EQ(refusal({{"vocabulary", {1, 2}}, {"output_mode", "tf_idf"}}),
            "IntegerLookup: output_mode must be one of int, one_hot, multi_hot, count, got "
            "\"tf_idf\"");
  EXPECT_EQ(refusal({{"vocabulary", {1, 2}}, {"oov_method", "farmhash"}}),
            "IntegerLookup: oov_method must be \"floormod\": anything else is not supported, got "
            "\"farmhash\"");
}

}  // namespace
}  // namespace fjord
