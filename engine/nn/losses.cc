#include "nn/losses.h"

#include <algorithm>
#include <cmath>

#include "ir/graph.h"
#include "nn/layer_parts.h"
#include "nn/traced.h"
#include "ops/op.h"

namespace fjord {

using namespace arguments;

Value classNumbers(Value y, Value p) {
  if (y.shape().rank() == p.shape().rank() && y.shape()[-1] == 1) {
    Shape s = y.shape();
    s.values[--s.count] = 0;
    y = reshape(y, {.shape = s});
  }
  return cast(y, DType::kI32);
}

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

/// Labels that are not ignored, [..].
Value areNotIgnored(Value y, Value p, const Fields& f) {
  if (!f.has("ignore_class")) return {};
  Value numbers = classNumbers(y, p);
  return notEqual(numbers, like(numbers, f.whole("ignore_class")));
}
Value sparseCategoricalCrossentropy(Value y, Value p, const Fields& f) {
  // Of a number that is none of a class all is 0, as it is of one that is ignored.
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

/// A loss along an axis that may be another than the last one.
template <Value (*loss)(Value, Value, const Fields&)>
Value alongAxis(Value y, Value p, const Fields& f) {
  int rank = p.shape().rank();
  int32_t axis = f.whole("axis");
  if (axis < 1 - rank || axis >= rank || axis == 0) {
    p.graph->fail(cat("axis must be from ", 1 - rank, " to -1 or from 1 to ", rank - 1, ", got ",
                      axis, ": the first axis is that of samples"));
    return {};
  }
  if (axis < 0) axis += rank;
  if (axis == rank - 1) return loss(y, p, f);
  return loss(layer_parts::axisLast(y, axis), layer_parts::axisLast(p, axis), f);
}

Value unit(Value x) {
  Value s = sum(square(x), {.axes = {-1}, .keepDims = true});
  return x * rsqrt(maximum(s, like(s, 1e-12)));
}

Value cosine(Value y, Value p, const Fields&) { return -lastSum(unit(y) * unit(p)); }

// ---- of a whole batch

/// The sums along some axes, or of all.
Value summed(Value x, const Fields& f) { return sum(x, {.axes = f.wholes("axis")}); }

/// What has the axis of samples in a sum is no loss of samples any more: one number for the batch.
Value overAxes(Value each, const Fields& f, int rank) {
  Shape axes = f.wholes("axis");
  bool isBySample =
      axes.rank() > 0 && std::ranges::none_of(axes, [&](int a) { return a == 0 || a == -rank; });
  return isBySample ? each : mean(each);
}

/// 1 - 2 |y p| / (|y| + |p|), Dice 1945.
Value dice(Value y, Value p, const Fields& f) {
  Value both = summed(y * p, f), all = summed(y, f) + summed(p, f);
  return overAxes(1.0 - both * 2.0 / (all + kEpsilon), f, p.shape().rank());
}

/// Salehi, Erdogmus, Gholipour 2017: what is missed and what is wrong weighted apart. alpha is of what is
/// missed, as in Keras.
Value tversky(Value y, Value p, const Fields& f) {
  Value both = summed(y * p, f), missed = summed((1.0 - p) * y, f),
        wrong = summed(p * (1.0 - y), f);
  Value all = both + missed * f.number("alpha") + wrong * f.number("beta") + kEpsilon;
  return overAxes(1.0 - both / all, f, p.shape().rank());
}

/// Sun et al. 2020, of embeddings of length 1 [N,D]: distances within a class shrink, others grow.
Value circle(Value y, Value p, const Fields& f) {
  if (p.shape().rank() != 2) {
    p.graph->fail(cat("needs embeddings [N,D], got ", p.type()));
    return {};
  }
  int32_t n = p.shape()[0];
  double gamma = f.number("gamma"), margin = f.number("margin");
  auto column = [n](Value x) { return reshape(x, {.shape = {n, 1}}); };
  Value numbers = classNumbers(y, p), place = range(*p.graph, n);
  Value isSame = equal(column(numbers), numbers), isItself = equal(column(place), place);
  Value distance = relu(1.0 - matMul(p, p, {.transposeB = true}));
  Value pull = relu(distance + margin) * (distance - margin) * gamma;
  Value push = relu(1.0 + margin - distance) * (1.0 - margin - distance) * gamma;
  // Of no pairs the sum is so small that the loss is 0.
  constexpr double kNone = -1e30;
  auto total = [](Value pairs, Value x) {
    return logSumExp(where(pairs, x, kNone), {.axes = {1}});
  };
  Value pulled = f.flag("remove_diagonal") ? isSame & logicalNot(isItself) : isSame;
  return softplus(total(pulled, pull) + total(logicalNot(isSame), push));
}

// "auto" is Keras 2's word for its default.
constexpr Argument kEveryLoss[] = {
    text("name"),
    choice("reduction", "sum_over_batch_size|auto|mean|sum|mean_with_sample_weight|null"),
    only("dtype", "\"float32\""), only("fn", "")};
constexpr Argument kAxis[] = {whole("axis", kAnyInt, -1)};
constexpr Argument kLogits[] = {flag("from_logits", false)};
constexpr Argument kSmoothed[] = {number("label_smoothing", kShare, 0), also(kLogits), also(kAxis)};
constexpr Argument kSparse[] = {whole("ignore_class", kAnyInt), also(kLogits), only("axis", "-1")};
constexpr Argument kFocal[] = {number("alpha", kShare, 0.25), number("gamma", kNotNegative, 2),
                               also(kSmoothed)};
constexpr Argument kBinaryFocal[] = {flag("apply_class_balancing", false), also(kFocal)};
constexpr Argument kHuber[] = {number("delta", kPositive, 1)};
constexpr Range kFraction{0, 1, true};
constexpr Argument kGeneralized[] = {number("q", kFraction, 0.5)};
constexpr Argument kDice[] = {wholes("axis", kAnyInt)};
constexpr Argument kTversky[] = {number("alpha", kNotNegative, 0.5),
                                 number("beta", kNotNegative, 0.5), also(kDice)};
constexpr Argument kCircle[] = {number("gamma", kPositive, 80), number("margin", kFinite, 0.4),
                                flag("remove_diagonal", true)};

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
    {{"categorical_crossentropy", kSmoothed}, alongAxis<categoricalCrossentropy>},
    {{"sparse_categorical_crossentropy", kSparse},
     sparseCategoricalCrossentropy,
     LossRow::kClassNumbers,
     [](Value y, Value p, Value, const Fields& f) { return areNotIgnored(y, p, f); }},
    {{"binary_crossentropy|bce", kSmoothed}, alongAxis<binaryCrossentropy>},
    {{"binary_focal_crossentropy", kBinaryFocal}, alongAxis<binaryFocal>},
    {{"categorical_focal_crossentropy", kFocal}, alongAxis<categoricalFocal>},
    {{"categorical_generalized_cross_entropy", kGeneralized},
     categoricalGeneralized,
     LossRow::kClassNumbers},
    {{"kl_divergence|kld|kullback_leibler_divergence", {}},
     [](Value y, Value p, const Fields&) {
       Value a = clip(y, like(y, kEpsilon), like(y, 1)), b = clip(p, like(p, kEpsilon), like(p, 1));
       return lastSum(a * log(a / b));
     }},
    {{"poisson", {}},
     [](Value y, Value p, const Fields&) { return last(p - y * log(p + kEpsilon)); }},
    {{"cosine_similarity|cosine_proximity|cosine", kAxis}, alongAxis<cosine>},
    {{"ctc", {}}, ctc, LossRow::kSequences},
    {{"dice", kDice}, dice},
    {{"tversky", kTversky}, tversky},
    {{"circle", kCircle},
     circle,
     LossRow::kNumbers,
     [](Value, Value, Value each, const Fields&) { return each > 0.0; }},
};

}  // namespace

