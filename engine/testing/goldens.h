// Golden values: one file of cases that another framework computed (check/goldens/*.py).
//
//   Goldens file("ops_reduce");
//   for (const Json& c : file.cases) expectClose(..., file.tensor(c["output"]), ...);
//
// A file is safetensors whose metadata "cases" is a JSON list; what a case holds, the script says
// that made it. A file that cannot be read, or holds no case, fails the test.
#pragma once

#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/threads.h"
#include "io/safetensors.h"

namespace fjord::testing {

class Goldens {
 public:
  /// `name` without folder and extension.
  explicit Goldens(std::string_view name);

  /// The tensor that a case names.
  Tensor tensor(const Json& name) const;

  Json cases;
  /// To compute with.
  mutable Threads threads{2};

 private:
  std::vector<std::byte> bytes_;
  Safetensors file_;
};

}  // namespace fjord::testing
