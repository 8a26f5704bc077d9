#include <algorithm>

#include "base/text.h"
#include "report/document.h"

namespace fjord::study {

namespace {

/// Text that Markdown shows as it is: on one line, and in a cell of a table.
std::string escaped(const std::string& text) {
  constexpr std::string_view kSpecial = "\\`*_[]|~#";
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += ' ';
    } else {
      if (kSpecial.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string entryText(const Entry& entry) {
  std::string out = escaped(entry.text);
  if (entry.best) out = "**" + out + "**";
  if (!entry.small.empty()) out += " (" + escaped(entry.small) + ")";
  if (entry.note) out += cat(" <sup>", entry.note, "</sup>");
  if (!entry.paper.empty()) out += " *paper: " + escaped(entry.paper) + "*";
  return out;
}

/// A line of a table; columns that one entry covers repeat it in short.
std::string rowText(const std::vector<Entry>& row) {
  std::string out = "|";
  for (const Entry& entry : row) {
    out += " " + entryText(entry) + " |";
    for (int i = 1; i < entry.span; ++i) out += " ″ |";
  }
  return out + "\n";
}

/// Numbers stand at the right.
bool isNumeric(const Table& table, size_t column) {
  return std::ranges::any_of(table.rows, [&](const std::vector<Entry>& row) {
    return column < row.size() && row[column].kind == Entry::kNumber;
  });
}

void write(std::string& out, const Table& table) {
  size_t columns = table.head.size();
  for (const auto& row : table.rows) columns = std::max(columns, row.size());
  if (table.folded) out += "<details>\n<summary>" + escaped(table.caption) + "</summary>\n\n";
  if (!table.folded && !table.caption.empty()) out += "*" + escaped(table.caption) + "*\n\n";
  out += "|";
  for (size_t i = 0; i < columns; ++i)
    out += " " + (i < table.head.size() ? escaped(table.head[i]) : "") + " |";
  out += "\n|";
  for (size_t i = 0; i < columns; ++i) out += isNumeric(table, i) ? "---:|" : "---|";
  out += "\n";
  for (const auto& row : table.rows) out += rowText(row);
  for (size_t i = 0; i < table.notes.size(); ++i)
    out += cat("\n<sup>", i + 1, "</sup> ", escaped(table.notes[i]), "\n");
  if (table.folded) out += "\n</details>\n";
  out += "\n";
}

/// Markdown has no charts; the table below a figure has its numbers.
void write(std::string&, const Figure&) {}

void write(std::string& out, const Paragraph& paragraph) {
  std::string text = escaped(paragraph.text);
  out += (paragraph.kind == Paragraph::kLoud ? "**" + text + "**" : text) + "\n\n";
}

void write(std::string& out, const Finding& finding) {
  std::string verdict = kVerdictNames[static_cast<int>(finding.verdict)];
  out += cat("### ", finding.number, ". ", escaped(finding.name), ": ", verdict, "\n\n");
  if (!finding.why.empty())
    out +=
        cat(kVerdictHeads[static_cast<int>(finding.verdict)], ": ", escaped(finding.why), ".\n\n");
  out += "- The paper: " + escaped(finding.paper) + "\n";
  out += "- It holds where: " + escaped(finding.criterion) + "\n";
  for (const std::string& line : finding.evidence) out += "- Here: " + escaped(line) + "\n";
  out += "\n";
}

}  // namespace

std::string toMarkdown(const Document& document) {
  std::string out = "# " + escaped(document.title) + "\n\n" + escaped(document.subtitle) + "\n\n";
  for (const Section& section : document.sections) {
    out += "## " + escaped(section.title) + "\n\n";
    for (const Block& block : section.blocks)
      std::visit([&](const auto& content) { write(out, content); }, block);
  }
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace fjord::study
