// GpuProgram: a plan as a list of dispatches, for a player that knows nothing of graphs.
//
//   FJORD_TRY(Plan plan, compile(graph, {.target = PlanOptions::kGpu, .mostArrays = 8}));
//   FJORD_TRY(GpuProgram program, gpuProgram(plan, {.bindings = 8}));
//   for (const auto& d : program.dispatches) ...      // program.shaders[d.shader], d.bindings, d.groups
//
// A shader's entry point is `main`; its bindings are storage buffers of group 0, numbered in the order
// of the dispatch's list. Shapes are part of the text: the same op on the same shapes is one shader.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "graph/plan.h"

namespace fjord {

/// What an adapter allows, as WebGPU names it.
struct GpuLimits {
  int bindings = 8;                    // maxStorageBuffersPerShaderStage
  int64_t bindingBytes = 128 << 20;    // maxStorageBufferBindingSize
  int64_t bufferBytes = 256 << 20;     // maxBufferSize
  int64_t groupsPerDimension = 65535;  // maxComputeWorkgroupsPerDimension
};

struct GpuProgram {
  struct Binding {
    Storage::Kind kind = Storage::kArena;
    int32_t index = 0;  // which input or output
    int64_t offset = 0, bytes = 0;
  };
  struct Dispatch {
    int32_t shader = 0;
    std::vector<Binding> bindings;
    std::array<int64_t, 3> groups = {1, 1, 1};
  };
  std::vector<std::string> shaders;
  std::vector<Dispatch> dispatches;
  std::vector<Type> inputs, outputs;
  /// Dispatches [settledBegin, settledEnd) run again only when a parameter has changed.
  int32_t settledBegin = 0, settledEnd = 0;
  int64_t arenaBytes = 0;
};

/// Fails where a step has no GPU form, with its reason, or asks for more than the limits.
Result<GpuProgram> gpuProgram(const Plan& plan, const GpuLimits& limits);

}  // namespace fjord
