// Functions and layers that are written elsewhere, in JavaScript. One is called with values while a graph is
// built, and adds its nodes to that graph: a loss, a metric, an activation, a regularizer, a layer. A step
// knows nothing of it. In a description a function stands as
//
//   {"class_name": "Traced", "config": {"number": 3, "name": "huber"}}
//
// and a layer under the name of its class; ModelOptions::traced has the numbers of layers by their paths.
#pragma once

#include <optional>

#include "nn/layers.h"

namespace fjord {

inline constexpr std::string_view kTracedClass = "Traced";

/// A call of what has this number.
struct TracedCall {
  int number;
  LayerInputs inputs;
  LayerContext* context = nullptr;  // of a layer
};
/// Makes the call; what goes wrong fails the graph of the inputs. Set by whoever can call such functions,
/// abi/trace.cc; null where nobody can.
extern LayerOutputs (*callTraced)(const TracedCall& call);

/// The number of the function that a description names; none where it names something else.
std::optional<int> tracedNumber(const Json& description);
/// Whether a function stands anywhere in it, so that no file can hold it.
bool namesTraced(const Json& json);
/// What that function gives: one value.
Value traced(const Json& description, std::span<const Value> inputs);

/// The row of all such layers. Their arguments are their number and what every layer has.
const LayerRow& tracedLayer();

}  // namespace fjord
