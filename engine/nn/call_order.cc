#include "nn/call_order.h"

#include <algorithm>

namespace fjord {

namespace {

using TensorRef = Topology::TensorRef;

/// Depth first, with a stack of its own: a model may be deeper than the thread's stack.
class CallOrder {
 public:
  explicit CallOrder(const Topology& topology)
      : topology_(topology), marks_(topology.layers.size()) {
    for (size_t i = 0; i < marks_.size(); ++i)
      marks_[i].resize(topology.layers[i].calls.size(), kNew);
  }

  Status add(TensorRef wanted) {
    FJORD_CHECK(open(wanted, wanted));
    while (!stack_.empty()) {
      auto& [call, next] = stack_.back();
      const auto& inputs = topology_.layers[call.layer].calls[call.node].inputs;
      if (next < inputs.size()) {
        FJORD_CHECK(open(inputs[next++], call));
        continue;
      }
      mark(call) = kDone;
      order.push_back(call);
      stack_.pop_back();
    }
    return {};
  }

  std::vector<TensorRef> order;

 private:
  enum Mark : uint8_t { kNew, kOpen, kDone };
  struct Frame {
    TensorRef call;
    size_t next;  // input to be looked at
  };

  Mark& mark(TensorRef call) { return marks_[call.layer][call.node]; }
  const std::string& nameOf(TensorRef call) const { return topology_.layers[call.layer].name; }

  /// Begins with a call that `reader` reads.
  Status open(TensorRef call, TensorRef reader) {
    const Topology::Layer& layer = topology_.layers[call.layer];
    if (call.node < 0 || call.node >= static_cast<int>(layer.calls.size()))
      return fail("layer ", nameOf(reader), " reads call number ", call.node, " of ", layer.name,
                  ", which has ", layer.calls.size());
    if (layer.isInput()) {
      bool known = std::ranges::any_of(topology_.inputs,
                                       [&](const TensorRef& in) { return in.layer == call.layer; });
      return known ? Status() : fail(layer.name, ": the input is not among the model's inputs");
    }
    if (mark(call) == kOpen) return circle(call);
    if (mark(call) == kNew) {
      mark(call) = kOpen;
      stack_.push_back({call, 0});
    }
    return {};
  }

  Status circle(TensorRef call) const {
    auto first = std::ranges::find_if(stack_, [&](const Frame& f) {
      return f.call.layer == call.layer && f.call.node == call.node;
    });
    constexpr ptrdiff_t kMost = 8;
    std::string path = nameOf(call);
    for (auto at = stack_.end(); at != first && stack_.end() - at < kMost;)
      path += cat(" <- ", nameOf((--at)->call));
    return fail("the layers are connected in a circle: ", path);
  }

  const Topology& topology_;
  std::vector<std::vector<Mark>> marks_;
  std::vector<Frame> stack_;
};

}  // namespace

Result<std::vector<TensorRef>> callOrder(const Topology& topology) {
  CallOrder calls(topology);
  for (int i = 0; i < static_cast<int>(topology.layers.size()); ++i) {
    const Topology::Layer& layer = topology.layers[i];
    for (int node = 0; !layer.isInput() && node < static_cast<int>(layer.calls.size()); ++node)
      FJORD_CHECK(calls.add({i, node}));
  }
  for (TensorRef out : topology.outputs) FJORD_CHECK(calls.add(out));
  return std::move(calls.order);
}

}  // namespace fjord
