// Where a gap comes from: a chain of programs from the slow one to the fast one, each like its
// neighbour but for one thing, so that the ratio of the ends is a product of steps.
//
//   TensorFlow.js, wasm -> Fjord, wasm -> Fjord, native -> Fjord, native, threads -> TensorFlow
//           the framework      the browser          threads              the framework
//
//   FJORD_TRY(GapSplit split, splitGap(stages, {"framework", "browser", "threads", "framework"}));
//   split.whole.interval.centre     // x 15.2
//   split.steps[0].ratio            // x 22 [20, 24], with what the interval promises
//
// Ratios are paired: within a round and a cell, so what the machine does in a round cancels.
// Over cells and rounds they are averaged geometrically; so the product of the steps is the whole.
#pragma once

#include "stats/design.h"

namespace fjord::study {

/// A program and its times, above 0: [round][cell], the same rounds and cells for all.
struct Stage {
  std::string name;
  Rounds times;
};

struct GapStep {
  std::string name, slow, fast;  // what differs, and between which
  Span ratio;                    // the slower stage over the faster one; below 1 where it is not
  double octaves = 0;            // log2 of the ratio: these add up
};

struct GapSplit {
  GapStep whole;
  std::vector<GapStep> steps;
  size_t cells = 0;
};

/// `names` [stages - 1] say what differs from each stage to the next one.
Result<GapSplit> splitGap(std::span<const Stage> stages, std::span<const std::string> names);

}  // namespace fjord::study
