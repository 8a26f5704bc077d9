// What a run has to say of the machine that it runs on.
#pragma once

#include <string>

#include "store/store.h"

namespace fjord::study {

/// This machine, but for its GPU, which a browser has to tell. Its name is drawn once and kept in `folder`.
Machine thisMachine(const std::string& folder);

/// UTC now, ISO 8601: "2026-11-26T10:00:00Z".
std::string utcNow();

}  // namespace fjord::study
