// Metrics of how classes are told apart: areas under curves, scores of classes, intersections over unions.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/graph.h"
#include "nn/metrics.h"

namespace fjord {

using namespace arguments;

namespace {

constexpr double kEpsilon = 1e-7;  // Keras's

double over(double a, double b) { return b == 0 ? 0 : a / b; }

// ---- thresholds

/// What a threshold makes of scores: who is right and who is wrong.
struct Confusion {
  double tp = 0, fp = 0, fn = 0, tn = 0;

  double recall() const { return over(tp, tp + fn); }
  double precision() const { return over(tp, tp + fp); }
  double specificity() const { return over(tn, tn + fp); }
};

/// How many scores lie between thresholds: sums are [levels, labels, 2], a level being the number of
/// thresholds that a score is above, and the two those that are to be predicted and those that are not.
struct Histogram {
  int thresholds = 1, labels = 1;

  /// Calls f with the confusion at each threshold, from the highest one down.
  template <class F>
  void each(std::span<const double> sums, int label, F f) const {
    auto at = [&](int level, int kind) { return sums[(level * labels + label) * 2 + kind]; };
    Confusion c;
    for (int level = 0; level <= thresholds; ++level) {
      c.fn += at(level, 0);
      c.tn += at(level, 1);
    }
    for (int level = thresholds; level > 0; --level) {
      c.tp += at(level, 0);
      c.fn -= at(level, 0);
      c.fp += at(level, 1);
      c.tn -= at(level, 1);
      f(c);
    }
  }
};

/// The sums of a histogram; `level` is float32 of the shape of y.
Value levels(Value y, Value level, const Histogram& h) {
  auto count = static_cast<int32_t>(y.shape().size());
  Value isOne = reshape(cast(cast(y, DType::kBool), DType::kF32), {.shape = {count, 1}});
  Value pair[] = {isOne, 1.0 - isOne};
  // The number of its label beside each.
  if (h.labels > 1) level = level * static_cast<double>(h.labels) + range(*y.graph, h.labels);
  Value at = reshape(cast(level, DType::kI32), {.shape = {count}});
  return scatterAdd(at, concat(pair, {.axis = 1}), {.size = (h.thresholds + 1) * h.labels});
}

/// How many of the thresholds 0, 1 / (count - 1), .., 1 a score is above; of one alone it is 0.5.
Value levelOf(Value p, int count) {
  if (count == 1) return cast(p > 0.5, DType::kF32);
  return ceil(clip(p, like(p, 0), like(p, 1)) * static_cast<double>(count - 1));
}

/// The most of `dependent` where `bound` is at least some number.
template <double (Confusion::*bound)() const, double (Confusion::*dependent)() const>
MetricSums mostAt(Value y, Value p, const Fields& f, double least) {
  if (f.has("class_id")) {
    y = ofClass(y, f.whole("class_id"));
    p = ofClass(p, f.whole("class_id"));
  }
  Histogram h{.thresholds = f.whole("num_thresholds")};
  return {{levels(y, levelOf(p, h.thresholds), h)}, [=](std::span<const double> sums) {
            double most = 0;
            h.each(sums, 0, [&](const Confusion& c) {
              if ((c.*bound)() >= least) most = std::max(most, (c.*dependent)());
            });
            return most;
          }};
}

// ---- areas under curves

enum class Curve { kRoc, kPr, kPrGain };
enum class Method { kInterpolation, kMajoring, kMinoring };

struct Point {
  double x, y;
};
/// Flach and Kull 2015 for the gains.
Point pointOf(const Confusion& c, Curve curve) {
  if (curve == Curve::kRoc) return {over(c.fp, c.fp + c.tn), c.recall()};
  if (curve == Curve::kPr) return {c.recall(), c.precision()};
  double scale = over(c.tp + c.fn, c.tn + c.fp);
  if (c.tp == 0) return {0, 1};
  return {std::max(0.0, 1 - scale * over(c.fn, c.tp)), 1 - scale * over(c.fp, c.tp)};
}

/// Between two thresholds true positives are linear in all that is predicted (Davis and Goadrich 2006).
double interpolated(const Confusion& low, const Confusion& high) {
  double all = low.tp + low.fp, before = high.tp + high.fp, more = low.tp - high.tp;
  double slope = over(more, std::max(all - before, 0.0)), offset = high.tp - slope * before;
  double growth = all > 0 && before > 0 ? all / before : 1;
  return over(slope * (more + offset * std::log(growth)), high.tp + high.fn);
}

struct Area {
  Histogram histogram;
  Curve curve;
  Method method;

