// A model as one safetensors file: its description, its weights and, where asked, what training
// needs to go on as if it had never stopped.
//
//   FJORD_TRY(std::string bytes, saveModel(*model, {.optimizer = true}));
//   FJORD_TRY(Safetensors file, readSafetensors(std::as_bytes(std::span(bytes))));
//   FJORD_TRY(auto again, loadModel(file, threads));        // trains on with bit-equal weights
//
// Tensors: every weight by its name, "dense/kernel"; the optimizer's state as
// "optimizer/dense/kernel/m". Texts of the metadata: "model", the description as Keras JSON;
// "training", the arguments of compile as JSON; "seed" and "step", decimal, from which all random
// numbers follow; "rate", the learning rate where one was set by hand or by a callback.
#pragma once

#include "io/safetensors.h"
#include "nn/model.h"

namespace fjord {

struct SaveOptions {
  bool optimizer = false;
  /// kF16 and kBF16 halve the file; training does not go on bit-equal from there.
  DType weights = DType::kF32;
  /// More texts for the file.
  Metadata metadata = {};
};

/// A function of JavaScript among the loss and the metrics is left out with these, or refused with the
/// optimizer; one within a layer is refused.
Result<std::string> saveModel(Model& model, const SaveOptions& options = {});

/// A model of its own memory: the file may go. Compiled where the file says how. `traced`:
/// ModelOptions::traced.
Result<std::unique_ptr<Model>> loadModel(const Safetensors& file, Threads& threads,
                                         const Json& traced = nullptr);

/// Takes the weights from a file, by name; all or none. What else is in the file is an error.
Status loadWeights(Model& model, const Safetensors& file);

}  // namespace fjord
