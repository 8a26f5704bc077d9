// JSON, with accessors that cannot abort: a value of the wrong kind reads as the fallback. That is
// for what Fjord has written itself; what others write is read by base/fields.h, which refuses it.
#pragma once

#define JSON_NOEXCEPTION 1
#define JSON_NO_IO 1
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/shape.h"

namespace fjord {

using Json = nlohmann::ordered_json;

/// Refuses what is nested so deeply that reading it could overflow the stack. JSON lets a name stand twice
/// in an object, where the last counts: `twice` gets one that does. Refused is also a number whose digits or
/// exponent alone are beyond the largest double, even if it is small: 0e309.
Result<Json> parseJson(std::string_view text, std::string* twice = nullptr);
/// Of what is not UTF-8 a replacement character is written, of a number that is not finite null; 2.0 remains
/// 2.0. (Texts are read and written by RapidJSON, because nlohmann's own reader and writer would be 60 KB for
/// a page to download.)
std::string jsonText(const Json& j);

inline const Json& member(const Json& j, const char* key) {
  static const Json kNull;
  auto it = j.is_object() ? j.find(key) : j.end();
  return j.is_object() && it != j.end() ? *it : kNull;
}

inline double numberOr(const Json& j, const char* key, double fallback) {
  const Json& v = member(j, key);
  return v.is_number() ? v.get<double>() : fallback;
}
inline int intOr(const Json& j, const char* key, int fallback) {
  const Json& v = member(j, key);
  return v.is_number() ? v.get<int>() : fallback;
}
inline bool boolOr(const Json& j, const char* key, bool fallback) {
  const Json& v = member(j, key);
  return v.is_boolean() ? v.get<bool>() : fallback;
}
inline std::string stringOr(const Json& j, const char* key, std::string_view fallback) {
  const Json& v = member(j, key);
  return v.is_string() ? v.get<std::string>() : std::string(fallback);
}

/// A list of integers; null entries (unknown sizes) become -1.
template <int N>
std::optional<Ints<N>> intsOf(const Json& j) {
  if (!j.is_array() || j.size() > N) return {};
  Ints<N> out;
  for (const Json& v : j) {
    if (!v.is_number() && !v.is_null()) return {};
    out.push(v.is_null() ? -1 : v.get<int32_t>());
  }
  return out;
}

/// {"class_name": name, "config": {...}} or just "name": how Keras writes things that are chosen by
/// name.
struct Choice {
  std::string name;
  Json config = Json::object();
};
std::optional<Choice> choiceOf(const Json& j);

/// "categorical_crossentropy", "categoricalCrossentropy" and "CategoricalCrossentropy" are one
/// name: letters and digits in lower case. Every table of nn/ is keyed so.
std::string canonicalName(std::string_view name);

}  // namespace fjord
