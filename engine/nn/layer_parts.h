// What the layers of layers_*.cc share: arguments, weights by these, checks of inputs.
#pragma once

#include <array>
#include <string>

#include "base/parts.h"
#include "ir/graph.h"
#include "nn/activations.h"
#include "nn/layers.h"
#include "nn/weights.h"

namespace fjord {

// The tables, one of each file.
std::span<const LayerRow> coreLayers();
std::span<const LayerRow> noiseLayers();
std::span<const LayerRow> shapeLayers();
std::span<const LayerRow> convolutionLayers();
std::span<const LayerRow> normalizationLayers();
std::span<const LayerRow> mergeLayers();
std::span<const LayerRow> imageLayers();
std::span<const LayerRow> encodingLayers();

namespace layer_parts {

using Inputs = LayerInputs;

/// A table for this build: what that is without has a name, and nothing that is to be linked.
template <size_t n>
constexpr std::array<LayerRow, n> withoutLeftOut(std::array<LayerRow, n> rows) {
  for (LayerRow& row : rows) {
    if (!hasLayer(row.className)) row = {row.className, row.name, {}};
  }
  return rows;
}

// ---- arguments

/// The arguments of one weight.
constexpr std::array<Argument, 3> weightArguments(const char* initializer, const char* regularizer,
                                                  const char* constraint, const char* fallback) {
  using namespace arguments;
  return {described(initializer, checkInitializer, fallback),
          described(regularizer, checkRegularizer), described(constraint, checkConstraint)};
}
#define WEIGHT_ARGUMENTS(prefix, fallback) \
  weightArguments(prefix "_initializer", prefix "_regularizer", prefix "_constraint", fallback)

inline constexpr auto kKernelWeight = WEIGHT_ARGUMENTS("kernel", "glorot_uniform");
inline constexpr auto kBiasWeight = WEIGHT_ARGUMENTS("bias", "zeros");

/// A name, or a layer as Keras also takes it: {"class_name": "LeakyReLU", "config": {..}}.
Status checkLayerOrActivation(const Json& activation);

inline constexpr Argument kActivated[] = {
    arguments::described("activation", checkLayerOrActivation)};
inline constexpr Argument kFinished[] = {arguments::flag("use_bias", true),
                                         arguments::also(kActivated), arguments::also(kBiasWeight)};

/// The layout is always channels last here; other files are transposed when they are read.
inline constexpr Argument kLayout[] = {arguments::choice("data_format", "channels_last")};

inline Pair pairOf(const Fields& f, const char* name) {
  std::array<int32_t, 2> both = f.pair(name);
  return {both[0], both[1]};
}
inline Padding paddingOf(const Fields& f) {
  return {f.choice("padding") == "same" ? Padding::kSame : Padding::kValid};
}

// ---- values

/// The weight `name`, made as the arguments that begin with `prefix` say.
Value weightOf(LayerContext& c, const Fields& f, std::string_view name, std::string prefix,
               const Shape& shape);
inline Value kernelOf(LayerContext& c, const Fields& f, const Shape& shape) {
  return weightOf(c, f, "kernel", "kernel", shape);
}
Value activated(LayerContext& c, const Json& activation, Value x);
/// x + bias, then the activation: what every layer with a kernel ends with.
Value finished(LayerContext& c, const Fields& f, Value x);

bool isImage(Value x);
/// Whether an axis of the argument `name` is one of x; it counts from 0 afterwards.
bool isAxis(Value x, const char* name, int32_t& axis);

}  // namespace layer_parts
}  // namespace fjord
