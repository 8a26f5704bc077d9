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
Value embeddingsOf(LayerContext& c, const Fields& f) {
  return weightOf(c, f, "embeddings", "embeddings", {f.whole("input_dim"), f.whole("output_dim")});
}
LayerOutputs rowsOf(const Fields& f, Value table, Value x) {
  Value ids = cast(x, DType::kI32);
  LayerOutputs y{{gather(table, ids)}};
  if (!y.values[0]) return {};
  if (f.flag("mask_zero")) y.masks = {notEqual(ids, like(ids, 0))};
  return y;
}
LayerOutputs embedding(LayerContext& c, const Fields& f, Inputs in) {
  return rowsOf(f, embeddingsOf(c, f), in[0]);
}

/// The same, and in a call with `reverse` how well each row fits, [N,..,output_dim] to [N,..,input_dim] (Press and
/// Wolf 2017): by products with the rows, or with the weight reverse_embeddings [output_dim, input_dim]. A cap c makes
/// of a product p c * tanh(p / c).
constexpr Argument kReversible[] = {also(kEmbedding), flag("tie_weights", true),
                                    number("logit_soft_cap", kPositive),
                                    only("reverse_dtype", "\"float32\"|\"float16\"|\"bfloat16\"")};
constexpr Argument kReversibleCall[] = {flag("reverse", false)};
LayerOutputs reversibleEmbedding(LayerContext& c, const Fields& f, Inputs in) {
  Value table = embeddingsOf(c, f), own;
  if (!f.flag("tie_weights"))
    own = c.weight("reverse_embeddings", {f.whole("output_dim"), f.whole("input_dim")},
                   f.json("embeddings_initializer"));
  if (!c.said->flag("reverse")) return rowsOf(f, table, in[0]);
  Value y = own ? matMul(in[0], own) : matMul(in[0], table, {.transposeB = true});
  if (double cap = f.number("logit_soft_cap"); cap > 0) y = tanh(y / cap) * cap;
  return y ? LayerOutputs{{y}} : LayerOutputs();
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Embedding", "embedding", kEmbedding, nullptr, 1, Masks::kEnd, embedding},
    {"ReversibleEmbedding", "reversibleEmbedding", kReversible, nullptr, 1, Masks::kEnd,
     reversibleEmbedding, kReversibleCall},
}));

}  // namespace

std::span<const LayerRow> embeddingLayers() { return kRows; }

}  // namespace fjord
