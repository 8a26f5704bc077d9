#include "report/paper.h"

namespace fjord::study::paper {

namespace {

// Table 1, the rows "Support for Training" to "Library Size".
constexpr Features kFeatures[] = {
    //  subject    train  CNN  RNN  layers activ. optim. GPU  save load node KB
    {"tfjs", "Y", "Y", "Y", "49", "16", "7", "Y", "Y", "Y", "Y", "732"},
    {"convnetjs", "Y", "Y", "N", "7", "4", "3", "N", "Y", "Y", "Y", "33"},
    {"kerasjs", "N", "Y", "Y", "NA", "NA", "NA", "Y", "N", "Y", "Y", "650"},
    {"webdnn", "N", "Y", "Y", "NA", "NA", "NA", "Y", "N", "Y", "Y", "130"},
    {"brainjs", "Y", "N", "Y", "7", "4", "1", "N", "Y", "Y", "Y", "819"},
    {"synaptic", "Y", "N", "Y", "1", "5", "NA", "N", "Y", "Y", "Y", "106"},
    {"mind", "Y", "N", "N", "1", "2", "NA", "N", "Y", "Y", "Y", "NA"},
};

// Table 2. Its backend "CPU" is plain JavaScript, its GPUs are reached through WebGL.
constexpr Cpu kCpu[] = {
    {"brainjs", "cpu", "", 104.0, 99.9, 101.2},  {"convnetjs", "cpu", "", 108.0, 101.9, 104.1},
    {"synaptic", "cpu", "", 113.9, 88.7, 102.8}, {"tfjs", "cpu", "", 108.0, 61.0, 82.1},
    {"tfjs", "webgl", "iGPU", 82.0, 54.9, 65.9}, {"tfjs", "webgl", "nGPU", 75.9, 48.0, 60.0},
};

// Table 3.
struct Files {
  int depth, width;
  double brainjs, convnetjs, synaptic, tfjs;
};
constexpr Files kFiles[] = {
    {1, 64, 1.4, 1.3, 3.4, 0.2}, {1, 128, 2.7, 2.7, 6.7, 0.4},  {1, 256, 5.5, 5.4, 13.3, 0.8},
    {2, 64, 1.5, 1.5, 3.7, 0.2}, {2, 128, 3.2, 3.1, 7.8, 0.5},  {2, 256, 7.2, 7.1, 17.7, 1.1},
    {4, 64, 1.7, 1.7, 4.2, 0.3}, {4, 128, 4.0, 4.0, 10.1, 0.6}, {4, 256, 10.7, 10.5, 26.5, 1.6},
};

}  // namespace

const Features* features(const std::string& subject) {
  for (const Features& row : kFeatures) {
    if (subject == row.subject) return &row;
  }
  return nullptr;
}

std::span<const Cpu> cpu() { return kCpu; }

std::optional<double> fileMegabytes(const std::string& subject, const Workload& workload) {
  for (const Files& row : kFiles) {
    if (row.depth != workload.depth || row.width != workload.width) continue;
    if (subject == "brainjs") return row.brainjs;
    if (subject == "convnetjs") return row.convnetjs;
    if (subject == "synaptic") return row.synaptic;
    if (subject == "tfjs" || subject == "kerasjs" || subject == "webdnn") return row.tfjs;
  }
  return {};
}

}  // namespace fjord::study::paper
