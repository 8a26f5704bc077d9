// Cases of Keras's goldens for nn/: what of them is a gap, and how values are compared.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/tensor.h"
#include "testing/goldens.h"

namespace fjord {

using testing::Goldens;

/// Cases that Keras computes and Fjord refuses: the case, and the words of the error that say so.
/// A case that works must not stand here.
struct Gap {
  std::string_view name, error;
};
inline constexpr Gap kGaps[] = {
    {"batch_normalization renorm", "renorm"},
    {"multi_head_attention of images", "needs a query [N,T,D]"},
};

/// The class of a case that is one of a layer alone.
inline std::string layerOf(const Json& c) { return stringOr(c, "class_name", ""); }

/// Runs `check`, which gives an error where Fjord refuses, for each case of a kind.
template <class Check>
void each(const Goldens& file, Check check) {
  for (const Json& c : file.cases) {
    std::string name = stringOr(c, "name", "?");
    SCOPED_TRACE(name);
    Status status = check(c);
    auto gap = std::ranges::find(kGaps, std::string_view(name), &Gap::name);
    if (gap == std::end(kGaps)) {
      EXPECT_TRUE(status) << status.error().message;
    } else if (status) {
      ADD_FAILURE() << "is listed as a gap, but works";
    } else {
      EXPECT_NE(status.error().message.find(gap->error), std::string::npos)
          << status.error().message;
    }
  }
}

/// Checks with what was given alone, and with the options that Keras fills in: both must agree.
template <class Check>
Status withDefaults(const Json& description, const Json& c, Check check) {
  FJORD_CHECK(check(description));
  Json full = description;
  if (full.is_object()) full["config"].update(member(c, "defaults"));
  return check(full);
}

/// Within `tolerance` of the value or, where sums cancel, of the typical value.
inline void expectClose(const Tensor& got, const Tensor& want, std::string_view what,
                        double tolerance = 1e-5) {
  ASSERT_EQ(cat(got.type()), cat(want.type())) << what;
  if (got.dtype() != DType::kF32) {
    EXPECT_TRUE(std::ranges::equal(got.span<int32_t>(), want.span<int32_t>())) << what;
    return;
  }
  std::span<const float> g = got.span<float>(), w = want.span<float>();
  std::vector<float> sizes;
  for (float v : w) sizes.push_back(std::fabs(v));
  std::ranges::sort(sizes);
  double typical = sizes.empty() ? 0 : sizes[sizes.size() / 2];
  for (size_t i = 0; i < g.size(); ++i) {
    double error = std::fabs(static_cast<double>(g[i]) - w[i]);
    bool close = std::isfinite(w[i]) ? error <= tolerance * (std::fabs(w[i]) + 0.2 * (1 + typical))
                 : std::isnan(w[i])  ? std::isnan(g[i])
                                     : g[i] == w[i];
    ASSERT_TRUE(close) << what << ", element " << i << " of " << g.size() << ": " << g[i]
                       << ", want " << w[i];
  }
}

}  // namespace fjord
