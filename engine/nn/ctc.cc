// The loss of sequences whose places in time are not known: Graves et al. 2006, "Connectionist temporal
// classification". All paths that spell the labels count, with blanks between and repeats; their
// probabilities are added up from step to step.
#include "ir/graph.h"
#include "ir/loop.h"
#include "nn/losses.h"

namespace fjord {

namespace {

/// The logarithm of 0, which stays finite: differences of two of them are 0.
constexpr double kNever = -1e30;

/// Columns [count, ..] of x [N,S] moved to the right by `count`, after such of `first`.
Value movedBy(Value x, int32_t count, double first) {
  int32_t n = x.shape()[0], s = x.shape()[1];
  Value kept = slice(x, {.begin = {0, 0}, .size = {n, s - count}});
  Value before = broadcastTo(like(x, first), {.shape = {n, count}});
  Value parts[] = {before, kept};
  return concat(parts, {.axis = 1});
}

/// log(exp a + exp b + exp c).
Value added(Value a, Value b, Value c) {
  Value most = maximum(maximum(a, b), c);
  return most + log(exp(a - most) + exp(b - most) + exp(c - most));
}

/// Labels [N,L] with a blank, 0, before, between and after: [N,2L+1].
Value withBlanks(Value labels) {
  int32_t n = labels.shape()[0], length = labels.shape()[1];
  Value blank = broadcastTo(like(labels, 0), {.shape = {n, length}});
  Value pairs[] = {blank, labels};
  Value all = reshape(stack(pairs, {.axis = 2}), {.shape = {n, 2 * length}});
  Value last = broadcastTo(like(labels, 0), {.shape = {n, 1}});
  Value parts[] = {all, last};
  return concat(parts, {.axis = 1});
}

}  // namespace

Value ctc(Value labels, Value logits, const Fields&) {
  if (logits.shape().rank() != 3 || labels.shape().rank() != 2) {
    logits.graph->fail(cat("needs labels [N,L] and predictions [N,T,C], got ", labels.type(),
                           " and ", logits.type()));
    return {};
  }
  Graph& graph = *logits.graph;
  int32_t n = logits.shape()[0], steps = logits.shape()[1], classes = logits.shape()[2];
  Value spelled = withBlanks(labels);
  int32_t states = spelled.shape()[1];
  // [T,N,S]: what a step says of the class of each state.
  Value is = oneHot(cast(spelled, DType::kI32), {.depth = classes});
  Value says = transpose(matMul(logSoftmax(logits), is, {.transposeB = true}), {.perm = {1, 0, 2}});
  // A blank between two labels may be left out, unless they are the same.
  Value mayLeap = notEqual(spelled, like(spelled, 0)) & notEqual(spelled, movedBy(spelled, 2, 0));
  Value leap = where(mayLeap, like(says, 0), kNever);
  Value place = range(graph, states);
  Value start = broadcastTo(where(equal(place, like(place, 0)), like(place, 0), kNever),
                            {.shape = {n, states}});
  LoopBuilder loop(graph, steps);
  Value now = loop.scan(says), before = loop.carry(start);
  loop.next(before,
            now + added(before, movedBy(before, 1, kNever), movedBy(before, 2, kNever) + leap));
  Value after = loop.finish()[0];
  // It may end at the last label or at the blank after it.
  Value length =
      sum(cast(notEqual(labels, like(labels, 0)), DType::kF32), {.axes = {1}, .keepDims = true});
  Value end = length * 2.0;
  Value isEnd = equal(end, place) | equal(end - 1.0, place);
  return -logSumExp(where(isEnd, after, kNever), {.axes = {1}});
}

}  // namespace fjord
