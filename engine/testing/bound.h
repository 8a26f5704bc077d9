// A plan that runs on arrays of its own.
//
//   Bound bound;
//   bound.bind(*compile(graph), in, threads);      // in: values of the graph's inputs
//   bound.executor->run();                         // bound.outputs
#pragma once

#include <memory>
#include <vector>

#include "run/cpu.h"
#include "testing/reference.h"

namespace fjord::testing {

struct Bound {
  std::vector<Tensor> inputs, outputs;
  std::unique_ptr<Executor> executor;

  void bind(Plan plan, const std::vector<Reference>& in, Threads& threads) {
    executor = std::make_unique<Executor>(*Executor::make(std::move(plan), threads));
    for (const Reference& r : in) {
      inputs.push_back(toTensor(r));
      executor->bindInput(static_cast<int>(inputs.size()) - 1, inputs.back().view().data);
    }
    for (const Type& t : executor->plan().outputs) {
      outputs.push_back(*Tensor::zeros(t));
      executor->bindOutput(static_cast<int>(outputs.size()) - 1, outputs.back().view().data);
    }
  }
};

}  // namespace fjord::testing
