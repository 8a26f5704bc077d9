// What the paper reports, for the columns beside ours. Y. Ma, D. Xiang, S. Zheng, D. Tian, X. Liu:
// "Moving Deep Learning into Web Browser: How Far Can We Go?", WWW 2019. Subjects by their folders'
// names.
//
//   paper::features("convnetjs")->layers       "7"
//   paper::fileMegabytes("synaptic", {2, 128}) 7.8
#pragma once

#include <optional>
#include <span>
#include <string>

#include "plan/types.h"

namespace fjord::study::paper {

/// The subjects that its findings speak of.
inline constexpr const char *kTensorFlowJs = "tfjs", *kConvNetJs = "convnetjs",
                            *kTensorFlow = "tensorflow";

/// Table 1, as it stands there.
struct Features {
  const char* subject;
  const char* training;
  const char* cnn;
  const char* rnn;
  const char* layers;
  const char* activations;
  const char* optimizers;
  const char* gpu;
  const char* save;
  const char* load;
  const char* node;
  const char* kilobytes;
};
const Features* features(const std::string& subject);

/// Table 2: percent of a core in training. The paper has two GPUs, an integrated and a standalone
/// one.
struct Cpu {
  const char* subject;
  const char* backend;
  const char* gpu;  // "iGPU", "nGPU" or ""
  double most, least, average;
};
std::span<const Cpu> cpu();

/// Table 3: size of model files, 10^6 bytes. There is no row for 8 hidden layers; section 4.3 says
/// that files of Keras.js and WebDNN have the size of TensorFlow.js's.
std::optional<double> fileMegabytes(const std::string& subject, const Workload& workload);

/// Section 5.2.3, dense networks on the CPU: how many times as long as TensorFlow TensorFlow.js
/// takes, on average.
inline constexpr double kTrainingGap = 33.9, kInferenceGap = 5.8;
/// Table 6, finding 6, and section 4.3: JSON over binary files.
inline constexpr double kTextOverBinary = 7;
/// Section 4.4: the deepest call stack in training; of which backend it does not say, so it stands
/// beside JavaScript's.
inline constexpr int kDepthTensorFlowJs = 48, kDepthConvNetJs = 3;
/// Section 4.2: the most of a core that a page can take, in percent.
inline constexpr double kCoreLimit = 110;

}  // namespace fjord::study::paper
