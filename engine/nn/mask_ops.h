// Masks in Keras 3's files: among the layers of a functional model stand the operations that have computed
// its masks, and calls of layers name their results. Here masks go with values by themselves.
#pragma once

#include "base/json.h"

namespace fjord {

/// The description of a model, and of those in it, without operations that say what the masks of embeddings
/// and of Masking layers do, and without these in calls. What says anything else stays, and is refused later.
Json withoutMaskOps(Json model);

}  // namespace fjord
