// Compositions of ops that every gradient needs.
#include "ir/graph.h"
#include "ir/op.h"

namespace fjord {

std::vector<Value> split(Value x, int count, int axis) {
  std::vector<Value> parts;
  if (!x) return parts;
  Shape begin = Shape::filled(x.shape().rank(), 0), size = x.shape();
  Result<int> at = checkedAxis(axis, x.shape().rank());
  if (!at || count < 1 || size[*at] % count != 0) {
    x.graph->fail(
        cat("split: ", x.type(), " does not divide into ", count, " parts along axis ", axis));
    return std::vector<Value>(count < 1 ? 0 : count);
  }
  size[*at] /= count;
  for (int i = 0; i < count; ++i) {
    begin[*at] = i * size[*at];
    parts.push_back(slice(x, {.begin = begin, .size = size}));
  }
  return parts;
}

Value range(Graph& graph, int32_t count) {
  Value ones = broadcastTo(constant(graph, 1), {.shape = {count}});
  return cumsum(ones, {.exclusive = true});
}

Value sumTo(Value x, const Shape& shape) {
  if (!x || x.shape() == shape) return x;
  int extra = x.shape().rank() - shape.rank();
  if (extra < 0) return broadcastTo(x, {.shape = shape});  // a gradient that is one scalar for all
  Shape axes;
  for (int i = 0; i < x.shape().rank(); ++i) {
    if (i < extra || (shape[i - extra] == 1 && x.shape()[i] != 1)) axes.push(i);
  }
  Value y = axes.empty() ? x : sum(x, {.axes = axes});
  // What broadcasting rows left smaller than the input (a constant scalar) is spread again.
  return y.shape().size() == shape.size() ? reshape(y, {.shape = shape})
                                          : broadcastTo(y, {.shape = shape});
}

}  // namespace fjord
