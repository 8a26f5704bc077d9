// Attention: values weighed by how well their keys fit a query.
//
// Shapes: N samples, T steps of the query, S steps of key and value, H heads.
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

constexpr std::string_view kInputNames[] = {"query", "value", "key", "attention_mask"};
constexpr Argument kCall[] = {flag("return_attention_scores", false),
                              flag("use_causal_mask", false)};
constexpr Argument kWeighing[] = {number("dropout", kBelowOne, 0), kSeed};
// Instead of minus infinity, which would make a row without a step no number: Keras's.
constexpr double kFar = 1e9;
constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

/// The inputs of a call.
struct Attended {
  Value query, value, key;  // [N,T,D], [N,S,E], [N,S,F]
  Value mask;               // of which query may see which step, if it is given

  int32_t samples() const { return query.shape()[0]; }
  int32_t queries() const { return query.shape()[1]; }
  int32_t steps() const { return value.shape()[1]; }
};
/// Nothing, and an error, where they do not fit.
std::optional<Attended> attended(Inputs in, size_t most) {
  Graph& graph = *in[0].graph;
  if (in.size() < 2 || in.size() > most) {
    graph.fail(cat("takes query, value", most > 3 ? ", key and attention_mask" : " and key",
                   ", of which the first two are needed, got ", in.size(), " inputs"));
    return {};
  }
  Attended a{in[0], in[1], in[in.size() > 2 ? 2 : 1], in.size() > 3 ? in[3] : Value{}};
  const Shape &q = a.query.shape(), &v = a.value.shape(), &k = a.key.shape();
  if (q.rank() == 3 && v.rank() == 3 && k.rank() == 3 && q[0] == v[0] && v[0] == k[0] &&
      v[1] == k[1])
    return a;
  graph.fail(cat("needs a query [N,T,D], and value and key [N,S,E] of as many steps, got ",
                 a.query.type(), ", ", a.value.type(), " and ", a.key.type()));
  return {};
}

/// What several masks say together; one that is empty says nothing.
Value both(Value a, Value b) { return a && b ? a & b : a ? a : b; }

/// Which steps at the places s queries at the places t see, [T,S]: those up to their own if they are causal, and
/// those less than `window` away if that is not 0. By places that are computed, so that it takes no memory.
Value band(Value t, Value s, bool isCausal, int32_t window) {
  t = reshape(t, {.shape = {t.shape()[0], 1}});
  Value sees;
  if (isCausal) sees = s <= t;
  return window > 0 ? both(sees, absolute(t - s) < static_cast<double>(window)) : sees;
}
Value band(const Attended& a, bool isCausal, int32_t window) {
  Graph& graph = *a.query.graph;
  return band(range(graph, a.queries()), range(graph, a.steps()), isCausal, window);
}

Value dropped(LayerContext& c, const Fields& f, Value weights) {
  double rate = f.number("dropout");
  if (!c.training || rate == 0 || !weights) return weights;
  Draw draw = drawOf(c, f, *weights.graph);
  return dropout(weights, draw.state, {.rate = static_cast<float>(rate), .stream = draw.stream});
}

// ---- heads

constexpr Argument kHeads[] = {flag("use_bias", true),        whole("sliding_window", kCount),
                               flag("use_gate", false),       only("flash_attention", "true|false"),
                               whole("cache_length", kCount), also(kWeighing),
                               also(kKernelWeight),           also(kBiasWeight)};

struct Heads {
  int32_t queries, keys;       // a key and its value serve queries / keys heads of the query
  int32_t keySize, valueSize;  // of a head
  Shape output;                // of a step
};

/// x [N,T,..] by the weight part/kernel, whose first axes are those of a step, to [N,T,out..].
Value projected(LayerContext& c, const Fields& f, const std::string& part, Value x,
                const Shape& out) {
  Shape kernel, inputs, outputs;
  for (int i = 2; i < x.shape().rank(); ++i) {
    inputs.push(kernel.rank());
    kernel.push(x.shape()[i]);
  }
  int64_t size = kernel.size();
  for (int32_t d : out) {
    outputs.push(kernel.rank());
    kernel.push(d);
  }
  Value w =
      c.weight(part + "/kernel", kernel, scaledBy(f.json("kernel_initializer"), inputs, outputs),
               true, f.json("kernel_regularizer"), f.json("kernel_constraint"));
  Value rows = reshape(x, {.shape = {int64_t{x.shape()[0]} * x.shape()[1], size}});
  Value y = matMul(rows, reshape(w, {.shape = {size, out.size()}}));
  if (f.flag("use_bias"))
    y = y + reshape(weightOf(c, f, part + "/bias", "bias", out), {.shape = {out.size()}});
  Shape steps{x.shape()[0], x.shape()[1]};
  for (int32_t d : out) steps.push(d);
  return reshape(y, {.shape = steps});
}

