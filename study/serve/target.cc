#include "serve/target.h"

#include <charconv>

namespace fjord::study {

namespace {

/// %XX decoded, and + in a query, where forms write spaces so.
std::optional<std::string> decoded(std::string_view text, bool plusIsSpace) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    if (c == '%') {
      std::string_view digits = text.substr(i + 1, 2);
      const char* last = digits.data() + digits.size();
      if (digits.size() < 2 || std::from_chars(digits.data(), last, c, 16).ptr != last) return {};
      i += 2;
    } else if (c == '+' && plusIsSpace) {
      c = ' ';
    }
    if (c < 0x20 || c == 0x7f) return {};
    out += static_cast<char>(c);
  }
  return out;
}

}  // namespace

std::optional<Target> parseTarget(std::string_view target) {
  if (!target.starts_with('/')) return {};
  size_t end = std::min(target.find('?'), target.size());
  std::optional<std::string> path = decoded(target.substr(0, end), false);
  if (!path) return {};
  Target out{.path = std::move(*path), .query = {}};
  for (std::string_view rest = target.substr(end); !rest.empty();) {
    rest.remove_prefix(1);  // the question mark, or an ampersand
    std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(pair.size());
    size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = decoded(pair.substr(0, equals), true);
    std::optional<std::string> value =
        decoded(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return {};
    // Of two values one part of a program would see the first and another the last.
    if (!name->empty() && !out.query.emplace(*name, *value).second) return {};
  }
  return out;
}

}  // namespace fjord::study
