// The parts that a build of the engine has. All of them, unless CMake was told otherwise:
//
//   FJORD_TRAINING=OFF         it predicts: no gradients, losses, optimizers or fit
//   FJORD_GPU=OFF              no shaders, no programs for a GPU
//   FJORD_OPS="add,matMul"     these ops alone, and FJORD_LAYERS="Dense" these layers alone: what the model
//   FJORD_MADE_FOR="m.json"    of this name needs (./dev build --for)
//
// A part is left out by the linker, which takes what something calls: the C ABI exports fewer functions
// (abi/abi.h), the tables lack the rows (ops/table.cc, nn/layers.cc), and code that serves several parts
// asks the constants below.
#pragma once

#include <algorithm>
#include <string_view>

#include "base/result.h"

#if !defined(FJORD_TRAINING)
#define FJORD_TRAINING 1
#endif
#if !defined(FJORD_GPU)
#define FJORD_GPU 1
#endif
#if !defined(FJORD_OPS)
#define FJORD_OPS ""
#define FJORD_LAYERS ""
#define FJORD_MADE_FOR ""
#endif

namespace fjord {

inline constexpr bool kTrains = FJORD_TRAINING, kHasShaders = FJORD_GPU;

/// Whether a name stands in "one,two"; every name does in an empty list.
constexpr bool isAmong(std::string_view name, std::string_view list, char comma = ',') {
  if (list.empty()) return true;
  for (size_t at = 0; at <= list.size();) {
    size_t end = std::min(list.find(comma, at), list.size());
    if (list.substr(at, end - at) == name) return true;
    at = end + 1;
  }
  return false;
}
constexpr bool hasOp(std::string_view name) { return isAmong(name, FJORD_OPS); }
constexpr bool hasLayer(std::string_view className) { return isAmong(className, FJORD_LAYERS); }

/// "this build has no conv2d: it was made for model.safetensors, .."
inline std::string leftOut(std::string_view what) {
  constexpr std::string_view kMadeFor = FJORD_MADE_FOR;
  if (kMadeFor.empty()) return cat("this build has no ", what, ": it only predicts; fjord has it");
  return cat("this build has no ", what, ": it was made for ", kMadeFor,
             "; ./dev build --for makes one for another model");
}

}  // namespace fjord
