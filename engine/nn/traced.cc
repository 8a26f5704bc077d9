#include "nn/traced.h"

#include <algorithm>

#include "base/parts.h"
#include "ir/graph.h"

namespace fjord {

using namespace arguments;

LayerOutputs (*callTraced)(const TracedCall& call) = nullptr;

namespace {

LayerOutputs callOrFail(const TracedCall& call) {
  if (kTrains && callTraced) return callTraced(call);
  call.inputs[0].graph->fail("it is written in JavaScript, which this program does not run");
  return {};
}

}  // namespace

std::optional<int> tracedNumber(const Json& description) {
  if (!kTrains || stringOr(description, "class_name", "") != kTracedClass) return {};
  return intOr(configOf(description), "number", 0);
}

bool namesTraced(const Json& json) {
  return tracedNumber(json) || (json.is_structured() && std::ranges::any_of(json, namesTraced));
}

Value traced(const Json& description, std::span<const Value> inputs) {
  if (!inputs[0]) return {};
  Graph& graph = *inputs[0].graph;
  Graph::Scope scope(graph, stringOr(configOf(description), "name", "function"));
  LayerOutputs outputs = callOrFail({*tracedNumber(description), {inputs}});
  if (outputs.values.size() == 1) return outputs.values[0];
  graph.fail(cat("it gives one tensor, got ", outputs.values.size()));
  return {};
}

namespace {

// A cell has the sizes of its states, too.
constexpr Argument kArguments[] = {whole("number", kCount).isNeeded(), json("state_sizes")};

LayerOutputs callByNumber(LayerContext& context, const Fields& f, LayerInputs inputs) {
  return callOrFail({f.whole("number"), inputs, &context});
}

constexpr LayerRow kLayer{.className = kTracedClass,
                          .name = "traced",
                          .arguments = kArguments,
                          .inputs = 0,
                          .call = callByNumber};

}  // namespace

const LayerRow& tracedLayer() { return kLayer; }

}  // namespace fjord
