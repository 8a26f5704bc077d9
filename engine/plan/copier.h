// What a rewrite of a graph leaves as it is: the nodes of one graph again in another one.
#pragma once

#include <vector>

#include "ir/graph.h"

namespace fjord {

class Copier {
 public:
  Copier(const Graph& from, Graph& to) : from_(from), to_(to) {}

  /// The inputs, by their numbers: before anything else.
  void addInputs() {
    for (int32_t id : from_.inputs()) {
      const Node& n = from_.nodes()[id];
      n.attrs.as<InputAttrs>().isParameter ? to_.parameter(n.type) : to_.input(n.type);
    }
  }
  /// Says before each node which one comes now: updates begin where they have begun.
  void comesTo(int32_t id) {
    if (hasUpdates_ || !from_.isUpdate(id)) return;
    hasUpdates_ = true;
    to_.beginUpdates();
  }
  /// The same node on these values.
  Value again(const Node& n, std::vector<Value> inputs) {
    if (n.op == OpId::input) return {&to_, to_.inputs()[n.attrs.as<InputAttrs>().index]};
    // What a loop is given and does not read is not alive.
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Type& type = from_.nodes()[n.inputs[i]].type;
      if (!inputs[i]) inputs[i] = broadcastTo(to_.constant(0, type.dtype), {.shape = type.shape});
    }
    return to_.again(n, inputs);
  }

 private:
  const Graph& from_;
  Graph& to_;
  bool hasUpdates_ = false;
};

}  // namespace fjord
