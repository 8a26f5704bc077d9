// Findings 4 and 5: TensorFlow.js on a GPU against TensorFlow. The paper's are of MobileNet,
// Inception and the like; a run here has dense networks, so these are told with that reservation,
// and only where a GPU computes.
#include <algorithm>

#include "base/text.h"
#include "report/findings.h"
#include "report/format.h"
#include "report/gap.h"
#include "report/paper.h"

namespace fjord::study {

namespace {

constexpr const char* kReservation =
    "of this run's dense networks; the paper's are MobileNet, Inception and three more";

struct Closest {
  std::string what;  // "TensorFlow.js · WebGL over TensorFlow (native)"
  Gap gap;
};

/// TensorFlow.js's GPU backend with the smallest ratio over a native TensorFlow on a GPU, or on the
/// processor.
std::optional<Closest> closestGap(const Cells& cells, bool nativeGpu) {
  std::optional<Closest> out;
  for (const Series& series : browserSeries(cells)) {
    if (series.subject != paper::kTensorFlowJs || !series.gpu) continue;
    for (const Series& native : nativeSeries(cells)) {
      if (native.subject != paper::kTensorFlow || native.gpu != nativeGpu) continue;
      Gap gap = gapOf(cells, series, native, "infer");
      if (gap.ratios.empty() || (out && out->gap.mean <= gap.mean)) continue;
      out = {series.label + " over " + native.label, gap};
    }
  }
  return out;
}

Finding judged(const Cells& cells, Finding finding, bool nativeGpu, double limit) {
  std::optional<Closest> closest = closestGap(cells, nativeGpu);
  const std::string& adapter = cells.input().run.machine.gpu;
  if (closest) {
    finding.evidence = {
        cat(closest->what, ": ", estimateText(closest->gap.span),
            ", in inference, geometric mean of ", counted(closest->gap.ratios.size(), "size")),
        kReservation, "the adapter: " + (adapter.empty() ? "not told" : adapter)};
  }
  finding.verdict = Verdict::kUnknown;
  if (!closest) {
    finding.why = nativeGpu ? "the run has no TensorFlow on a GPU beside TensorFlow.js on one"
                            : "the run has no TensorFlow beside TensorFlow.js on a GPU";
  } else if (softwareAdapter(adapter)) {
    finding.why = "the processor computed what a GPU should";
  } else {
    Decision decision = decide(closest->gap.span, limit);
    if (decision == Decision::kNotDecided) return undecided(finding, closest->gap.span, limit);
    finding.verdict = decision == Decision::kBelow ? Verdict::kHolds : Verdict::kNoLonger;
  }
  return finding;
}

}  // namespace

Finding gpuAgainstNative(const Cells& cells) {
  Finding finding{
      .number = 4,
      .name = "A GPU's benefit",
      .paper =
          "On a standalone GPU, inference of well-known networks in TensorFlow.js takes "
          "1 to 2 times as long as in TensorFlow.",
      .criterion =
          "TensorFlow.js's quickest GPU backend takes less than 2 times as long as "
          "TensorFlow on a GPU (inference, geometric mean over sizes)."};
  return judged(cells, finding, true, 2);
}

Finding gpuAgainstProcessor(const Cells& cells) {
  Finding finding{
      .number = 5,
      .name = "An integrated GPU's benefit",
      .paper = "TensorFlow.js on an integrated GPU is faster than TensorFlow on the processor.",
      .criterion =
          "TensorFlow.js's quickest GPU backend takes less time than TensorFlow "
          "on the processor (inference, geometric mean over sizes)."};
  return judged(cells, finding, false, 1);
}

}  // namespace fjord::study
