#include "nn/losses.h"

#include <algorithm>
#include <cmath>

#include "graph/graph.h"
#include "ops/op.h"

namespace fjord {

namespace {

constexpr double kEpsilon = 1e-7;  // Keras's: probabilities are kept this far from 0 and 1

Value last(Value x) { return mean(x, {.axes = {-1}}); }
Value lastSum(Value x) { return sum(x, {.axes = {-1}}); }

/// The input of the softmax or sigmoid that made these probabilities, if it is known: the loss of
/// logits is exact where that of rounded probabilities is not.
Value logitsBehind(Value p, OpId op) {
  const Node& node = p.graph->node(p);
  if (node.op != op) return {};
  int rank = p.shape().rank();
  if (op == OpId::softmax && axisOf(node.attrs.as<SoftmaxAttrs>().axis, rank) == rank - 1)
    return {p.graph, node.inputs[0]};
  return op == OpId::sigmoid ? Value{p.graph, node.inputs[0]} : Value{};
}

Value clipped(Value p) { return clip(p, like(p, kEpsilon), like(p, 1 - kEpsilon)); }

Value smoothed(Value labels, const Json& c, double classes) {
  double s = numberOr(c, "label_smoothing", 0);
  return s == 0 ? labels : labels * (1 - s) + s / classes;
}

Value categoricalCrossentropy(Value y, Value p, const Json& c) {
  y = smoothed(y, c, p.shape()[-1]);
  Value logits = boolOr(c, "from_logits", false) ? p : logitsBehind(p, OpId::softmax);
  if (logits) return softmaxCrossEntropy(logits, y);
  Value normalized = p / sum(p, {.axes = {-1}, .keepDims = true});
  return -lastSum(y * log(clipped(normalized)));
}

/// Labels are class numbers [..] or [.., 1].
Value classNumbers(Value y, Value p) {
  if (y.shape().rank() == p.shape().rank() && y.shape()[-1] == 1) {
    Shape s = y.shape();
    s.values[--s.count] = 0;
    y = reshape(y, {.shape = s});
  }
  return cast(y, DType::kI32);
}

Value sparseCategoricalCrossentropy(Value y, Value p, const Json& c) {
  y = oneHot(classNumbers(y, p), {.depth = p.shape()[-1]});
  if (boolOr(c, "from_logits", false) || logitsBehind(p, OpId::softmax))
    return categoricalCrossentropy(y, p, c);
  // Unlike with one-hot labels, Keras clips first and normalizes then.
  Value q = clipped(p);
  return log(lastSum(q)) - lastSum(y * log(q));
}

Value binaryCrossentropy(Value y, Value p, const Json& c) {
  y = smoothed(y, c, 2);
  Value logits = boolOr(c, "from_logits", false) ? p : logitsBehind(p, OpId::sigmoid);
  if (logits) return last(sigmoidCrossEntropy(logits, y));
  Value q = clipped(p);
  return -last(y * log(q) + (1.0 - y) * log(1.0 - q));
}

/// Lin et al. 2017: what is classified well already counts less. `p` are probabilities.
Value binaryFocal(Value y, Value p, const Json& c) {
  y = smoothed(y, c, 2);
  if (boolOr(c, "from_logits", false)) p = sigmoid(p);
  Value q = clipped(p), missed = 1.0 - (y * p + (1.0 - y) * (1.0 - p));
  Value e =
      -(y * log(q) + (1.0 - y) * log(1.0 - q)) * pow(missed, like(p, numberOr(c, "gamma", 2)));
  double alpha = numberOr(c, "alpha", 0.25);
  if (boolOr(c, "apply_class_balancing", false)) e = e * (y * alpha + (1.0 - y) * (1 - alpha));
  return last(e);
}
Value categoricalFocal(Value y, Value p, const Json& c) {
  y = smoothed(y, c, p.shape()[-1]);
  if (boolOr(c, "from_logits", false)) p = softmax(p);
  Value q = clipped(p / sum(p, {.axes = {-1}, .keepDims = true}));
  Value factor = pow(1.0 - q, like(q, numberOr(c, "gamma", 2))) * numberOr(c, "alpha", 0.25);
  return -lastSum(factor * y * log(q));
}

/// Zhang and Sabuncu 2018: between the absolute error (q = 1) and the cross-entropy (q to 0).
Value categoricalGeneralized(Value y, Value p, const Json& c) {
  double q = numberOr(c, "q", 0.5);
  Value truth = lastSum(oneHot(classNumbers(y, p), {.depth = p.shape()[-1]}) * p);
  return (1.0 - pow(truth, like(truth, q))) / q;
}

/// Hinge losses want labels -1 and 1; 0 and 1 are taken as those.
Value signedLabels(Value y) { return where(y <= 0.0, -1.0, like(y, 1)); }

Value unit(Value x) {
  Value s = sum(square(x), {.axes = {-1}, .keepDims = true});
  return x * rsqrt(maximum(s, like(s, 1e-12)));
}

struct Row {
  std::string_view name;
  Value (*perSample)(Value labels, Value predictions, const Json& config);
};

constexpr Row kLosses[] = {
    {"meansquarederror", [](Value y, Value p, const Json&) { return last(square(p - y)); }},
    {"meanabsoluteerror", [](Value y, Value p, const Json&) { return last(abs(p - y)); }},
    {"meanabsolutepercentageerror",
     [](Value y, Value p, const Json&) {
       return last(abs((y - p) / maximum(abs(y), like(y, kEpsilon)))) * 100.0;
     }},
    {"meansquaredlogarithmicerror",
     [](Value y, Value p, const Json&) {
       return last(square(log(maximum(p, like(p, kEpsilon)) + 1.0) -
                          log(maximum(y, like(y, kEpsilon)) + 1.0)));
     }},
    {"hinge", [](Value y, Value p, const Json&) { return last(relu(1.0 - signedLabels(y) * p)); }},
    {"squaredhinge",
     [](Value y, Value p, const Json&) { return last(square(relu(1.0 - signedLabels(y) * p))); }},
    {"categoricalhinge",
     [](Value y, Value p, const Json&) {
       return relu(max((1.0 - y) * p, {.axes = {-1}}) - lastSum(y * p) + 1.0);
     }},
    // log(cosh(x)) without overflow.
    {"logcosh",
     [](Value y, Value p, const Json&) {
       return last(p - y + softplus((p - y) * -2.0) - 0.6931471805599453);
     }},
    {"huber",
     [](Value y, Value p, const Json& c) {
       double d = numberOr(c, "delta", 1);
       Value e = abs(p - y);
       return last(where(e <= d, square(e) * 0.5, e * d - 0.5 * d * d));
     }},
    {"categoricalcrossentropy", categoricalCrossentropy},
    {"sparsecategoricalcrossentropy", sparseCategoricalCrossentropy},
    {"binarycrossentropy", binaryCrossentropy},
    {"binaryfocalcrossentropy", binaryFocal},
    {"categoricalfocalcrossentropy", categoricalFocal},
    {"categoricalgeneralizedcrossentropy", categoricalGeneralized},
    {"kldivergence",
     [](Value y, Value p, const Json&) {
       Value a = clip(y, like(y, kEpsilon), like(y, 1)), b = clip(p, like(p, kEpsilon), like(p, 1));
       return lastSum(a * log(a / b));
     }},
    {"poisson", [](Value y, Value p, const Json&) { return last(p - y * log(p + kEpsilon)); }},
    {"cosinesimilarity", [](Value y, Value p, const Json&) { return -lastSum(unit(y) * unit(p)); }},
};

struct Alias {
  std::string_view name, means;
};
constexpr Alias kAliases[] = {
    {"mse", "meansquarederror"},
    {"mae", "meanabsoluteerror"},
    {"mape", "meanabsolutepercentageerror"},
    {"msle", "meansquaredlogarithmicerror"},
    {"bce", "binarycrossentropy"},
    {"kld", "kldivergence"},
    {"kullbackleiblerdivergence", "kldivergence"},
    {"logcosherror", "logcosh"},
    {"cosineproximity", "cosinesimilarity"},
    {"acc", "accuracy"},
    {"rmse", "rootmeansquarederror"},
};
std::string resolved(std::string_view name) {
  std::string canonical = canonicalName(name);
  auto alias = std::ranges::find(kAliases, std::string_view(canonical), &Alias::name);
  return alias == std::end(kAliases) ? canonical : std::string(alias->means);
}

const Row* findLoss(std::string_view name) {
  std::string wanted = resolved(name);
  auto row = std::ranges::find(kLosses, std::string_view(wanted), &Row::name);
  return row == std::end(kLosses) ? nullptr : row;
}

}  // namespace

bool takesClassNumbers(const Json& loss) {
  std::optional<Choice> choice = choiceOf(loss);
  std::string name = choice ? resolved(choice->name) : "";
  return name == "sparsecategoricalcrossentropy" || name == "categoricalgeneralizedcrossentropy";
}

Value lossPerSample(const Json& loss, Value labels, Value predictions) {
  if (!labels || !predictions) return {};
  std::optional<Choice> choice = choiceOf(loss);
  const Row* row = choice ? findLoss(choice->name) : nullptr;
  if (!row) {
    std::string known;
    for (const Row& r : kLosses) known += cat(known.empty() ? "" : ", ", r.name);
    predictions.graph->fail(cat("unknown loss ", loss.dump(), "; known are ", known));
    return {};
  }
  const Json& c = choice->config;
  const Json& axis = member(c, "axis");
  if (!(axis.is_null() || axis == -1) || !member(c, "ignore_class").is_null()) {
    predictions.graph->fail("an axis other than -1 and ignore_class are not supported");
    return {};
  }
  return row->perSample(cast(labels, DType::kF32), predictions, c);
}

Value reducedLoss(const Json& loss, Value perSample, Value weights) {
  if (!perSample) return {};
  std::optional<Choice> choice = choiceOf(loss);
  std::string how = choice ? stringOr(choice->config, "reduction", "mean") : "mean";
  if (how == "mean_with_sample_weight" && !weights) how = "mean";
  Value total = weights;
  if (weights) {
    // [batch] against [batch, ..]: the weight of a sample holds for all of it.
    Shape s = Shape::filled(std::max(1, perSample.shape().rank()), 1);
    s[0] = weights.shape()[0];
    perSample = perSample * reshape(weights, {.shape = s});
  }
  if (how == "mean" || how == "sum_over_batch_size") return mean(perSample);
  if (how == "sum") return sum(perSample);
  if (how == "mean_with_sample_weight") return sum(perSample) / sum(total);
  perSample.graph->fail(cat("unknown reduction ", how,
                            "; known are sum_over_batch_size, mean, mean_with_sample_weight, sum"));
  return {};
}

// ---- metrics

namespace {

MetricParts meanOf(Value v) {
  v = cast(v, DType::kF32);
  return {sum(v), constant(*v.graph, static_cast<double>(v.shape().size()))};
}

Value countOf(Value v) { return sum(cast(v, DType::kF32)); }

Value classOf(Value x) { return argMax(x, {.axis = -1}); }

MetricParts categoricalAccuracy(Value y, Value p) { return meanOf(equal(classOf(y), classOf(p))); }
MetricParts sparseCategoricalAccuracy(Value y, Value p) {
  return meanOf(equal(classNumbers(y, p), classOf(p)));
}
MetricParts binaryAccuracy(Value y, Value p, double threshold) {
  return meanOf(equal(cast(y, DType::kF32), cast(p > threshold, DType::kF32)));
}

/// Whether fewer than k classes have a higher score than the true one.
MetricParts topK(Value yIndex, Value p, int k) {
  Value truth = sum(oneHot(yIndex, {.depth = p.shape()[-1]}) * p, {.axes = {-1}, .keepDims = true});
  return meanOf(sum(cast(p > truth, DType::kF32), {.axes = {-1}}) < static_cast<double>(k));
}

/// The weighted harmonic mean of precision and recall over all classes together:
/// (1 + b^2) TP / (predicted + b^2 true).
MetricParts fBeta(Value labels, Value p, const Json& c) {
  if (stringOr(c, "average", "") != "micro") {
    p.graph->fail("average is to be \"micro\": a metric is one number");
    return {};
  }
  // Without a threshold the class with the highest score is the prediction.
  Value hits = member(c, "threshold").is_number() ? p > numberOr(c, "threshold", 0.5)
                                                  : p >= max(p, {.axes = {-1}, .keepDims = true});
  double beta = numberOr(c, "beta", 1), b2 = beta * beta;
  return {countOf(hits & labels) * (1 + b2), countOf(hits) + countOf(labels) * b2};
}

MetricParts accuracy(const Json& loss, Value y, Value p) {
  std::optional<Choice> choice = choiceOf(loss);
  std::string name = choice ? resolved(choice->name) : "";
  if (p.shape()[-1] == 1 || name == "binarycrossentropy") return binaryAccuracy(y, p, 0.5);
  bool oneHotLabels = y.shape() == p.shape() && !takesClassNumbers(loss);
  return oneHotLabels ? categoricalAccuracy(y, p) : sparseCategoricalAccuracy(y, p);
}

}  // namespace

MetricParts metricParts(const Json& metric, const Json& loss, Value y, Value p) {
  if (!y || !p) return {};
  std::optional<Choice> choice = choiceOf(metric);
  std::string name = choice ? resolved(choice->name) : "";
  const Json& c = choice ? choice->config : metric;
  for (const char* option : {"top_k", "class_id"}) {
    if (member(c, option).is_null()) continue;
    p.graph->fail(cat(option, " is not supported"));
    return {};
  }
  if (member(c, "thresholds").is_array()) {
    p.graph->fail("thresholds is one number");
    return {};
  }
  double threshold = numberOr(c, "threshold", numberOr(c, "thresholds", 0.5));
  Value hits = p > threshold, labels = cast(y, DType::kBool);
  if (name == "accuracy") return accuracy(loss, y, p);
  if (name == "categoricalaccuracy") return categoricalAccuracy(y, p);
  if (name == "sparsecategoricalaccuracy") return sparseCategoricalAccuracy(y, p);
  if (name == "binaryaccuracy") return binaryAccuracy(y, p, threshold);
  if (name == "topkcategoricalaccuracy") return topK(classOf(y), p, intOr(c, "k", 5));
  if (name == "sparsetopkcategoricalaccuracy") return topK(classNumbers(y, p), p, intOr(c, "k", 5));
  if (name == "precision") return {countOf(hits & labels), countOf(hits)};
  if (name == "recall") return {countOf(hits & labels), countOf(labels)};
  if (name == "f1score" || name == "fbetascore") return fBeta(labels, p, c);
  for (bool positive : {true, false}) {
    for (bool right : {true, false}) {
      if (name != cat(right ? "true" : "false", positive ? "positives" : "negatives")) continue;
      // What is predicted, and whether the label says so too.
      Value predicted = positive ? hits : logicalNot(hits);
      Value agrees = positive == right ? labels : logicalNot(labels);
      return {countOf(predicted & agrees), constant(*p.graph, 1), MetricParts::kCount};
    }
  }
  if (name == "rootmeansquarederror") {
    MetricParts parts = meanOf(square(p - cast(y, DType::kF32)));
    parts.kind = MetricParts::kRoot;
    return parts;
  }
  if (!findLoss(name)) {
    p.graph->fail(cat("unknown metric ", metric.dump()));
    return {};
  }
  // The metric of a cosine is the similarity, the loss its negative.
  Value perSample = lossPerSample(metric, y, p);
  return perSample ? meanOf(name == "cosinesimilarity" ? -perSample : perSample) : MetricParts{};
}

double MetricParts::value(Kind kind, double numerator, double denominator) {
  if (kind == kCount) return numerator;
  double ratio = denominator == 0 ? 0 : numerator / denominator;
  return kind == kRoot ? std::sqrt(ratio) : ratio;
}

std::string metricName(const Json& metric) {
  std::optional<Choice> choice = choiceOf(metric);
  if (!choice) return "metric";
  std::string name = stringOr(choice->config, "name", choice->name);
  return name;
}

}  // namespace fjord
