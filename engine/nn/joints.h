// How the layers of a functional model are joined, as its description says it.
//
//   LayerNames names;
//   for (const Topology::Layer& layer : t.layers) names.add(layer);
//   FJORD_CHECK(join(t, names, config));
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/json.h"
#include "base/result.h"
#include "nn/topology.h"

namespace fjord {

bool isNamed(std::string_view key, std::string_view name);
/// A member by its name, also as TensorFlow.js's getConfig() writes it: inboundNodes.
const Json& named(const Json& object, std::string_view name);

/// The layers of a model by name.
class LayerNames {
 public:
  /// A name for a layer that has none, unique in the model: "dense", "dense_1", ...
  void name(Topology::Layer& layer) {
    std::string base = layer.name.empty() ? canonicalName(layer.className) : layer.name;
    int& number = numbers_[base];
    layer.name = base;
    while (layers_.contains(layer.name)) layer.name = cat(base, "_", ++number);
  }
  /// False where another one has its name.
  bool add(const Topology::Layer& layer) {
    return layers_.try_emplace(layer.name, static_cast<int>(layers_.size())).second;
  }
  /// -1 where there is none.
  int find(const std::string& name) const {
    auto known = layers_.find(name);
    return known == layers_.end() ? -1 : known->second;
  }

 private:
  std::unordered_map<std::string, int> layers_;
  std::unordered_map<std::string, int> numbers_;  // tried last, by what comes before them
};

/// Sets the calls of the layers of `t`, which have been read, and its inputs and outputs, from the config of
/// a functional model. Fails where a connection names what is not there, or asks for what no call takes.
Status join(Topology& t, const LayerNames& names, const Json& config);

}  // namespace fjord
