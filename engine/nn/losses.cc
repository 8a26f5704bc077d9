#include "nn/losses.h"

#include <algorithm>
#include <cmath>

#include "ir/graph.h"
#include "nn/traced.h"
#include "ops/op.h"

namespace fjord {

using namespace arguments;

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

Value smoothed(Value labels, const Fields& f, double classes) {
  double s = f.number("label_smoothing");
  return s == 0 ? labels : labels * (1 - s) + s / classes;
}

Value crossentropy(Value y, Value p, const Fields& f) {
  Value logits = f.flag("from_logits") ? p : logitsBehind(p, OpId::softmax);
  if (logits) return softmaxCrossEntropy(logits, y);
  Value normalized = p / sum(p, {.axes = {-1}, .keepDims = true});
  return -lastSum(y * log(clipped(normalized)));
}
Value categoricalCrossentropy(Value y, Value p, const Fields& f) {
  return crossentropy(smoothed(y, f, p.shape()[-1]), p, f);
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

Value sparseCategoricalCrossentropy(Value y, Value p, const Fields& f) {
  y = oneHot(classNumbers(y, p), {.depth = p.shape()[-1]});
  if (f.flag("from_logits") || logitsBehind(p, OpId::softmax)) return crossentropy(y, p, f);
  // Unlike with one-hot labels, Keras clips first and normalizes then.
  Value q = clipped(p);
  return log(lastSum(q)) - lastSum(y * log(q));
}

Value binaryCrossentropy(Value y, Value p, const Fields& f) {
  y = smoothed(y, f, 2);
  Value logits = f.flag("from_logits") ? p : logitsBehind(p, OpId::sigmoid);
  if (logits) return last(sigmoidCrossEntropy(logits, y));
  Value q = clipped(p);
  return -last(y * log(q) + (1.0 - y) * log(1.0 - q));
}

/// Lin et al. 2017: what is classified well already counts less. `p` are probabilities.
Value binaryFocal(Value y, Value p, const Fields& f) {
  y = smoothed(y, f, 2);
  if (f.flag("from_logits")) p = sigmoid(p);
  Value q = clipped(p), missed = 1.0 - (y * p + (1.0 - y) * (1.0 - p));
  Value e = -(y * log(q) + (1.0 - y) * log(1.0 - q)) * pow(missed, like(p, f.number("gamma")));
  double alpha = f.number("alpha");
  if (f.flag("apply_class_balancing")) e = e * (y * alpha + (1.0 - y) * (1 - alpha));
  return last(e);
}
Value categoricalFocal(Value y, Value p, const Fields& f) {
  y = smoothed(y, f, p.shape()[-1]);
  if (f.flag("from_logits")) p = softmax(p);
  Value q = clipped(p / sum(p, {.axes = {-1}, .keepDims = true}));
  Value factor = pow(1.0 - q, like(q, f.number("gamma"))) * f.number("alpha");
  return -lastSum(factor * y * log(q));
}

/// Zhang and Sabuncu 2018: between the absolute error (q = 1) and the cross-entropy (q to 0).
Value categoricalGeneralized(Value y, Value p, const Fields& f) {
  double q = f.number("q");
  Value truth = lastSum(oneHot(classNumbers(y, p), {.depth = p.shape()[-1]}) * p);
  return (1.0 - pow(truth, like(truth, q))) / q;
}

/// Hinge losses want labels -1 and 1. Where all of a batch are 0 or 1 these are taken as those, as in Keras.
Value signedLabels(Value y) {
  Value isBinary = all(logicalOr(equal(y, like(y, 0)), equal(y, like(y, 1))));
  return where(isBinary, 2.0 * y - 1.0, y);
}

Value unit(Value x) {
  Value s = sum(square(x), {.axes = {-1}, .keepDims = true});
  return x * rsqrt(maximum(s, like(s, 1e-12)));
}

struct LossRow : Named {
  Value (*perSample)(Value labels, Value predictions, const Fields& fields);
};

// "auto" is Keras 2's word for its default.
constexpr Argument kEveryLoss[] = {
    text("name"), choice("reduction", "sum_over_batch_size|auto|mean|sum|mean_with_sample_weight"),
    only("dtype", "\"float32\""), only("fn", "")};
constexpr Argument kLastAxis[] = {only("axis", "-1")};
constexpr Argument kLogits[] = {flag("from_logits", false)};
constexpr Argument kSmoothed[] = {number("label_smoothing", kShare, 0), also(kLogits),
                                  also(kLastAxis)};
constexpr Argument kSparse[] = {only("ignore_class", ""), also(kLogits), also(kLastAxis)};
constexpr Argument kFocal[] = {number("alpha", kShare, 0.25), number("gamma", kNotNegative, 2),
                               also(kSmoothed)};
constexpr Argument kBinaryFocal[] = {flag("apply_class_balancing", false), also(kFocal)};
constexpr Argument kHuber[] = {number("delta", kPositive, 1)};
constexpr Range kFraction{0, 1, true};
constexpr Argument kGeneralized[] = {number("q", kFraction, 0.5)};

constexpr LossRow kLosses[] = {
    {{"mean_squared_error|mse", {}},
     [](Value y, Value p, const Fields&) { return last(square(p - y)); }},
    {{"mean_absolute_error|mae", {}},
     [](Value y, Value p, const Fields&) { return last(abs(p - y)); }},
    {{"mean_absolute_percentage_error|mape", {}},
     [](Value y, Value p, const Fields&) {
       return last(abs((y - p) / maximum(abs(y), like(y, kEpsilon)))) * 100.0;
     }},
    {{"mean_squared_logarithmic_error|msle", {}},
     [](Value y, Value p, const Fields&) {
       return last(square(log(maximum(p, like(p, kEpsilon)) + 1.0) -
                          log(maximum(y, like(y, kEpsilon)) + 1.0)));
     }},
    {{"hinge", {}},
     [](Value y, Value p, const Fields&) { return last(relu(1.0 - signedLabels(y) * p)); }},
    {{"squared_hinge", {}},
     [](Value y, Value p, const Fields&) { return last(square(relu(1.0 - signedLabels(y) * p))); }},
    {{"categorical_hinge", {}},
     [](Value y, Value p, const Fields&) {
       return relu(max((1.0 - y) * p, {.axes = {-1}}) - lastSum(y * p) + 1.0);
     }},
    // log(cosh(x)) without overflow.
    {{"log_cosh|log_cosh_error", {}},
     [](Value y, Value p, const Fields&) {
       return last(p - y + softplus((p - y) * -2.0) - 0.6931471805599453);
     }},
    {{"huber|huber_loss", kHuber},
     [](Value y, Value p, const Fields& f) {
       double d = f.number("delta");
       Value e = abs(p - y);
       return last(where(e <= d, square(e) * 0.5, e * d - 0.5 * d * d));
     }},
    {{"categorical_crossentropy", kSmoothed}, categoricalCrossentropy},
    {{"sparse_categorical_crossentropy", kSparse}, sparseCategoricalCrossentropy},
    {{"binary_crossentropy|bce", kSmoothed}, binaryCrossentropy},
    {{"binary_focal_crossentropy", kBinaryFocal}, binaryFocal},
    {{"categorical_focal_crossentropy", kFocal}, categoricalFocal},
    {{"categorical_generalized_cross_entropy", kGeneralized}, categoricalGeneralized},
    {{"kl_divergence|kld|kullback_leibler_divergence", {}},
     [](Value y, Value p, const Fields&) {
       Value a = clip(y, like(y, kEpsilon), like(y, 1)), b = clip(p, like(p, kEpsilon), like(p, 1));
       return lastSum(a * log(a / b));
     }},
    {{"poisson", {}},
     [](Value y, Value p, const Fields&) { return last(p - y * log(p + kEpsilon)); }},
    {{"cosine_similarity|cosine_proximity", kLastAxis},
     [](Value y, Value p, const Fields&) { return -lastSum(unit(y) * unit(p)); }},
};

Result<Chosen<LossRow>> lossOf(const Json& loss) {
  return chosen("loss", kLosses, loss, kEveryLoss);
}

}  // namespace

Status checkLoss(const Json& loss) {
  if (tracedNumber(loss)) return {};
  auto c = lossOf(loss);
  return c ? Status() : std::unexpected(c.error());
}

Table lossTable() {
  return {"loss", {std::begin(kLosses), std::end(kLosses)}, kEveryLoss, checkLoss};
}

bool takesClassNumbers(const Json& loss) {
  auto c = lossOf(loss);
  return c && (c->row->arguments.data() == kSparse || c->row->arguments.data() == kGeneralized);
}

namespace {

/// Of each sample, or of all together: what the function gives that has another first axis is averaged.
Value tracedLoss(const Json& loss, Value labels, Value predictions) {
  Value y = cast(traced(loss, {{labels, predictions}}), DType::kF32);
  if (!y || y.shape().rank() == 0 || y.shape()[0] == predictions.shape()[0]) return y;
  return mean(y);
}

}  // namespace

Value lossPerSample(const Json& loss, Value labels, Value predictions) {
  if (!labels || !predictions) return {};
  if (tracedNumber(loss)) return tracedLoss(loss, labels, predictions);
  auto c = lossOf(loss);
  if (c) return c->row->perSample(cast(labels, DType::kF32), predictions, c->fields);
  predictions.graph->fail(c.error().message);
  return {};
}

Value reducedLoss(const Json& loss, Value perSample, Value weights) {
  if (!perSample) return {};
  auto c = lossOf(loss);
  std::string_view how = c ? c->fields.choice("reduction") : "mean";
  if (how == "auto" || (how == "mean_with_sample_weight" && !weights)) how = "mean";
  Value total = weights;
  if (weights) {
    // [batch] against [batch, ..]: the weight of a sample holds for all of it.
    Shape s = Shape::filled(std::max(1, perSample.shape().rank()), 1);
    s[0] = weights.shape()[0];
    perSample = perSample * reshape(weights, {.shape = s});
  }
  if (how == "sum") return sum(perSample);
  if (how == "mean_with_sample_weight") return sum(perSample) / sum(total);
  return mean(perSample);
}

// ---- metrics

namespace {

MetricParts meanOf(Value v) {
  v = cast(v, DType::kF32);
  return {sum(v), constant(*v.graph, static_cast<double>(v.shape().size()))};
}

Value countOf(Value v) { return sum(cast(v, DType::kF32)); }

Value classOf(Value x) { return argMax(x, {.axis = -1}); }

struct MetricRow : Named {
  /// `labels` as they are, `loss` the one of the same output.
  MetricParts (*parts)(Value labels, Value predictions, const Fields& fields, const Json& loss);
};

// "dtype" of Keras is of the running sums, which are double here.
constexpr Argument kEveryMetric[] = {text("name"), json("dtype"), json("fn")};
constexpr Range kProbability{0, 1};
constexpr Argument kThreshold[] = {number("threshold", kFinite, 0.5)};
constexpr Argument kThresholds[] = {number("thresholds|threshold", kProbability, 0.5)};
constexpr Argument kTopThresholds[] = {only("top_k", ""), only("class_id", ""), also(kThresholds)};
constexpr Argument kTop[] = {whole("k", kCount, 5)};
// Without "micro" a score of each class would come out.
constexpr Argument kScore[] = {only("average", "\"micro\""), number("threshold", kProbability)};
constexpr Argument kBetaScore[] = {number("beta", kPositive, 1), also(kScore)};

MetricParts categoricalAccuracy(Value y, Value p, const Fields&, const Json&) {
  return meanOf(equal(classOf(y), classOf(p)));
}
MetricParts sparseCategoricalAccuracy(Value y, Value p, const Fields&, const Json&) {
  return meanOf(equal(classNumbers(y, p), classOf(p)));
}
MetricParts isAbove(Value y, Value p, double threshold) {
  return meanOf(equal(cast(y, DType::kF32), cast(p > threshold, DType::kF32)));
}

/// Whether fewer than k classes have a higher score than the true one.
MetricParts topK(Value yIndex, Value p, int k) {
  Value truth = sum(oneHot(yIndex, {.depth = p.shape()[-1]}) * p, {.axes = {-1}, .keepDims = true});
  return meanOf(sum(cast(p > truth, DType::kF32), {.axes = {-1}}) < static_cast<double>(k));
}

/// The weighted harmonic mean of precision and recall over all classes together:
/// (1 + b^2) TP / (predicted + b^2 true).
MetricParts fBeta(Value y, Value p, const Fields& f, double beta) {
  if (!f.has("average")) {
    p.graph->fail("average must be \"micro\": a metric is one number");
    return {};
  }
  // Without a threshold the class with the highest score is the prediction.
  Value labels = cast(y, DType::kBool);
  Value hits = f.has("threshold") ? p > f.number("threshold")
                                  : p >= max(p, {.axes = {-1}, .keepDims = true});
  double b2 = beta * beta;
  return {countOf(hits & labels) * (1 + b2), countOf(hits) + countOf(labels) * b2};
}

MetricParts accuracy(Value y, Value p, const Fields& f, const Json& loss) {
  auto c = lossOf(loss);
  if (p.shape()[-1] == 1 || (c && c->row->perSample == binaryCrossentropy))
    return isAbove(y, p, 0.5);
  bool oneHotLabels = y.shape() == p.shape() && !takesClassNumbers(loss);
  return oneHotLabels ? categoricalAccuracy(y, p, f, loss)
                      : sparseCategoricalAccuracy(y, p, f, loss);
}

/// What is predicted, and whether the label says so too.
template <bool positive, bool right>
MetricParts counted(Value y, Value p, const Fields& f, const Json&) {
  Value hits = p > f.number("thresholds"), labels = cast(y, DType::kBool);
  Value predicted = positive ? hits : logicalNot(hits);
  Value agrees = positive == right ? labels : logicalNot(labels);
  return {countOf(predicted & agrees), constant(*p.graph, 1), MetricParts::kCount};
}

constexpr MetricRow kMetrics[] = {
    {{"accuracy|acc", {}}, accuracy},
    {{"categorical_accuracy", {}}, categoricalAccuracy},
    {{"sparse_categorical_accuracy", {}}, sparseCategoricalAccuracy},
    {{"binary_accuracy", kThreshold},
     [](Value y, Value p, const Fields& f, const Json&) {
       return isAbove(y, p, f.number("threshold"));
     }},
    {{"top_k_categorical_accuracy", kTop},
     [](Value y, Value p, const Fields& f, const Json&) {
       return topK(classOf(y), p, f.whole("k"));
     }},
    {{"sparse_top_k_categorical_accuracy", kTop},
     [](Value y, Value p, const Fields& f, const Json&) {
       return topK(classNumbers(y, p), p, f.whole("k"));
     }},
    {{"precision", kTopThresholds},
     [](Value y, Value p, const Fields& f, const Json&) {
       Value hits = p > f.number("thresholds");
       return MetricParts{countOf(hits & cast(y, DType::kBool)), countOf(hits)};
     }},
    {{"recall", kTopThresholds},
     [](Value y, Value p, const Fields& f, const Json&) {
       Value labels = cast(y, DType::kBool);
       return MetricParts{countOf((p > f.number("thresholds")) & labels), countOf(labels)};
     }},
    {{"f1_score", kScore},
     [](Value y, Value p, const Fields& f, const Json&) { return fBeta(y, p, f, 1); }},
    {{"fbeta_score", kBetaScore},
     [](Value y, Value p, const Fields& f, const Json&) {
       return fBeta(y, p, f, f.number("beta"));
     }},
    {{"true_positives", kThresholds}, counted<true, true>},
    {{"false_positives", kThresholds}, counted<true, false>},
    {{"true_negatives", kThresholds}, counted<false, true>},
    {{"false_negatives", kThresholds}, counted<false, false>},
    {{"root_mean_squared_error|rmse", {}},
     [](Value y, Value p, const Fields&, const Json&) {
       MetricParts parts = meanOf(square(p - cast(y, DType::kF32)));
       parts.kind = MetricParts::kRoot;
       return parts;
     }},
};

/// The loss that a metric names, or null.
const LossRow* lossNamed(const std::string& name) {
  auto row = std::ranges::find_if(kLosses, [&](const LossRow& r) { return isCalled(r, name); });
  return row == std::end(kLosses) ? nullptr : row;
}

/// What a metric's own name refuses, losses among the names that there are.
std::unexpected<Error> unknownMetric(const std::string& name) {
  std::vector<std::string_view> known;
  for (const MetricRow& row : kMetrics) known.push_back(firstName(row));
  for (const LossRow& row : kLosses) known.push_back(firstName(row));
  return unknown("metric", name, std::move(known));
}

/// The mean of what a function gives, which counts as often as there are samples.
MetricParts tracedMetric(const Json& metric, Value y, Value p) {
  double samples = p.shape()[0];
  Value value = cast(traced(metric, {{y, p}}), DType::kF32);
  return {mean(value) * samples, constant(*p.graph, samples)};
}

Result<MetricParts> partsOf(const Json& metric, const Json& loss, Value y, Value p) {
  if (tracedNumber(metric)) return tracedMetric(metric, y, p);
  FJORD_TRY(std::string name, nameIn(metric));
  if (const LossRow* row = lossNamed(name)) {
    FJORD_TRY(Fields fields, fieldsOf(*row, kEveryMetric, metric));
    Value perSample = row->perSample(cast(y, DType::kF32), p, fields);
    if (!perSample) return MetricParts{};
    // The metric of a cosine is the similarity, the loss its negative.
    return meanOf(isCalled(*row, "cosine_similarity") ? -perSample : perSample);
  }
  if (std::ranges::none_of(kMetrics, [&](const MetricRow& r) { return isCalled(r, name); }))
    return unknownMetric(name);
  FJORD_TRY(auto c, chosen("metric", kMetrics, metric, kEveryMetric));
  return c.row->parts(y, p, c.fields, loss);
}

}  // namespace

Table metricTable() {
  return {"metric", {std::begin(kMetrics), std::end(kMetrics)}, kEveryMetric, [](const Json& j) {
            auto c = chosen("metric", kMetrics, j, kEveryMetric);
            return c ? Status() : std::unexpected(c.error());
          }};
}

MetricParts metricParts(const Json& metric, const Json& loss, Value y, Value p) {
  if (!y || !p) return {};
  Result<MetricParts> parts = partsOf(metric, loss, y, p);
  if (parts) return *parts;
  p.graph->fail(parts.error().message);
  return {};
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
