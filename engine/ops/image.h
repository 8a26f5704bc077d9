// Images whose pixels are taken from other places.
#pragma once

#include "ir/value.h"

namespace fjord {

/// x [N,H,W,C] at rows and columns [N,h,w], which need not be whole: [N,h,w,C] for a.size = {h, w}. What
/// lies beyond the image is as the attributes of `transform` say.
Value sampled(Value x, Value rows, Value columns, const TransformAttrs& a);

}  // namespace fjord
