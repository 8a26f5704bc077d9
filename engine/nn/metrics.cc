#include "nn/metrics.h"

#include <algorithm>
#include <cmath>

#include "ir/graph.h"
#include "nn/losses.h"
#include "nn/traced.h"

namespace fjord {

using namespace arguments;

namespace {

double ratioOf(std::span<const double> sums) { return sums[1] == 0 ? 0 : sums[0] / sums[1]; }

}  // namespace

MetricSums ratio(Value numerator, Value denominator) { return {{numerator, denominator}, ratioOf}; }

Value ofClass(Value x, int32_t id) {
  if (id < x.shape()[-1]) {
    Shape begin = Shape::filled(x.shape().rank(), 0), size = x.shape();
    begin[-1] = id;
    size[-1] = 1;
    return slice(x, {.begin = begin, .size = size});
  }
  x.graph->fail(cat("class_id must be below the number of classes, ", x.shape()[-1], ", got ", id));
  return x;
}

namespace {

MetricSums meanOf(Value v) {
  v = cast(v, DType::kF32);
  return ratio(sum(v), constant(*v.graph, static_cast<double>(v.shape().size())));
}

Value countOf(Value v) { return sum(cast(v, DType::kF32)); }

Value classOf(Value x) { return argMax(x, {.axis = -1}); }

// "dtype" of Keras is of the running sums, which are double here.
constexpr Argument kEveryMetric[] = {text("name"), json("dtype"), json("fn")};
constexpr Argument kThreshold[] = {number("threshold", kFinite, 0.5)};
constexpr Argument kThresholds[] = {oneOrMore("thresholds|threshold", kShare, 0.5)};
constexpr Argument kTopThresholds[] = {whole("top_k", kCount), whole("class_id", kIndex),
                                       also(kThresholds)};
constexpr Argument kTop[] = {whole("k", kCount, 5)};
constexpr Argument kLastAxis[] = {only("axis", "-1")};
constexpr Argument kR2[] = {
    choice("class_aggregation", "uniform_average|variance_weighted_average|null"),
    whole("num_regressors", kIndex, 0)};

// ---- accuracies

MetricSums categoricalAccuracy(Value y, Value p, const Fields&, const Json&) {
  return meanOf(equal(classOf(y), classOf(p)));
}
MetricSums sparseCategoricalAccuracy(Value y, Value p, const Fields&, const Json&) {
  return meanOf(equal(classNumbers(y, p), classOf(p)));
}
MetricSums isAbove(Value y, Value p, double threshold) {
  return meanOf(equal(cast(y, DType::kF32), cast(p > threshold, DType::kF32)));
}

/// Whether fewer than k classes have a higher score than the true one.
MetricSums topK(Value yIndex, Value p, int k) {
  Value truth = sum(oneHot(yIndex, {.depth = p.shape()[-1]}) * p, {.axes = {-1}, .keepDims = true});
  return meanOf(sum(cast(p > truth, DType::kF32), {.axes = {-1}}) < static_cast<double>(k));
}

MetricSums accuracy(Value y, Value p, const Fields& f, const Json& loss) {
  auto c = lossOf(loss);
  if (p.shape()[-1] == 1 || (c && isCalled(*c->row, "binary_crossentropy")))
    return isAbove(y, p, 0.5);
  bool oneHotLabels = y.shape() == p.shape() && !takesClassNumbers(loss);
  return oneHotLabels ? categoricalAccuracy(y, p, f, loss)
                      : sparseCategoricalAccuracy(y, p, f, loss);
}

// ---- counts of what is predicted

/// The one threshold: a metric is one number, and Keras's of several thresholds is a list.
double thresholdOf(Value p, const Fields& f) {
  std::vector<double> all = f.numbers("thresholds");
  if (all.size() != 1)
    p.graph->fail(cat("a metric is one number: thresholds must be one, got ", all.size()));
  return all[0];
}

/// Whether a score is among the k highest of its sample; of equal ones those come first that stand first.
Value areAmongTop(Value p, int k) {
  int32_t classes = p.shape()[-1];
  Shape rows = p.shape(), columns = p.shape();
  rows.push(1);
  columns[-1] = 1;
  columns.push(classes);
  Value own = reshape(p, {.shape = rows}), other = reshape(p, {.shape = columns});
  Value place = range(*p.graph, classes);
  Value isBefore = reshape(place, {.shape = {classes, 1}}) > place;
  Value isBetter = (other > own) | (equal(other, own) & isBefore);
  return sum(cast(isBetter, DType::kF32), {.axes = {-1}}) < static_cast<double>(k);
}

/// What is to be counted: predicted ones, and those that the labels say.
struct Counted {
  Value hits, labels;
};
Counted counted(Value y, Value p, const Fields& f) {
  bool hasTop = f.knows("top_k") && f.has("top_k");
  // Among the best any score will do, if nothing is said of it.
  Value hits = hasTop && !f.has("thresholds") ? p > -1e10 : p > thresholdOf(p, f);
  if (hasTop) hits = hits & areAmongTop(p, f.whole("top_k"));
  if (f.knows("class_id") && f.has("class_id")) {
    hits = ofClass(hits, f.whole("class_id"));
    y = ofClass(y, f.whole("class_id"));
  }
  return {hits, cast(y, DType::kBool)};
}

MetricSums precision(Value y, Value p, const Fields& f, const Json&) {
  auto [hits, labels] = counted(y, p, f);
  return ratio(countOf(hits & labels), countOf(hits));
}
MetricSums recall(Value y, Value p, const Fields& f, const Json&) {
  auto [hits, labels] = counted(y, p, f);
  return ratio(countOf(hits & labels), countOf(labels));
}

/// What is predicted, and whether the label says so too.
template <bool positive, bool right>
MetricSums countedOnes(Value y, Value p, const Fields& f, const Json&) {
  auto [hits, labels] = counted(y, p, f);
  Value predicted = positive ? hits : logicalNot(hits);
  Value agrees = positive == right ? labels : logicalNot(labels);
  return {{countOf(predicted & agrees)}, [](auto sums) { return sums[0]; }};
}

// ---- of numbers

MetricSums rootMeanSquaredError(Value y, Value p, const Fields&, const Json&) {
  MetricSums m = meanOf(square(p - cast(y, DType::kF32)));
  m.value = [](auto sums) { return std::sqrt(ratioOf(sums)); };
  return m;
}

/// The share of the labels' variance that predictions explain, of each output, and their mean. Sums: of y,
/// y^2 and (y - p)^2 by output, and how many labels there are.
MetricSums r2Score(Value y, Value p, const Fields& f, const Json&) {
  if (p.shape().rank() != 2 || y.shape() != p.shape() ||
      !f.choice("class_aggregation").ends_with("average")) {
    p.graph->fail(f.choice("class_aggregation") == "null"
                      ? cat("a metric is one number: class_aggregation must not be null")
                      : cat("predictions must be [samples,outputs], got ", p.type()));
    return {};
  }
  y = cast(y, DType::kF32);
  auto total = [](Value v) { return sum(v, {.axes = {0}}); };
  int outputs = p.shape()[1];
  bool byVariance = f.choice("class_aggregation") == "variance_weighted_average";
  double regressors = f.number("num_regressors");
  auto value = [=](std::span<const double> s) {
    double labels = s[3 * outputs], samples = labels / outputs, score = 0, weights = 0;
    for (int i = 0; i < outputs; ++i) {
      double variance = s[outputs + i] - s[i] * s[i] / samples;
      double one = 1 - s[2 * outputs + i] / variance, weight = byVariance ? variance : 1;
      // As in Keras: of labels without a variance the score is 0.
      if (!std::isinf(one)) score += one * weight;
      weights += weight;
    }
    score /= weights;
    // Keras adjusts by the number of labels, not of samples.
    double freedom = labels - regressors - 1;
    return regressors > 0 && freedom > 0 ? 1 - (1 - score) * (labels - 1) / freedom : score;
  };
  return {{total(y), total(square(y)), total(square(y - p)),
           constant(*p.graph, static_cast<double>(p.shape().size()))},
          value};
}

Value lastMean(Value x) { return mean(x, {.axes = {-1}, .keepDims = true}); }

MetricSums pearson(Value y, Value p, const Fields&, const Json&) {
  y = cast(y, DType::kF32);
  Value dy = y - lastMean(y), dp = p - lastMean(p);
  return meanOf(lastMean(dy * dp) / sqrt(lastMean(square(dy)) * lastMean(square(dp))));
}

/// Lin 1989; as Keras computes it, with labels taken from the mean of predictions.
MetricSums concordance(Value y, Value p, const Fields&, const Json&) {
  y = cast(y, DType::kF32);
  Value my = lastMean(y), mp = lastMean(p);
  Value all = lastMean(square(y - my)) + lastMean(square(p - mp)) + square(my - mp);
  return meanOf(lastMean((y - mp) * (p - mp)) * 2.0 / (all + 1e-7));
}

constexpr MetricRow kMetrics[] = {
    {{"accuracy|acc", {}}, accuracy, MetricRow::kAny},
    {{"categorical_accuracy", {}}, categoricalAccuracy},
    {{"sparse_categorical_accuracy", {}}, sparseCategoricalAccuracy, MetricRow::kAny},
    {{"binary_accuracy", kThreshold},
     [](Value y, Value p, const Fields& f, const Json&) {
       return isAbove(y, p, f.number("threshold"));
     },
     MetricRow::kAny},
    {{"top_k_categorical_accuracy", kTop},
     [](Value y, Value p, const Fields& f, const Json&) {
       return topK(classOf(y), p, f.whole("k"));
     }},
    {{"sparse_top_k_categorical_accuracy", kTop},
     [](Value y, Value p, const Fields& f, const Json&) {
       return topK(classNumbers(y, p), p, f.whole("k"));
     },
     MetricRow::kAny},
    {{"precision", kTopThresholds}, precision},
    {{"recall", kTopThresholds}, recall},
    {{"true_positives", kThresholds},
     countedOnes<true, true>,
     MetricRow::kScores,
     Better::kUnknown},
    {{"false_positives", kThresholds},
     countedOnes<true, false>,
     MetricRow::kScores,
     Better::kUnknown},
    {{"true_negatives", kThresholds},
     countedOnes<false, true>,
     MetricRow::kScores,
     Better::kUnknown},
    {{"false_negatives", kThresholds},
     countedOnes<false, false>,
     MetricRow::kScores,
     Better::kUnknown},
    {{"root_mean_squared_error|rmse", {}},
     rootMeanSquaredError,
     MetricRow::kScores,
     Better::kSmaller},
    {{"r2_score", kR2}, r2Score},
    {{"pearson_correlation", kLastAxis}, pearson},
    {{"concordance_correlation", kLastAxis}, concordance},
};

/// All rows: those here, and those of metrics_classes.cc.
std::span<const MetricRow> rows() {
  static const std::vector<MetricRow> all = [] {
    std::vector<MetricRow> joined(std::begin(kMetrics), std::end(kMetrics));
    joined.insert(joined.end(), classMetrics().begin(), classMetrics().end());
    return joined;
  }();
  return all;
}

template <class Row>
const Row* rowNamed(std::span<const Row> rows, const std::string& name) {
  auto row = std::ranges::find_if(rows, [&](const Row& r) { return isCalled(r, name); });
  return row == rows.end() ? nullptr : &*row;
}

/// What a metric's own name refuses, losses among the names that there are.
std::unexpected<Error> unknownMetric(const std::string& name) {
  std::vector<std::string_view> known;
  for (const MetricRow& row : rows()) known.push_back(firstName(row));
  for (const LossRow& row : lossRows()) known.push_back(firstName(row));
  return unknown("metric", name, std::move(known));
}

/// The mean of what a function gives, which counts as often as there are samples.
MetricSums tracedMetric(const Json& metric, Value y, Value p) {
  double samples = p.shape()[0];
  Value value = cast(traced(metric, {{y, p}}), DType::kF32);
  return ratio(mean(value) * samples, constant(*p.graph, samples));
}

/// The loss of a cosine is the negative of the similarity. So is the metric, under the names that Keras 2 and
/// TensorFlow.js have for it.
bool isSimilarity(const LossRow& row, std::string_view name) {
  return isCalled(row, "cosine_similarity") && canonicalName(name) == "cosinesimilarity";
}

/// The mean of a loss over what counts of it.
MetricSums lossMetric(const LossRow& row, std::string_view name, const Fields& fields, Value y,
                      Value p) {
  SampleLosses losses = sampleLosses(row, fields, y, p);
  if (!losses.values) return {};
  if (isSimilarity(row, name)) losses.values = -losses.values;
  if (losses.counted)
    return ratio(sum(where(losses.counted, losses.values, 0.0)), countOf(losses.counted));
  double samples = p.shape()[0];
  // One number for a batch counts as often as it has samples.
  if (losses.values.shape().rank() == 0)
    return ratio(losses.values * samples, constant(*p.graph, samples));
  return meanOf(losses.values);
}

Result<MetricSums> sumsOf(const Json& metric, const Json& loss, Value y, Value p) {
  if (tracedNumber(metric)) return tracedMetric(metric, y, p);
  FJORD_TRY(std::string name, nameIn(metric));
  if (const LossRow* row = rowNamed(lossRows(), name)) {
    FJORD_TRY(Fields fields, fieldsOf(*row, kEveryMetric, metric));
    return lossMetric(*row, name, fields, y, p);
  }
  const MetricRow* row = rowNamed(rows(), name);
  if (!row) return unknownMetric(name);
  FJORD_TRY(Fields fields, fieldsOf(*row, kEveryMetric, metric));
  if (row->labels == MetricRow::kScores && y.shape() != p.shape())
    return fail("the metric ", name, " takes labels of the shape of predictions, ", p.shape(),
                ", got ", y.shape());
  return row->sums(y, p, fields, loss);
}

Status checkMetric(const Json& metric) {
  Result<std::string> name = nameIn(metric);
  if (!name) return fail("the metric ", name.error().message);
  const MetricRow* row = rowNamed(rows(), *name);
  if (!row) return unknownMetric(*name);
  FJORD_CHECK(fieldsOf(*row, kEveryMetric, metric));
  return {};
}

}  // namespace

Table metricTable() {
  return {"metric", {rows().begin(), rows().end()}, kEveryMetric, checkMetric};
}

MetricSums metricSums(const Json& metric, const Json& loss, Value y, Value p) {
  if (!y || !p) return {};
  // Class numbers stand beside the scores of a sample, not along them. Those of a sequence are as many as it has.
  bool isSequence = labelKind(metric, p.shape()).isSequence;
  if (!isSequence && y.shape().rank() == p.shape().rank() - 1) {
    Shape column = y.shape();
    column.push(1);
    y = reshape(y, {.shape = column});
  }
  Result<MetricSums> sums = sumsOf(metric, loss, y, p);
  if (sums) return *sums;
  p.graph->fail(sums.error().message);
  return {};
}

Better betterOf(const Json& metric) {
  Result<std::string> name = nameIn(metric);
  // Of a function nothing is known but how it is called; TensorFlow.js goes by that.
  if (!name || tracedNumber(metric))
    return metricName(metric).contains("acc") ? Better::kLarger : Better::kSmaller;
  if (const LossRow* row = rowNamed(lossRows(), *name)) {
    return isSimilarity(*row, *name) ? Better::kLarger : Better::kSmaller;
  }
  const MetricRow* row = rowNamed(rows(), *name);
  return row ? row->better : Better::kUnknown;
}

std::string metricName(const Json& metric) {
  std::optional<Choice> choice = choiceOf(metric);
  if (!choice) return "metric";
  return stringOr(choice->config, "name", choice->name);
}

}  // namespace fjord
