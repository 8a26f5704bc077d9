// Embeddings: vectors in place of numbers that name them.
#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

constexpr auto kEmbeddingsWeight = WEIGHT_ARGUMENTS("embeddings", "random_uniform");

/// Rows of a table by their numbers, x [N,..] to [N,..,output_dim]. A number that is no row's stops the step.
/// Weights: embeddings [input_dim, output_dim].
constexpr Argument kEmbedding[] = {whole("input_dim", kCount).isNeeded(),
                                   whole("output_dim", kCount).isNeeded(), flag("mask_zero", false),
                                   shape("input_length"), also(kEmbeddingsWeight)};
LayerOutputs embedding(LayerContext& c, const Fields& f, Inputs in) {
  Value ids = cast(in[0], DType::kI32);
  Value rows =
      weightOf(c, f, "embeddings", "embeddings", {f.whole("input_dim"), f.whole("output_dim")});
  LayerOutputs y{{gather(rows, ids)}};
  if (!y.values[0]) return {};
  if (f.flag("mask_zero")) y.masks = {notEqual(ids, like(ids, 0))};
  return y;
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Embedding", "embedding", kEmbedding, nullptr, 1, Masks::kEnd, embedding},
}));

}  // namespace

std::span<const LayerRow> embeddingLayers() { return kRows; }

}  // namespace fjord
