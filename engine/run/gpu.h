// GpuProgram: a plan as a list of dispatches, for a player that knows nothing of graphs.
//
//   GpuLimits limits{.bindings = 8};
//   FJORD_TRY(Plan plan, compile(graph, limits.planOptions()));
//   FJORD_TRY(GpuProgram program, gpuProgram(plan, limits));
//   for (const auto& d : program.dispatches) ...      // program.shaders[d.shader], d.bindings, d.groups
//
// A shader's entry point is `main`; its bindings are storage buffers of group 0, numbered in the order
// of the dispatch's list. Shapes are part of the text: the same op on the same shapes is one shader.
//
// Dispatches of a loop are played again in each trip. What moves from trip to trip is bound whole, and
// the shader finds its part by the trip's number: a uniform buffer for each loop that it asks about,
// bound after the storage buffers, at an offset that the player chooses.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace fjord {

/// What an adapter allows, as WebGPU names it.
struct GpuLimits {
  int bindings = 8;                    // maxStorageBuffersPerShaderStage
  int64_t bindingBytes = 128 << 20;    // maxStorageBufferBindingSize
  int64_t bufferBytes = 256 << 20;     // maxBufferSize
  int64_t groupsPerDimension = 65535;  // maxComputeWorkgroupsPerDimension

  /// Those of a plan that keeps to the limits.
  PlanOptions planOptions() const {
    return {
        .target = PlanOptions::kGpu, .mostArrays = bindings, .pageBytes = bufferBytes / 256 * 256};
  }
};

struct GpuProgram {
  struct Binding {
    Storage::Kind kind = Storage::kArena;
    int32_t index = 0;  // which input, output or arena
    int64_t offset = 0, bytes = 0;
  };
  struct Dispatch {
    int32_t shader = 0;
    std::vector<Binding> bindings;
    std::array<int64_t, 3> groups = {1, 1, 1};
    /// The loops whose trips its shader asks about.
    std::vector<int32_t> trips;
  };
  std::vector<std::string> shaders;
  std::vector<Dispatch> dispatches;
  /// Of dispatches. One that lies in another one comes after that in the list.
  std::vector<StepLoop> loops;
  std::vector<Type> inputs, outputs;
  /// Dispatches [settledBegin, settledEnd) run again only when a parameter has changed.
  int32_t settledBegin = 0, settledEnd = 0;
  /// What is bound and never changes.
  std::vector<Tensor> constants;
  /// Bytes of each buffer for what lives during a run only.
  std::vector<int64_t> arenas;
};

/// Fails where a step has no GPU form, with its reason, or asks for more than the limits.
Result<GpuProgram> gpuProgram(const Plan& plan, const GpuLimits& limits);

}  // namespace fjord
