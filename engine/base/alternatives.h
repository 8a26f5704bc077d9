// Lists of texts as tables of names have them: "valid|same".
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

namespace fjord {

/// The texts of "a|b|c"; of "" one, which is empty. They refer to the list.
inline std::vector<std::string_view> alternatives(std::string_view list) {
  std::vector<std::string_view> out;
  for (size_t at = 0; at <= list.size();) {
    size_t end = std::min(list.find('|', at), list.size());
    out.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace fjord
