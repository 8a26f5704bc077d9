#include "report/analysis.h"

#include <algorithm>

#include "base/text.h"

namespace fjord::study {

Section analysisSection(const Cells& cells) {
  Section section{.id = "analysis", .title = "What decides"};
  auto add = [&](Block block) { section.blocks.push_back(std::move(block)); };
  add(Paragraph{
      "Two numbers describe most series: what a layer costs, however small it is, and how fast it "
      "multiplies. Time = layers × (time a layer) + multiplications / speed, by least squares of "
      "relative errors, neither below 0. Errors beside it are of the sizes that it was fitted to, "
      "and of each size when it was left out; where they are large, one straight line is not how "
      "this program computes."});
  add(modelsFigure(cells, "A layer's cost and the speed of multiplications"));
  add(modelsTable(cells, "train", "Training with a batch of 64: the time model"));
  add(modelsTable(cells, "infer", "Inference of one digit: the time model"));
  add(breakEvenTable(cells,
                     "From where on another backend of the same framework is quicker, by these "
                     "models"));
  add(Paragraph{
      "Which of depth and width decides about the time is mostly arithmetic: twice the width "
      "multiplies more than twice the depth does. So the first line has what multiplications alone "
      "would give; a series tells something of itself where it differs from that."});
  add(sharesTable(cells, "train",
                  "Training: shares of the variance of the logarithm of the time that layers, "
                  "width and both together explain"));
  add(sharesTable(cells, "infer", "Inference: the same"));
  std::ranges::move(gapFactors(cells), std::back_inserter(section.blocks));
  add(Paragraph{
      "Where the gap comes from: neighbours in this chain differ in one thing, so their ratios "
      "multiply to the whole. The browser's step has its vectors of 128 bits in it, where a native "
      "program has wider ones: the lab has no native build that would tell these two apart. "
      "TensorFlow.js decides itself how many threads it takes, mostly half of the cores."});
  add(gapOrigin(cells, "train", "Training: the gap as a product"));
  add(gapOrigin(cells, "infer", "Inference: the gap as a product"));
  return section;
}

}  // namespace fjord::study
