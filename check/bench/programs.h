// A problem as a program for a GPU, with what its outputs must be, for check/bench/gpu-ops.mjs.
#pragma once

#include <string>

#include "base/threads.h"
#include "problems.h"
#include "run/gpu.h"

namespace fjord {

/// A JSON object in one line:
///
///   {"group", "case", "operations", "bytes", "reads",
///    "program": as in abi/gpu_json.h | "refused": why,
///    "inputs": [{"bytes", "low", "high"}],      whose numbers drawInputs() defines
///    "outputs": [{"bytes", "largest", "parts": [{"sum", "size", "at", "value"}]}]}
///
/// `largest` is that of the absolute values. An output is in 16 parts of equal length, each with the sum of
/// its values, that of their absolute values, and one value; all are what the CPU's kernels compute.
std::string programLine(const char* group, const Problem& p, const GpuLimits& limits,
                        Threads& threads);

}  // namespace fjord