int32_t windowOf(const Fields& f) {
  return f.has("sliding_window") ? f.whole("sliding_window") : 0;
}

/// Of which query may see which step, as it goes with scores [N,H,T,S].
Value maskOf(const LayerContext& c, const Fields& f, const Attended& a, Inputs in) {
  auto spread = [&](Value mask, bool ofQuery) {
    if (!mask) return mask;
    int32_t n = mask.shape()[0], steps = mask.shape()[-1];
    return reshape(mask, {.shape = ofQuery ? Shape{n, 1, steps, 1} : Shape{n, 1, 1, steps}});
  };
  Value mask = both(spread(in.mask(0), true), spread(in.mask(1), false));
  if (in.size() > 2) mask = both(mask, spread(in.mask(2), false));
  bool isCausal = c.said->flag("use_causal_mask") || f.has("cache_length");
  if (int32_t window = windowOf(f); isCausal || window > 0)
    mask = both(mask, band(a, isCausal, window));
  if (!a.mask) return mask;
  // The heads may be left out, and the samples, too.
  const Shape& s = a.mask.shape();
  Shape full = s.rank() == 2   ? Shape{1, 1, s[0], s[1]}
               : s.rank() == 3 ? Shape{s[0], 1, s[1], s[2]}
                               : s;
  bool fits = full.rank() == 4 && full[-2] == a.queries() && full[-1] == a.steps();
  if (!fits) {
    a.mask.graph->fail(cat("attention_mask must be [N,", a.queries(), ",", a.steps(),
                           "] or [N,heads,", a.queries(), ",", a.steps(), "], got ",
                           a.mask.type()));
    return {};
  }
  return both(mask, truth(reshape(a.mask, {.shape = full})));
}

/// The steps of all calls since states were reset, in an array of `cache_length` places.
struct Cache {
  Value keys, values;  // [N,cache_length,H,size]
  Value mask;          // which place each query of this call sees, [T,cache_length]
  Value fits;          // 1; no number once there are more steps than places
};
bool isCachable(const Attended& a, Inputs in) {
  bool isMasked = a.mask || in.mask(0) || in.mask(1) || (in.size() > 2 && in.mask(2));
  if (!isMasked && a.queries() == a.steps()) return true;
  a.query.graph->fail(isMasked
                          ? "cache_length goes without masks"
                          : cat("cache_length is for a query of as many steps as value has, got ",
                                a.queries(), " and ", a.steps()));
  return false;
}
/// Keys and values of a call are put behind those that are kept.
Cache cached(LayerContext& c, const Fields& f, const Attended& a, Value keys, Value values) {
  Graph& graph = *keys.graph;
  int32_t count = a.steps(), length = f.whole("cache_length");
  Value counts = c.kept("cached_steps", {a.samples()});
  Value before = max(counts);                                 // of each sample the same
  Value place = range(graph, length), step = place - before;  // of this call
  Value isNew =
      reshape((step >= 0.0) & (step < static_cast<double>(count)), {.shape = {length, 1, 1}});
  auto joined = [&](std::string_view name, Value x) {
    Shape shape = x.shape();
    shape[1] = length;
    Value kept = c.kept(name, shape);
    Value rows =
        count == 1 ? x
                   : gather(x, cast(clip(step, like(step, 0), like(step, count - 1)), DType::kI32),
                            {.axis = 1});
    Value all = where(isNew, rows, kept);
    c.update(kept, all);
    return all;
  };
  Cache cache{joined("cached_keys", keys), joined("cached_values", values), {}, {}};
  cache.mask = band(before + range(graph, count), place, true, windowOf(f));
  // To look up a place that there is not is an error, and 0 on a GPU.
  Value now = before + static_cast<double>(count);
  now = maximum(now, gather(place, cast(now - 1.0, DType::kI32), {.axis = 0}));
  c.update(counts, broadcastTo(now, {.shape = {a.samples()}}));
  cache.fits = where(now <= static_cast<double>(length), like(now, 1), like(now, kNoNumber));
  return cache;
}

