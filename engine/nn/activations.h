// Activations by name: those of Keras 3, on values of a graph.
#pragma once

#include <span>

#include "base/fields.h"
#include "ir/value.h"

namespace fjord {

/// The activation of a layer's config: a name, or {"class_name", "config"}; null is linear. Unknown
/// names fail the graph.
Value activate(Value x, const Json& activation);

/// Whether it is one.
Status checkActivation(const Json& activation);

/// All names, canonical, for documentation and tests.
std::span<const std::string_view> activationNames();

}  // namespace fjord
