#include "nn/joints.h"

#include <algorithm>

namespace fjord {

bool isNamed(std::string_view key, std::string_view name) {
  return canonicalName(key) == canonicalName(name);
}
/// A member by its name, also as TensorFlow.js's getConfig() writes it: inboundNodes.
const Json& named(const Json& object, std::string_view name) {
  static const Json kNone;
  if (!object.is_object()) return kNone;
  for (const auto& [key, value] : object.items()) {
    if (isNamed(key, name)) return value;
  }
  return kNone;
}

namespace {

using Layer = Topology::Layer;
using TensorRef = Topology::TensorRef;

class Joints {
 public:
  Joints(const Json& config, const LayerNames& names, Topology& t)
      : config_(config), names_(names), t_(t) {}

  Status read() {
    const Json& list = member(config_, "layers");
    for (size_t i = 0; i < list.size(); ++i) {
      if (!t_.layers[i].isInput())
        FJORD_CHECK(readCalls(t_.layers[i], named(list[i], "inbound_nodes")));
    }
    FJORD_TRY(t_.inputs, refs(named(config_, "input_layers")));
    FJORD_TRY(t_.outputs, refs(named(config_, "output_layers")));
    if (t_.outputs.empty()) return fail("the model has no output_layers");
    for (const TensorRef& r : t_.inputs) {
      if (!t_.layers[r.layer].isInput())
        return fail("the layer ", t_.layers[r.layer].name,
                    " is among the model's inputs and is no InputLayer");
    }
    countCallsFromZero();
    return {};
  }

 private:
  /// ["name", node, tensor, arguments of the call]
  bool isRef(const Json& j) const {
    return j.is_array() && j.size() >= 3 && j.size() <= 4 && j[0].is_string() && isNumber(j[1]) &&
           isNumber(j[2]);
  }
  static bool isNumber(const Json& j) {
    double x = numberIn(j).value_or(-1);
    return x >= 0 && x <= kMostInt && x == static_cast<int>(x);
  }

  Result<TensorRef> ref(const Json& j) {
    std::string name = j[0].get<std::string>();
    TensorRef r{names_.find(name), j[1].get<int>(), j[2].get<int>()};
    if (r.layer < 0) return fail("a connection names the layer ", name, ", which does not exist");
    const Layer& layer = t_.layers[r.layer];
    bool isOne = layer.isInput() || (layer.row && layer.row->build);
    if (isOne && r.tensor != 0)
      return fail("a connection takes output number ", r.tensor, " of the layer ", name,
                  ", which has one output, number 0");
    if (layer.inner && r.tensor >= static_cast<int>(layer.inner->outputs.size()))
      return fail("a connection takes output number ", r.tensor, " of the model ", name,
                  ", which has ", layer.inner->outputs.size(), ", counted from 0");
    return r;
  }

  /// Whose call is read, and what of it beside its inputs.
  struct Called {
    const Layer* layer = nullptr;
    Topology::Call* call = nullptr;
    std::vector<TensorRef>* states = nullptr;
  };

  Result<std::vector<TensorRef>> refs(const Json& j) {
    std::vector<TensorRef> out;
    FJORD_CHECK(collect(j, {}, out));
    return out;
  }

  /// All references in a nest of lists (Keras 2) or of arguments with a keras_history (Keras 3), in
  /// order.
  Status collect(const Json& j, const Called& called, std::vector<TensorRef>& out) {
    if (isRef(j)) {
      if (called.layer && j.size() == 4) FJORD_CHECK(readArguments(called, j[3]));
      FJORD_TRY(TensorRef r, ref(j));
      out.push_back(r);
    } else if (const Json& history = member(member(j, "config"), "keras_history"); isRef(history)) {
      FJORD_TRY(TensorRef r, ref(history));
      out.push_back(r);
    } else if (j.is_array()) {
      for (const Json& item : j) FJORD_CHECK(collect(item, called, out));
    } else if (!j.is_null()) {
      return fail(called.layer ? called.layer->name : "the model",
                  ": a connection is [layer, call, 0], got ", shown(j));
    }
    return {};
  }

  /// null, or a list of such.
  static bool isNothing(const Json& j) {
    return j.is_null() || (j.is_array() && std::ranges::all_of(j, isNothing));
  }

