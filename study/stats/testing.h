// For the tests of this folder: their golden files, and designs from them.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/json.h"
#include "stats/design.h"

namespace fjord::study {

using Numbers = std::vector<double>;

inline Json goldenOf(const std::string& name) {
  std::ifstream file(FJORD_ROOT "/study/stats/" + name + ".json", std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  Result<Json> json = parseJson(text);
  EXPECT_TRUE(json) << "study/stats/" << name << ".py makes " << name << ".json";
  return json ? *json : Json();
}
inline Json analysisGolden() { return goldenOf("golden_analysis"); }

/// NaN for what Python has as None.
inline Numbers numbersOf(const Json& list) {
  Numbers out;
  for (const Json& x : list) out.push_back(x.is_number() ? x.get<double>() : NAN);
  return out;
}

/// A full factorial of ordered factors named a, b, c, .., the last one fastest.
inline Design factorialOf(const std::vector<Numbers>& factors, const Numbers& values) {
  Design out;
  for (const Numbers& at : factors) {
    Factor& factor = out.factors.emplace_back();
    factor.name = std::string(1, static_cast<char>('a' + out.factors.size() - 1));
    factor.at = at;
    for (double place : at) factor.levels.push_back(cat(place));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    Row row{.levels = std::vector<int>(factors.size()), .value = values[i]};
    size_t rest = i;
    for (size_t f = factors.size(); f-- > 0; rest /= factors[f].size())
      row.levels[f] = static_cast<int>(rest % factors[f].size());
    out.rows.push_back(row);
  }
  return out;
}

/// Of a golden case with "factors" and "y".
inline Design designOf(const Json& c) {
  std::vector<Numbers> factors;
  for (const Json& at : member(c, "factors")) factors.push_back(numbersOf(at));
  return factorialOf(factors, numbersOf(member(c, "y")));
}

}  // namespace fjord::study
