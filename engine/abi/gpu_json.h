// A GpuProgram as the JSON that web/src/gpu.ts plays.
#pragma once

#include "base/json.h"
#include "run/gpu.h"

namespace fjord {

/// {"shaders": [text], "dispatches": [{"shader", "bindings": [[kind, index, offset, bytes]],
/// "groups": [x, y, z], "trips": [loop]}], "inputs": [bytes], "outputs": [bytes], "arenas": [bytes],
/// "settled": [begin, end], "loops": [[begin, end, trips]], "constants": [base64]}; a binding's kind
/// is 0 arena, 1 input, 2 output, 3 constant. Lists of trips, loops and constants are there where they
/// are not empty.
Json toJson(const GpuProgram& program);

}  // namespace fjord