std::span<const LossRow> lossRows() { return kLosses; }

Result<Chosen<LossRow>> lossOf(const Json& loss) {
  return chosen("loss", kLosses, loss, kEveryLoss);
}

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
  return c && c->row->labels == LossRow::kClassNumbers;
}

LabelKind labelKind(const Json& loss, const Shape& predictions) {
  auto c = lossOf(loss);
  if (!c || c->row->labels == LossRow::kLikePredictions || predictions.rank() < 2) return {};
  bool isOfClasses = c->row->labels != LossRow::kNumbers;
  LabelKind kind;
  kind.classes = isOfClasses ? predictions[-1] : kMostLabels;
  kind.isSequence = c->row->labels == LossRow::kSequences;
  if (c->fields.knows("ignore_class") && c->fields.has("ignore_class"))
    kind.ignored = c->fields.whole("ignore_class");
  return kind;
}

SampleLosses sampleLosses(const LossRow& row, const Fields& fields, Value y, Value p) {
  y = cast(y, DType::kF32);
  if (!y || !p) return {};
  SampleLosses losses{row.perSample(y, p, fields), {}};
  if (losses.values && row.counted) losses.counted = row.counted(y, p, losses.values, fields);
  return losses;
}

namespace {

/// Of each sample, or of all together: what the function gives that has another first axis is averaged.
Value tracedLoss(const Json& loss, Value labels, Value predictions) {
  Value y = cast(traced(loss, {{labels, predictions}}), DType::kF32);
  if (!y || y.shape().rank() == 0 || y.shape()[0] == predictions.shape()[0]) return y;
  return mean(y);
}

/// The mean of values, each times its weight [batch], of those that count; or what else "reduction" says.
Value reduced(std::string_view how, const SampleLosses& losses, Value weights) {
  Value values = losses.values, counted = cast(losses.counted, DType::kF32);
  if (weights) {
    // [batch] against [batch, ..]: the weight of a sample holds for all of it.
    Shape s = Shape::filled(std::max(1, values.shape().rank()), 1);
    s[0] = weights.shape()[0];
    weights = reshape(weights, {.shape = s});
  }
  // One number for the batch is one, whether its weights are added up or averaged.
  if (values.shape().rank() == 0)
    return how == "mean_with_sample_weight" || !weights ? values : values * mean(weights);
  if (how == "mean_with_sample_weight" && weights) {
    // Of each number that counts.
    Value total = broadcastTo(weights, {.shape = values.shape()});
    if (counted) {
      total = total * counted;
      values = where(losses.counted, values, 0.0);
    }
    return divNoNan(sum(values * total), sum(total));
  }
  if (weights) values = values * weights;
  if (counted) values = where(losses.counted, values, 0.0);
  if (how == "sum") return sum(values);
  return counted ? divNoNan(sum(values), sum(counted)) : mean(values);
}

}  // namespace

Value batchLoss(const Json& loss, Value labels, Value predictions, Value weights) {
  if (!labels || !predictions) return {};
  SampleLosses losses;
  std::string_view how = "mean";
  if (tracedNumber(loss)) {
    losses.values = tracedLoss(loss, labels, predictions);
  } else if (auto c = lossOf(loss)) {
    losses = sampleLosses(*c->row, c->fields, labels, predictions);
    how = c->fields.choice("reduction");
    if (how == "null")
      predictions.graph->fail(
          "reduction null, a loss for each sample, is not supported: take \"sum\"");
  } else {
    predictions.graph->fail(c.error().message);
  }
  return losses.values ? reduced(how, losses, weights) : Value{};
}

}  // namespace fjord
