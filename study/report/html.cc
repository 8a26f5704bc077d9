#include <algorithm>

#include "base/text.h"
#include "report/charts.h"
#include "report/document.h"
#include "report/page.css.h"
#include "report/page.js.h"

namespace fjord::study {

namespace {

/// Text as the content of an element or of an attribute in double quotes.
std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f ? ' ' : c;
    }
  }
  return out;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

/// A program inside <script>: what would end the element, or begin a comment, stands in its strings
/// only.
std::string inlined(const std::string& script) {
  return replaced(replaced(script, "</script", "\\x3c/script"), "<!--", "\\x3c!--");
}

/// JSON inside <script>: no "<", so that no text can end the element.
std::string inlined(const Json& json) {
  return replaced(json.dump(-1, ' ', false, Json::error_handler_t::replace), "<", "\\u003c");
}

/// Writes the blocks; charts leave their specifications here for the end of the page.
class Page {
 public:
  std::string out;
  Json specs = Json::array();

  void write(const Section& section) {
    out += cat("<section id=\"", section.id, "\">\n<h2>", escaped(section.title), "</h2>\n");
    for (const Block& block : section.blocks)
      std::visit([&](const auto& content) { write(content); }, block);
    out += "</section>\n";
  }

 private:
  void write(const Paragraph& paragraph) {
    out += cat("<p", paragraph.kind == Paragraph::kLoud ? " class=\"loud\"" : "", ">",
               escaped(paragraph.text), "</p>\n");
  }

  void write(const Finding& finding) {
    std::string verdict = kVerdictNames[static_cast<int>(finding.verdict)];
    out += cat("<article class=\"finding\" id=\"finding-", finding.number, "\">\n<h3>",
               finding.number, ". ", escaped(finding.name), " <span class=\"verdict v",
               static_cast<int>(finding.verdict), "\">", verdict, "</span></h3>\n<dl>\n");
    auto item = [&](const char* name, const std::vector<std::string>& texts) {
      out += cat("<dt>", name, "</dt>");
      for (const std::string& text : texts) out += "<dd>" + escaped(text) + "</dd>\n";
    };
    item("The paper", {finding.paper});
    item("It holds where", {finding.criterion});
    if (!finding.why.empty()) item(kVerdictHeads[static_cast<int>(finding.verdict)], {finding.why});
    if (!finding.evidence.empty()) item("Here", finding.evidence);
    out += "</dl>\n</article>\n";
  }

  void write(const Figure& figure) {
    out += "<figure class=\"charts\">\n<figcaption>" + escaped(figure.caption) + "</figcaption>\n";
    if (!figure.note.empty()) out += "<p class=\"quiet\">" + escaped(figure.note) + "</p>\n";
    if (figure.panels.empty()) out += "<p>Nothing was measured: the table tells why.</p>\n";
    out += "<div class=\"panels\">\n";
    for (const Panel& panel : figure.panels) {
      out += cat("<div class=\"panel\"><h3>", escaped(panel.title), "</h3><div data-chart=\"",
                 specs.size(), "\"></div></div>\n");
      specs.push_back(panel.spec);
    }
    out += "</div>\n</figure>\n";
  }

  void write(const Table& table) {
    std::string caption = escaped(table.caption);
    out += table.folded ? "<details><summary>" + caption + "</summary>\n" : "";
    out += "<figure class=\"table\">\n";
    if (!table.folded && !caption.empty()) out += "<figcaption>" + caption + "</figcaption>\n";
    // Focusable, so that a keyboard can scroll it.
    out += cat("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", caption,
               "\"><table", table.head.empty() ? " class=\"pairs\"" : "", ">\n");
    if (!table.head.empty()) out += "<thead><tr>";
    for (size_t i = 0; i < table.head.size(); ++i)
      out += cat("<th scope=\"col\"", isNumeric(table, i) ? " class=\"n\"" : "", ">",
                 escaped(table.head[i]), "</th>");
    if (!table.head.empty()) out += "</tr></thead>\n";
    out += "<tbody>\n";
    for (const auto& row : table.rows) writeRow(row);
    out += "</tbody></table></div>\n";
    if (!table.notes.empty()) writeNotes(table.notes);
    out += table.folded ? "</figure></details>\n" : "</figure>\n";
  }

  static bool isNumeric(const Table& table, size_t column) {
    return std::ranges::any_of(table.rows, [&](const std::vector<Entry>& row) {
      return column < row.size() && row[column].kind == Entry::kNumber;
    });
  }

  void writeRow(const std::vector<Entry>& row) {
    constexpr const char* kClasses[] = {"", " class=\"n\"", " class=\"why\""};
    out += "<tr>";
    for (const Entry& entry : row) {
      bool first = &entry == row.data();
      out += first ? "<th scope=\"row\"" : "<td";
      out += kClasses[entry.kind];
      if (entry.span > 1) out += cat(" colspan=\"", entry.span, "\"");
      out += ">";
      if (entry.colour >= 0)
        out += cat("<i style=\"color:", colourOf(entry.colour), "\" aria-hidden=\"true\">",
                   shapeOf(entry.colour).glyph, "</i>&nbsp;");
      std::string text = escaped(entry.text);
      out += entry.best ? "<b>" + text + "</b>" : text;
      if (entry.note) out += cat("<sup>", entry.note, "</sup>");
      if (!entry.small.empty()) out += "<small>" + escaped(entry.small) + "</small>";
      if (!entry.paper.empty())
        out += "<small class=\"paper\">paper: " + escaped(entry.paper) + "</small>";
      out += first ? "</th>" : "</td>";
    }
    out += "</tr>\n";
  }

  void writeNotes(const std::vector<std::string>& notes) {
    out += "<ol class=\"notes\">";
    for (const std::string& note : notes) out += "<li>" + escaped(note) + "</li>";
    out += "</ol>\n";
  }
};

}  // namespace

std::string toHtml(const Document& document, const Libraries& libraries) {
  Page page;
  std::string links;
  for (const Section& section : document.sections) {
    page.write(section);
    links += cat("<a href=\"#", section.id, "\">", escaped(section.title), "</a>\n");
  }
  std::string scripts;
  for (const std::string* library : {&libraries.vega, &libraries.vegaLite, &libraries.vegaEmbed})
    scripts += "<script>" + inlined(*library) + "</script>\n";
  return cat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
      // Nothing is fetched, whatever a text in the report says.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src "
      "'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">\n",
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>", escaped(document.title),
      "</title>\n<style>", kPageCss, "</style>\n</head>\n<body>\n<header>\n<h1>",
      escaped(document.title), "</h1>\n<p>", escaped(document.subtitle), "</p>\n<nav>\n", links,
      "</nav>\n<noscript><p>The charts need JavaScript; the tables have all "
      "numbers.</p></noscript>\n",
      "</header>\n<main>\n", page.out, "</main>\n",
      "<script type=\"application/json\" id=\"specs\">", inlined(page.specs), "</script>\n",
      scripts, "<script>", inlined(std::string(kPageJs)), "</script>\n</body>\n</html>\n");
}

}  // namespace fjord::study