  /// What a layer was called with beside its inputs: whether it is training, initial states, which are
  /// inputs here, and what its row has. What is not known is refused.
  Status readArguments(const Called& called, const Json& arguments) {
    const Layer& layer = *called.layer;
    Topology::Call& call = *called.call;
    for (const auto& [name, value] : arguments.items()) {
      if (isNothing(value)) continue;
      if (isNamed(name, "initial_state")) {
        FJORD_TRY(std::vector<TensorRef> more, refs(value));
        called.states->insert(called.states->end(), more.begin(), more.end());
        continue;
      }
      if (name == "training" && value.is_boolean()) {
        call.training = value == true;
      } else if (layer.row && !layer.row->callArguments.empty()) {
        call.arguments[name] = value;
      } else {
        return fail(layer.name, ": it is called with ", name, " = ", shown(value),
                    ", which is not supported: arguments of calls are training, true or false, "
                    "initial_state, or null");
      }
    }
    if (call.arguments.empty()) return {};
    Result<Fields> fields = callFields(*layer.row, call.arguments);
    if (!fields) return fail(layer.name, ": ", fields.error().message);
    call.arguments = Json(fields->plain());
    return {};
  }

  /// Inputs that a call names, after those that it does not. One that is left out is the one before it.
  Status readNamed(const Layer& layer, Json& arguments, Topology::Call& call) {
    if (!layer.row || !arguments.is_object()) return {};
    std::span<const std::string_view> names = layer.row->inputNames;
    for (size_t i = 0; i < names.size(); ++i) {
      auto given = arguments.find(std::string(names[i]));
      if (given == arguments.end() || given->is_null()) continue;
      FJORD_TRY(std::vector<TensorRef> found, refs(*given));
      if (found.size() != 1 || call.inputs.size() > i || (call.inputs.empty() && i > 0))
        return fail(layer.name, ": the inputs of a call are ", listed(names), ", each once, got ",
                    shown(*given), " for ", names[i]);
      call.inputs.resize(i, call.inputs.empty() ? found[0] : call.inputs.back());
      call.inputs.push_back(found[0]);
      arguments.erase(given);
    }
    return {};
  }
  static std::string listed(std::span<const std::string_view> names) {
    std::string all;
    for (std::string_view name : names) all += cat(all.empty() ? "" : ", ", name);
    return all;
  }

  Status readCalls(Layer& layer, const Json& nodes) {
    if (!nodes.is_array() || nodes.empty())
      return fail("layer ", layer.name, " is not connected to anything");
    for (const Json& node : nodes) {
      Topology::Call call;
      std::vector<TensorRef> states;
      Called called{&layer, &call, &states};
      const Json& from = node.is_object() ? member(node, "args") : node;
      FJORD_CHECK(collect(from, called, call.inputs));
      if (node.is_object()) {
        Json arguments = member(node, "kwargs");
        FJORD_CHECK(readNamed(layer, arguments, call));
        FJORD_CHECK(readArguments(called, arguments));
      }
      call.inputs.insert(call.inputs.end(), states.begin(), states.end());
      if (call.inputs.empty()) return fail("layer ", layer.name, ": a call without inputs");
      layer.calls.push_back(std::move(call));
    }
    return {};
  }

  template <class F>
  void eachRef(F f) {
    for (Layer& layer : t_.layers) {
      for (Topology::Call& call : layer.calls) std::ranges::for_each(call.inputs, f);
    }
    std::ranges::for_each(t_.outputs, f);
  }

  /// Keras counts the calls of a model from 1: number 0 is the one that it was made by, which does not
  /// stand here. TensorFlow.js counts from 0.
  void countCallsFromZero() {
    std::vector<bool> fromOne(t_.layers.size());
    eachRef([&](TensorRef& r) {
      const Layer& layer = t_.layers[r.layer];
      if (layer.inner && r.node == static_cast<int>(layer.calls.size())) fromOne[r.layer] = true;
    });
    eachRef([&](TensorRef& r) { r.node -= fromOne[r.layer]; });
  }

  const Json& config_;
  const LayerNames& names_;
  Topology& t_;
};

}  // namespace

Status join(Topology& t, const LayerNames& names, const Json& config) {
  return Joints(config, names, t).read();
}

}  // namespace fjord