/// Vaswani et al. 2017, and Ainslie et al. 2023 where several heads share a key. With `use_gate` the result
/// is multiplied by what the query says of it (Qiu et al. 2025). With `cache_length` it is causal, and in
/// predictions queries see the steps of earlier calls, too.
LayerOutputs attend(LayerContext& c, const Fields& f, Inputs in, const Attended& a,
                    const Heads& h) {
  int32_t n = a.samples(), t = a.queries(), s = a.steps(), group = h.queries / h.keys;
  double scale = 1 / std::sqrt(static_cast<double>(h.keySize));
  Value q = projected(c, f, "query", a.query, {h.queries, h.keySize}) * scale;
  Value k = projected(c, f, "key", a.key, {h.keys, h.keySize}), gate;
  if (f.flag("use_gate"))
    gate = sigmoid(projected(c, f, "gate", a.query, {h.queries, h.valueSize}));
  Value v = projected(c, f, "value", a.value, {h.keys, h.valueSize});
  Value mask;
  bool remembers = f.has("cache_length") && !c.training;
  if (!k || !v || (remembers && !isCachable(a, in))) return {};
  if (remembers && c.isPrediction) {
    Cache cache = cached(c, f, a, k, v);
    k = cache.keys, v = cache.values, mask = cache.mask;
    q = q * cache.fits;
    s = f.whole("cache_length");
  } else {
    mask = maskOf(c, f, a, in);
  }
  // Heads of one key stand together.
  Value scores = einsum({{reshape(q, {.shape = {n, t, h.keys, group, h.keySize}}), k}},
                        {.equation = "btkgd,bskd->bkgts"});
  scores = reshape(scores, {.shape = {n, h.queries, t, s}});
  bool gives = c.said->flag("return_attention_scores");
  if (mask) scores = where(mask, scores, -kFar);
  Value weights = softmax(scores);
  // Keras has two ways to compute it. What a query without a step sees is none in one, and all in the other.
  if (mask && (gives || f.number("dropout") > 0)) weights = where(mask, weights, 0.0);
  Value seen = reshape(dropped(c, f, weights), {.shape = {n, h.keys, group, t, s}});
  Value y = reshape(einsum({{seen, v}}, {.equation = "bkgts,bskd->btkgd"}),
                    {.shape = {n, t, h.queries, h.valueSize}});
  if (gate) y = y * gate;
  y = projected(c, f, "attention_output", y, h.output);
  if (!y) return {};
  LayerOutputs outputs{{y}, {in.mask(0)}};
  if (gives) outputs.values.push_back(weights);
  return outputs;
}

/// Weights: query, key and value/kernel [D,H,size of a head], /bias [H,size], attention_output/kernel
/// [H,value_dim,output_shape..], /bias [output_shape..]. Scores are [N,H,T,S].
constexpr Argument kMultiHead[] = {whole("num_heads", kCount).isNeeded(),
                                   whole("key_dim", kCount).isNeeded(),
                                   whole("value_dim", kCount),
                                   wholes("output_shape", kCount),
                                   wholes("attention_axes", kAnyInt),
                                   also(kHeads)};
LayerOutputs multiHeadAttention(LayerContext& c, const Fields& f, Inputs in) {
  std::optional<Attended> a = attended(in, 4);
  if (!a) return {};
  for (int32_t axis : f.wholes("attention_axes")) {
    // Keras counts from the end without the axis of the numbers.
    if (axis == 1 || axis == -2) continue;
    in[0].graph->fail(cat("attention_axes must be 1, the axis of the steps, got ", axis));
    return {};
  }
  int32_t heads = f.whole("num_heads"), size = f.whole("key_dim");
  Shape output = f.wholes("output_shape");
  if (output.empty()) output = {a->query.shape()[2]};
  return attend(c, f, in, *a,
                {heads, heads, size, f.has("value_dim") ? f.whole("value_dim") : size, output});
}

