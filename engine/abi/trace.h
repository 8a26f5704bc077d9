// Tracing: a function of JavaScript is called with tensors that stand for values of a graph, and its ops
// become nodes there. abi.h has the way of a call.
#pragma once

#include "abi/runtime.h"
#include "nn/traced.h"

namespace fjord {

/// Whether also ops on tensors that have values become nodes: what is computed on a GPU could not become a
/// constant.
bool tracesAll();
/// An op on these tensors as a node: the handle of its result.
int traceOp(OpId op, const Attrs& attrs, const int32_t* inputs, int count);
/// d y / d x for each x as nodes, 0 for an x that y does not depend on; dy may be 0.
int traceGradients(int y, int dy, const int32_t* xs, int count, int32_t* out);
/// Has models call functions of JavaScript (nn/traced.h).
void startTracing();
/// What then calls one: fj_trace, or what a native test puts in its place.
extern int (*traceCaller)(int number, const int32_t* inputs, int count, int training);

}  // namespace fjord
