#include "base/json.h"

namespace fjord {

namespace {

// Descriptions nest about five levels for each model within a model.
constexpr int kDeepest = 200;

/// How deeply a text nests lists and objects; brackets within strings do not count.
int depthOf(std::string_view text) {
  int depth = 0, deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') ++i;
    if (quoted) continue;
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  return deepest;
}

}  // namespace

Result<Json> parseJson(std::string_view text) {
  if (depthOf(text) > kDeepest) return fail("JSON of more than ", kDeepest, " levels");
  Json j = Json::parse(text, nullptr, false);
  if (j.is_discarded()) return fail("not valid JSON: ", text.substr(0, 60));
  return j;
}

std::optional<Choice> choiceOf(const Json& j) {
  if (j.is_string()) return Choice{j.get<std::string>()};
  if (!j.is_object()) return {};
  // TensorFlow.js's getConfig() writes className.
  Choice c{stringOr(j, j.contains("className") ? "className" : "class_name", ""),
           member(j, "config")};
  // Keras 3 writes {"module": ..., "class_name": "function", "config": "relu"} for functions.
  if (c.config.is_string()) c = {c.config.get<std::string>()};
  if (!c.config.is_object()) c.config = Json::object();
  return c;
}

std::string canonicalName(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out;
}

}  // namespace fjord
