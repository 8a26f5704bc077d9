// What recurrent layers share: a cell over the steps of a sequence, as one loop.
//
// A cell takes what comes in at a step, x [N,..], and its states, and gives what comes out and the states
// after the step. It may be a layer's own, with the layer's arguments and weights, or one that the layer
// wraps:
//
//   recur(c, f, in, {.states = {{n, units}, {n, units}}, .own = lstmCell});
//   recur(c, f, in, {.states = statesOf(cell, n), .wrapped = &cell});
#pragma once

#include "nn/layer_parts.h"

namespace fjord::layer_parts {

struct Cell {
  /// What it carries from step to step; the first one may be what comes out, too.
  std::vector<Shape> states;
  /// Of the layer itself,
  LayerOutputs (*own)(LayerContext& c, const Fields& f, Inputs in) = nullptr;
  /// or another one's description.
  const Json* wrapped = nullptr;

  LayerOutputs call(LayerContext& c, const Fields& f, Inputs in) const {
    if (own) return own(c, f, in);
    LayerOutputs out = c.callInner(*wrapped, in);
    if (!out || out.values.size() == 1 + states.size()) return out;
    in[0].graph->fail(cat("a cell of ", states.size(),
                          " states gives its output and each of them, got ", out.values.size(),
                          " values"));
    return {};
  }
};

/// What each recurrent layer is told beside its cell's arguments.
inline constexpr Argument kRecurrent[] = {
    arguments::flag("return_sequences", false), arguments::flag("return_state", false),
    arguments::flag("go_backwards", false),     arguments::flag("stateful", false),
    arguments::flag("unroll", false),           arguments::flag("zero_output_for_mask", false),
    arguments::only("time_major", "false"),
};

inline constexpr auto kRecurrentWeight = WEIGHT_ARGUMENTS("recurrent", "orthogonal");

/// The layer of this cell on a sequence [N,T,..], and on initial states where they are given: what came out
/// last, or [N,T,..] of all steps, and the last states where they are wanted.
LayerOutputs recur(LayerContext& c, const Fields& f, Inputs in, const Cell& cell);

/// Whether after the first input come states of these shapes, or none; the graph fails where not.
bool areStates(Inputs in, std::span<const Shape> states);

/// x in training with some of its numbers dropped, by the argument `rate`; the same ones in each step.
Value dropped(LayerContext& c, const Fields& f, const char* rate, Value x);

/// The bias of the gates of an LSTM, i, f, c, o, of n numbers each. A forget gate that is open at first
/// lets states live longer (Jozefowicz et al. 2015).
Value biasOfGates(LayerContext& c, const Fields& f, int32_t n);

/// The states of an LSTM after a step whose gates, before their activations, are z [N,..,4n]; h comes out.
LayerOutputs afterGates(LayerContext& c, const Fields& f, Value z, Value state);

}  // namespace fjord::layer_parts
