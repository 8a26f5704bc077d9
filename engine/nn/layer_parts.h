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
std::span<const LayerRow> poolingLayers();
std::span<const LayerRow> normalizationLayers();
std::span<const LayerRow> mergeLayers();
std::span<const LayerRow> recurrentLayers();
std::span<const LayerRow> convolutionalRecurrentLayers();
std::span<const LayerRow> embeddingLayers();
std::span<const LayerRow> einsumLayers();
std::span<const LayerRow> attentionLayers();
std::span<const LayerRow> spectralLayers();
std::span<const LayerRow> imageLayers();
std::span<const LayerRow> colorLayers();
std::span<const LayerRow> equalizingLayers();
std::span<const LayerRow> augmentingLayers();
std::span<const LayerRow> encodingLayers();
std::span<const LayerRow> audioLayers();

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

/// Of layers that draw random numbers.
inline constexpr Argument kSeed = arguments::whole("seed", kAnyInt);
/// What a random op draws by: the seed of the model, and a stream of the op's own; or the seed that the layer
/// has, and in it the draw of this number. It is another draw in each step.
struct Draw {
  Value state;
  int32_t stream;
};
Draw drawOf(LayerContext& c, const Fields& f, Graph& graph, int32_t number = 0);

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

/// A layer within another one, or a model: {"class_name", "config"}.
Status checkInner(const Json& description);
/// The name of one of several layers within another one. Keras numbers those that have none.
std::string nameWithin(const Json& layer, std::vector<std::string>& names);

inline constexpr Argument kActivated[] = {
    arguments::described("activation", checkLayerOrActivation)};
inline constexpr Argument kFinished[] = {arguments::flag("use_bias", true),
                                         arguments::also(kActivated), arguments::also(kBiasWeight)};

/// Of a layer that computes with channels last.
inline constexpr Argument kLayout[] = {arguments::choice("data_format", "channels_last")};
/// Of one that goes through eitherLayout.
inline constexpr Argument kEitherLayout[] = {
    arguments::choice("data_format", "channels_last|channels_first")};
inline bool areChannelsFirst(const Fields& f) {
  return f.knows("data_format") && f.choice("data_format") == "channels_first";
}

/// What is said of two axes, or of one that is the width of images of one row.
inline Pair pairOf(const Shape& numbers) {
  return numbers.rank() == 1 ? Pair{1, numbers[0]} : Pair{numbers[0], numbers[1]};
}
inline Pair pairOf(const Fields& f, const char* name) { return pairOf(f.perAxis(name)); }
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

/// Whether x is a batch [N,..,C] of what has so many axes, steps [N,T,C], images [N,H,W,C] or volumes
/// [N,D,H,W,C]; the graph fails where it is not.
bool isBatch(Value x, int axes);
inline bool isImage(Value x) { return isBatch(x, 2); }
/// With an axis of size 1 before axis `at`; without it.
Value withAxis(Value x, int at);
Value withoutAxis(Value x, int at);

/// How a convolution goes along one to three axes.
struct Convolution {
  Shape strides, dilations;
  Padding padding;
  int32_t groups = 1;
};
/// x [N,..,C] by a kernel [..,C/groups,filters]: of one axis as images of one row.
Value convolve(Value x, Value kernel, const Convolution& a);

/// x with axis `axis` moved to the end, and back.
Value axisLast(Value x, int axis);
Value lastBack(Value x, int axis);
/// [N,C,..] as [N,..,C], and back; what has no axes between is the same.
Value channelsLast(Value x);
Value channelsFirst(Value x);
using Build = Value (*)(LayerContext&, const Fields&, Inputs);
Value inEitherLayout(LayerContext& c, const Fields& f, Inputs in, Build build);
/// A layer of one input that knows channels last, for data_format "channels_first", too: between
/// transposes, which plan/transposes.cc brings together and cancels.
template <Build build>
Value eitherLayout(LayerContext& c, const Fields& f, Inputs in) {
  return inEitherLayout(c, f, in, build);
}
/// Whether an axis of the argument `name` is one of x; it counts from 0 afterwards.
bool isAxis(Value x, const char* name, int32_t& axis);

}  // namespace layer_parts
}  // namespace fjord
