// How far training is: one line that is drawn again on a terminal, plain lines elsewhere.
//
//   epoch 2/5 [=========>          ] 900/1875  loss 0.1312  accuracy 0.9611  3 s left
//   epoch 2/5  loss 0.1201  accuracy 0.9650  val_loss 0.1095  val_accuracy 0.9672  5.2 s
#pragma once

#include <chrono>

#include "nn/fit.h"

namespace fjord::cli {

class Progress {
 public:
  explicit Progress(int epochs);

  /// After a batch of training or validation.
  void batch(const Fit& fit);
  /// After an epoch, whose number counts from 1.
  void epoch(int number, const Logs& logs);
  /// Takes the line away.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  double secondsSince(Clock::time_point start) const;

  bool isTerminal_, isShown_ = false;
  int epochs_, firstBatch_ = -1;
  Clock::time_point epochStart_, drawn_;
};

/// "loss 0.1201  accuracy 0.9650"
std::string logLine(const Logs& logs);

}  // namespace fjord::cli