constexpr Argument kGroupedQuery[] = {
    whole("head_dim", kCount).isNeeded(), whole("num_query_heads", kCount).isNeeded(),
    whole("num_key_value_heads", kCount).isNeeded(), also(kHeads)};
LayerOutputs groupedQueryAttention(LayerContext& c, const Fields& f, Inputs in) {
  std::optional<Attended> a = attended(in, 4);
  if (!a) return {};
  int32_t queries = f.whole("num_query_heads"), keys = f.whole("num_key_value_heads");
  if (queries % keys != 0) {
    in[0].graph->fail(cat("num_query_heads must be a multiple of num_key_value_heads, got ",
                          queries, " and ", keys));
    return {};
  }
  int32_t size = f.whole("head_dim");
  return attend(c, f, in, *a, {queries, keys, size, size, {a->query.shape()[2]}});
}

// ---- one head without kernels

/// Values weighed by scores [N,T,S].
LayerOutputs weighed(LayerContext& c, const Fields& f, Inputs in, const Attended& a, Value scores) {
  Value mask = in.mask(1), ofQuery = in.mask(0);
  if (mask) mask = reshape(mask, {.shape = {a.samples(), 1, a.steps()}});
  if (c.said->flag("use_causal_mask")) mask = both(mask, band(a, true, 0));
  if (mask) scores = where(mask, scores, scores - kFar);
  Value weights = softmax(scores), y = matMul(dropped(c, f, weights), a.value);
  if (ofQuery) y = where(reshape(ofQuery, {.shape = {a.samples(), a.queries(), 1}}), y, 0.0);
  if (!y) return {};
  LayerOutputs outputs{{y}, {ofQuery}};
  if (c.said->flag("return_attention_scores")) outputs.values.push_back(weights);
  return outputs;
}

/// The sum of each query with each key, [N,T,S,D].
Value sums(const Attended& a) {
  int32_t size = a.query.shape()[2];
  return reshape(a.query, {.shape = {a.samples(), a.queries(), 1, size}}) +
         reshape(a.key, {.shape = {a.samples(), 1, a.steps(), a.key.shape()[2]}});
}

/// Luong et al. 2015; scores by sums as a form between it and the additive one.
constexpr Argument kAttention[] = {flag("use_scale", false), choice("score_mode", "dot|concat"),
                                   also(kWeighing)};
LayerOutputs attention(LayerContext& c, const Fields& f, Inputs in) {
  std::optional<Attended> a = attended(in, 3);
  if (!a) return {};
  Value scale = f.flag("use_scale") ? c.weight("scale", {}, "ones") : Value{}, scores;
  auto scaled = [&](Value x) { return scale ? x * scale : x; };
  if (f.choice("score_mode") == "dot") {
    scores = scaled(matMul(a->query, a->key, {.transposeB = true}));
  } else {
    Value each = c.weight("concat_score_weight", {}, "ones");
    scores = sum(tanh(scaled(sums(*a))), {.axes = {3}}) * each;
  }
  return weighed(c, f, in, *a, scores);
}

/// Bahdanau et al. 2015.
constexpr Argument kAdditive[] = {flag("use_scale", true), also(kWeighing)};
LayerOutputs additiveAttention(LayerContext& c, const Fields& f, Inputs in) {
  std::optional<Attended> a = attended(in, 3);
  if (!a) return {};
  Value each = tanh(sums(*a));
  if (f.flag("use_scale")) each = each * c.weight("scale", {a->query.shape()[2]}, "glorot_uniform");
  return weighed(c, f, in, *a, sum(each, {.axes = {3}}));
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"MultiHeadAttention", "multiHeadAttention", kMultiHead, nullptr, 0, Masks::kEnd,
     multiHeadAttention, kCall, kInputNames},
    {"GroupQueryAttention", "groupQueryAttention", kGroupedQuery, nullptr, 0, Masks::kEnd,
     groupedQueryAttention, kCall, kInputNames},
    {"Attention", "attention", kAttention, nullptr, 0, Masks::kEnd, attention, kCall},
    {"AdditiveAttention", "additiveAttention", kAdditive, nullptr, 0, Masks::kEnd,
     additiveAttention, kCall},
}));

}  // namespace

std::span<const LayerRow> attentionLayers() { return kRows; }

}  // namespace fjord
