// What the report says, apart from how it looks: sections of paragraphs, tables, figures and
// findings, defined once and written as HTML and as Markdown.
//
//   Document report{.title = "..", .sections = {{"files", "Files", {Paragraph{".."}, table}}}};
//   std::string html = toHtml(report, libraries), text = toMarkdown(report);
//
// Texts are plain: what writes them escapes them.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/json.h"

namespace fjord::study {

/// A cell of a table.
struct Entry {
  enum Kind { kWord, kNumber, kReason };  // kReason: why there is no number
  std::string text;
  Kind kind = kWord;
  std::string small;  // an interval or a count: in smaller type beneath
  std::string paper;  // the paper's own value, beside ours
  int note = 0;       // of the table's notes, from 1; 0 for none
  int span = 1;       // columns that it covers
  int colour = -1;    // a subject's: see Series
  bool best = false;  // of its column
};

inline Entry word(const std::string& text) { return {.text = text}; }

struct Table {
  std::string caption;
  std::vector<std::string> head;
  std::vector<std::vector<Entry>> rows;
  std::vector<std::string> notes;
  bool folded = false;  // shown when asked for

  /// The number of a note with this text; the same text has one number.
  int note(const std::string& text);
  /// An entry that tells a reason: a short one at length, a long one as a note.
  Entry reason(const std::string& text);
};

/// One of the small multiples of a figure.
struct Panel {
  std::string title;
  Json spec;  // Vega-Lite
};

struct Figure {
  std::string caption;
  std::string note;  // how to read it
  std::vector<Panel> panels;
};

struct Paragraph {
  enum Kind { kPlain, kLoud, kQuiet };
  std::string text;
  Kind kind = kPlain;
};

/// kUnknown: the run lacks something; kNotDecided: its figures are too uncertain.
enum class Verdict { kHolds, kPartly, kNoLonger, kUnknown, kNotDecided };
inline constexpr const char* kVerdictNames[] = {"holds", "holds in part", "no longer",
                                                "cannot be told", "not decided"};
/// The same at the beginning of a line.
inline constexpr const char* kVerdictHeads[] = {"Holds", "Holds in part", "No longer",
                                                "Cannot be told", "Not decided"};

/// What became of one of the paper's findings.
struct Finding {
  int number = 0;
  std::string name;
  std::string paper;      // what the paper found, in short
  std::string criterion;  // when this report says that it holds
  Verdict verdict = Verdict::kUnknown;
  std::string why;                    // where it cannot be told, or is not decided
  std::vector<std::string> evidence;  // the figures that the verdict rests on
};

using Block = std::variant<Paragraph, Table, Figure, Finding>;

struct Section {
  std::string id;  // of its heading, for links
  std::string title;
  std::vector<Block> blocks;
};

struct Document {
  std::string title;
  std::string subtitle;
  std::vector<Section> sections;
};

/// The programs that draw the charts.
struct Libraries {
  std::string vega, vegaLite, vegaEmbed;
};

std::string toHtml(const Document& document, const Libraries& libraries);
std::string toMarkdown(const Document& document);

}  // namespace fjord::study