  double of(std::span<const double> sums, int label) const {
    double area = 0;
    Confusion last;
    bool isFirst = true;
    histogram.each(sums, label, [&](const Confusion& c) {
      if (!isFirst) area += between(c, last);
      last = c;
      isFirst = false;
    });
    return area;
  }
  double between(const Confusion& low, const Confusion& high) const {
    if (curve == Curve::kPr && method == Method::kInterpolation) return interpolated(low, high);
    Point a = pointOf(low, curve), b = pointOf(high, curve);
    double height = method == Method::kInterpolation ? (a.y + b.y) / 2
                    : method == Method::kMajoring    ? std::max(a.y, b.y)
                                                     : std::min(a.y, b.y);
    return (a.x - b.x) * height;
  }
};

/// Of several labels the mean of their areas, by weights.
struct AreaOfLabels {
  Area area;
  std::vector<double> weights;  // of labels; none: all alike

  double operator()(std::span<const double> sums) const {
    double total = 0, all = 0;
    for (int i = 0; i < area.histogram.labels; ++i) {
      double weight = weights.empty() ? 1 : weights[i];
      total += area.of(sums, i) * weight;
      all += weight;
    }
    return over(total, all);
  }
};

constexpr Range kFromTwo{2, kMostInt};
constexpr Argument kAuc[] = {whole("num_thresholds", kFromTwo, 200),
                             choice("curve", "roc|pr|prgain"),
                             choice("summation_method", "interpolation|majoring|minoring"),
                             numbers("thresholds", kShare),
                             flag("multi_label", false),
                             whole("num_labels", kCount),
                             numbers("label_weights", kNotNegative),
                             flag("from_logits", false)};

/// Which of its texts a choice is.
template <class Enum>
Enum choiceAs(const Fields& f, const char* name, std::span<const std::string_view> texts) {
  return static_cast<Enum>(std::ranges::find(texts, f.choice(name)) - texts.begin());
}

/// What labels do not fit an AUC.
Status checkLabels(const Fields& f, const Shape& predictions) {
  size_t weights = f.count("label_weights");
  bool byLabel = f.flag("multi_label");
  if (!byLabel && (weights || f.has("num_labels")))
    return fail("num_labels and label_weights go with multi_label");
  if (!byLabel) return {};
  if (predictions.rank() != 2)
    return fail("with multi_label predictions must be [samples,labels], got ", predictions);
  auto labels = static_cast<size_t>(predictions[1]);
  if (f.has("num_labels") && f.whole("num_labels") != predictions[1])
    return fail("num_labels must be that of the predictions, ", labels, ", got ",
                f.whole("num_labels"));
  if (weights && weights != labels)
    return fail("label_weights must be ", labels, " numbers, got ", weights);
  return {};
}

MetricSums auc(Value y, Value p, const Fields& f, const Json&) {
  if (Status status = checkLabels(f, p.shape()); !status) {
    p.graph->fail(status.error().message);
    return {};
  }
  if (f.flag("from_logits")) p = sigmoid(p);
  bool isEven = !f.has("thresholds");
  int inner = static_cast<int>(f.count("thresholds"));
  Histogram h{.thresholds = isEven ? f.whole("num_thresholds") : inner + 2,
              .labels = f.flag("multi_label") ? p.shape()[1] : 1};
  // The first threshold is below all scores, and the last above.
  Value level = isEven ? levelOf(p, h.thresholds) : like(p, 1);
  for (int i = 0; i < inner; ++i)
    level = level + cast(p > f.numberAt("thresholds", i), DType::kF32);
  level = maximum(level, like(level, 1));
  constexpr std::string_view kCurves[] = {"roc", "pr", "prgain"},
                             kMethods[] = {"interpolation", "majoring", "minoring"};
  Area area{h, choiceAs<Curve>(f, "curve", kCurves),
            choiceAs<Method>(f, "summation_method", kMethods)};
  return {{levels(y, level, h)}, AreaOfLabels{area, f.numbers("label_weights")}};
}

// ---- scores of classes

/// [.., classes] as [samples, classes].
Value byClass(Value x) {
  int32_t classes = x.shape()[-1];
  return reshape(cast(x, DType::kF32),
                 {.shape = {static_cast<int32_t>(x.shape().size() / classes), classes}});
}
Value sumOfEach(Value x) { return sum(x, {.axes = {0}}); }

constexpr Range kUpToOne{0, 1, true};
constexpr Argument kScore[] = {choice("average", "null|micro|macro|weighted"),
                               number("threshold", kUpToOne)};
constexpr Argument kBetaScore[] = {number("beta", kPositive, 1), also(kScore)};

/// The weighted harmonic mean of precision and recall, of each class or of all together. Sums: right ones,
/// predicted ones and those that labels say, by class.
MetricSums fBeta(Value y, Value p, const Fields& f, double beta) {
  std::string_view average = f.choice("average");
  if (average == "null") {
    p.graph->fail("a metric is one number: average must be micro, macro or weighted");
    return {};
  }
  // Without a threshold the class with the highest score is the prediction.
  Value best = max(p, {.axes = {-1}, .keepDims = true});
  Value hits = f.has("threshold") ? p > f.number("threshold") : (p >= best) & (abs(p) > 1e-9);
  Value predicted = byClass(hits), truth = byClass(y);
  Value sums[] = {sumOfEach(predicted * truth), sumOfEach(predicted), sumOfEach(truth)};
  if (average == "micro") {
    for (Value& v : sums) v = sum(v);
  }
  int classes = average == "micro" ? 1 : p.shape()[-1];
  bool byTruth = average == "weighted";
  double b2 = beta * beta;
  return {{std::begin(sums), std::end(sums)}, [=](std::span<const double> s) {
            double total = 0, weights = 0;
            for (int i = 0; i < classes; ++i) {
              double precision = s[i] / (s[classes + i] + kEpsilon);
              double recall = s[i] / (s[2 * classes + i] + kEpsilon);
              double score = (1 + b2) * precision * recall / (b2 * precision + recall + kEpsilon);
              double weight = byTruth ? s[2 * classes + i] : 1;
              total += score * weight;
              weights += weight;
            }
            return over(total, weights);
          }};
}

// ---- intersections over unions

Status checkClasses(const Json& numbers) {
  for (const Json& n : numbers) {
    if (n.get<double>() != std::floor(n.get<double>()))
      return fail("must be class numbers, got ", shown(numbers));
  }
  return numbers.empty() ? fail("must be at least one class number, got []") : Status();
}
constexpr Argument kClassIds[] = {numbers("target_class_ids", kIndex).checkedBy(checkClasses)};
constexpr Argument kNeededClassIds[] = {
    numbers("target_class_ids", kIndex).isNeeded().checkedBy(checkClasses)};
constexpr Argument kBinaryIou[] = {number("threshold", kFinite, 0.5), also(kClassIds)};
constexpr Argument kOneHotMeanIou[] = {whole("num_classes", kCount).isNeeded(),
                                       whole("ignore_class", kAnyInt), flag("sparse_y_pred", false),
                                       only("axis", "-1")};
constexpr Argument kOneHotIou[] = {also(kNeededClassIds), also(kOneHotMeanIou)};
constexpr Argument kMeanIou[] = {flag("sparse_y_true", true), flag("sparse_y_pred", true),
                                 also(kOneHotMeanIou)};
constexpr Argument kIou[] = {also(kNeededClassIds), also(kMeanIou)};

/// Of classes, the mean of what labels and predictions have in common over what either has. Sums: both,
/// labels and predictions, by class. What is out of range counts nowhere.
MetricSums intersections(Value y, Value p, int32_t classes, const Fields& f) {
  auto flat = [](Value x) {
    return reshape(x, {.shape = {static_cast<int32_t>(x.shape().size())}});
  };
  y = flat(y);
  p = flat(p);
  if (y.shape() != p.shape()) {
    p.graph->fail(
        cat("labels and predictions must be as many, got ", y.shape(), " and ", p.shape()));
    return {};
  }
  auto isIn = [&](Value x) { return (x >= 0.0) & (x < static_cast<double>(classes)); };
  Value counts = isIn(y) & isIn(p);
  if (f.knows("ignore_class") && f.has("ignore_class"))
    counts = counts & notEqual(y, like(y, f.whole("ignore_class")));
  auto marked = [&](Value x) { return oneHot(where(counts, x, -1.0), {.depth = classes}); };
  Value truth = marked(y), predicted = marked(p);
  bool isOfSome = f.knows("target_class_ids") && f.has("target_class_ids");
  std::vector<double> wanted(isOfSome ? 0 : classes);
  std::iota(wanted.begin(), wanted.end(), 0);
  if (isOfSome) wanted = f.numbers("target_class_ids");
  for (double id : wanted) {
    if (id >= classes)
      p.graph->fail(cat("target_class_ids must be below num_classes, ", classes, ", got ", id));
  }
  return {{sumOfEach(truth * predicted), sumOfEach(truth), sumOfEach(predicted)},
          [classes, wanted](std::span<const double> s) {
            double total = 0, valid = 0;
            for (double id : wanted) {
              int i = static_cast<int>(id);
              double either = s[classes + i] + s[2 * classes + i] - s[i];
              if (either <= 1e-9) continue;
              total += s[i] / (either + kEpsilon);
              ++valid;
            }
            return total / (valid + kEpsilon);
          }};
}

/// Class numbers, or what has one of the classes highest.
Value numbersOf(Value x, bool isSparse) {
  return isSparse ? cast(x, DType::kI32) : argMax(x, {.axis = -1});
}

MetricSums iou(Value y, Value p, const Fields& f, const Json&) {
  bool isSparse = f.knows("sparse_y_true") && f.flag("sparse_y_true");
  return intersections(numbersOf(y, isSparse), numbersOf(p, f.flag("sparse_y_pred")),
                       f.whole("num_classes"), f);
}

constexpr Argument kNumThresholds[] = {whole("num_thresholds", kCount, 200),
                                       whole("class_id", kIndex)};
constexpr Argument kAtRecall[] = {number("recall", kShare).isNeeded(), also(kNumThresholds)};
constexpr Argument kAtPrecision[] = {number("precision", kShare).isNeeded(), also(kNumThresholds)};
constexpr Argument kAtSensitivity[] = {number("sensitivity", kShare).isNeeded(),
                                       also(kNumThresholds)};
constexpr Argument kAtSpecificity[] = {number("specificity", kShare).isNeeded(),
                                       also(kNumThresholds)};

using C = Confusion;
constexpr MetricRow kRows[] = {
    {{"auc", kAuc}, auc},
    {{"precision_at_recall", kAtRecall},
     [](Value y, Value p, const Fields& f, const Json&) {
       return mostAt<&C::recall, &C::precision>(y, p, f, f.number("recall"));
     }},
    {{"recall_at_precision", kAtPrecision},
     [](Value y, Value p, const Fields& f, const Json&) {
       return mostAt<&C::precision, &C::recall>(y, p, f, f.number("precision"));
     }},
    {{"specificity_at_sensitivity", kAtSensitivity},
     [](Value y, Value p, const Fields& f, const Json&) {
       return mostAt<&C::recall, &C::specificity>(y, p, f, f.number("sensitivity"));
     }},
    {{"sensitivity_at_specificity", kAtSpecificity},
     [](Value y, Value p, const Fields& f, const Json&) {
       return mostAt<&C::specificity, &C::recall>(y, p, f, f.number("specificity"));
     }},
    {{"f1_score", kScore},
     [](Value y, Value p, const Fields& f, const Json&) { return fBeta(y, p, f, 1); }},
    {{"fbeta_score", kBetaScore},
     [](Value y, Value p, const Fields& f, const Json&) {
       return fBeta(y, p, f, f.number("beta"));
     }},
    {{"iou", kIou}, iou, MetricRow::kAny},
    {{"mean_iou", kMeanIou}, iou, MetricRow::kAny},
    {{"one_hot_iou", kOneHotIou}, iou},
    {{"one_hot_mean_iou", kOneHotMeanIou}, iou},
    {{"binary_iou", kBinaryIou},
     [](Value y, Value p, const Fields& f, const Json&) {
       return intersections(cast(y, DType::kI32), cast(p >= f.number("threshold"), DType::kI32), 2,
                            f);
     }},
};

}  // namespace

std::span<const MetricRow> classMetrics() { return kRows; }

}  // namespace fjord
