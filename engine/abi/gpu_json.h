// A GpuProgram as the JSON that web/src/gpu.ts plays.
#pragma once

#include "base/json.h"
#include "run/gpu.h"

namespace fjord {

/// {"shaders": [text], "dispatches": [{"shader", "bindings": [[kind, index, offset, bytes]],
/// "groups": [x, y, z]}], "inputs": [bytes], "outputs": [bytes], "arena": bytes,
/// "settled": [begin, end]}; a binding's kind is 0 arena, 1 input, 2 output.
Json toJson(const GpuProgram& program);

}  // namespace fjord
