// What fit does between epochs: stop, lower the rate, say where to save, swap weights and averages. Only fit.cc and callbacks.cc include
// this.
#pragma once

#include <string>
#include <vector>

#include "nn/fit.h"

namespace fjord {

/// Watches one value from epoch to epoch.
struct Fit::Callback {
  enum Kind { kEarlyStopping, kReduceRate, kCheckpoint, kTerminateOnNaN, kSwapAverages } kind;
  std::string monitor = "val_loss", path;
  Better better = Better::kUnknown;  // before the first epoch ends, where "mode" does not say
  double minDelta = 0, factor = 0.1, minRate = 0, best = 0, baseline = 0;
  int patience = 0, cooldown = 0, coolingLeft = 0, waited = 0, startFrom = 0;
  bool onEpoch = false;  // of kSwapAverages
  bool seen = false, restore = false, hasBaseline = false, onlyBest = true;
  std::vector<Tensor> bestWeights;

  bool improves(double value) const {
    if (!seen && !hasBaseline) return true;
    double than = seen ? best : baseline;
    return better == Better::kLarger ? value - minDelta > than : value + minDelta < than;
  }
};

}  // namespace fjord
