#include "report/document.h"

#include <algorithm>

#include "report/format.h"

namespace fjord::study {

int Table::note(const std::string& text) {
  auto found = std::ranges::find(notes, text);
  if (found == notes.end()) found = notes.insert(notes.end(), text);
  return static_cast<int>(found - notes.begin()) + 1;
}

Entry Table::reason(const std::string& text) {
  constexpr size_t kFits = 18, kNote = 300;  // characters of a column and of a line below the table
  if (text.size() <= kFits) return {.text = text, .kind = Entry::kReason};
  std::string first = text.substr(0, text.find_first_of(":,"));
  return {
      .text = clipped(first, kFits), .kind = Entry::kReason, .note = note(clipped(text, kNote))};
}

}  // namespace fjord::study
