#include "nn/mask_ops.h"

#include <algorithm>
#include <set>
#include <string>

namespace fjord {

namespace {

const Json& historyOf(const Json& tensor) {
  return member(member(tensor, "config"), "keras_history");
}
/// The arguments of an entry's only call; null where there are several.
const Json& argumentsOf(const Json& entry) {
  static const Json kNone;
  const Json& nodes = member(entry, "inbound_nodes");
  return nodes.is_array() && nodes.size() == 1 ? member(nodes[0], "args") : kNone;
}

class MaskOps {
 public:
  explicit MaskOps(Json& layers) : layers_(layers) {}

  void leaveOut() {
    size_t known = 0;
    do {
      known = masks_.size();
      for (const Json& entry : layers_) {
        if (isMask(entry)) masks_.insert(stringOr(entry, "name", ""));
      }
    } while (masks_.size() > known);
    if (masks_.empty()) return;
    Json kept = Json::array();
    for (Json& entry : layers_) {
      if (masks_.contains(stringOr(entry, "name", ""))) continue;
      if (entry.contains("inbound_nodes")) {
        for (Json& node : entry["inbound_nodes"]) leaveOutOf(node);
      }
      kept.push_back(std::move(entry));
    }
    layers_ = std::move(kept);
  }

 private:
  bool isKnown(const Json& tensor) const {
    const Json& history = historyOf(tensor);
    return history.is_array() && !history.empty() && history[0].is_string() &&
           masks_.contains(history[0].get<std::string>());
  }
  bool isMask(const Json& entry) const {
    if (!stringOr(entry, "module", "").starts_with("keras.src.ops")) return false;
    std::string op = stringOr(entry, "class_name", "");
    const Json& args = argumentsOf(entry);
    if (!args.is_array() || args.empty()) return false;
    if (op == "NotEqual")
      return args.size() == 2 && args[1].is_number() && isMarked(args[0], args[1].get<double>());
    bool isOr = op == "LogicalOr" && args.size() == 2 && isKnown(args[1]);
    return (op == "Any" || isOr) && isKnown(args[0]);
  }
  /// Whether a layer reads the same tensor, and takes this number for no step.
  bool isMarked(const Json& tensor, double number) const {
    return std::ranges::any_of(layers_, [&](const Json& entry) {
      std::string layer = stringOr(entry, "class_name", "");
      const Json &config = member(entry, "config"), &args = argumentsOf(entry);
      bool marks = layer == "Embedding"
                       ? number == 0 && boolOr(config, "mask_zero", false)
                       : layer == "Masking" && number == numberOr(config, "mask_value", 0);
      return marks && args.is_array() && !args.empty() && !historyOf(tensor).is_null() &&
             historyOf(args[0]) == historyOf(tensor);
    });
  }
  void leaveOutOf(Json& node) const {
    if (!node.is_object() || !member(node, "kwargs").is_object()) return;
    Json kept = Json::object();
    for (const auto& [name, value] : node["kwargs"].items()) {
      bool isList = value.is_array() && !value.empty() &&
                    std::ranges::all_of(
                        value, [&](const Json& one) { return one.is_null() || isKnown(one); });
      bool isOfMask = name == "mask" || name.ends_with("_mask");
      if (!isOfMask || name == "attention_mask" || !(isKnown(value) || isList)) kept[name] = value;
    }
    node["kwargs"] = std::move(kept);
  }

  Json& layers_;
  std::set<std::string> masks_;  // names of operations
};

}  // namespace

Json withoutMaskOps(Json model) {
  if (!model.is_object()) return model;
  for (const char* inner : {"modelTopology", "model_config", "config"}) {
    if (!model.contains(inner)) continue;
    Json& j = model[inner];
    if (j.is_object() && j.contains("layers") && j["layers"].is_array()) {
      for (Json& layer : j["layers"]) layer = withoutMaskOps(std::move(layer));
      MaskOps(j["layers"]).leaveOut();
    } else if (j.is_object()) {
      j = withoutMaskOps(std::move(j));
    }
  }
  return model;
}

}  // namespace fjord
