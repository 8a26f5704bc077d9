// What a model file of the command line says besides the model: how far training came, and what the
// data were, so that it can go on and predictions have names.
#pragma once

#include <string>
#include <vector>

#include "io/safetensors.h"

namespace fjord::cli {

struct TrainingState {
  int epoch = 0, batch = 0;          // complete epochs; batches of the next one
  int batchSize = 32, samples = 0;   // with which `batch` counts
  std::vector<std::string> classes;  // names, empty where they are numbers
  std::string label;                 // the column of the table

  /// The column of labels: as asked for, as before, or the last one.
  std::string labelColumn(const std::string& asked) const {
    return !asked.empty() ? asked : !label.empty() ? label : "last";
  }
  void reach(int newEpoch, int newBatch) {
    epoch = newEpoch;
    batch = newBatch;
  }

  Metadata metadata() const;
  /// Of a file that may have been written by something else and say nothing.
  static Result<TrainingState> of(const Safetensors& file);
};

}  // namespace fjord::cli
