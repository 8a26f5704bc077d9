#include "io/csv.h"

#include <locale.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace fjord {

// ---- cells

namespace {

constexpr char kQuote = '"';
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// What the first line has most of, outside quotes; a comma where it has none.
char separatorOf(std::string_view text) {
  constexpr std::string_view kSeparators = ",;\t";
  size_t counts[kSeparators.size()] = {};
  bool quoted = false;
  for (char c : text) {
    if (c == kQuote) quoted = !quoted;
    if (quoted) continue;
    if (c == '\n') break;
    size_t i = kSeparators.find(c);
    if (i != std::string_view::npos) ++counts[i];
  }
  return kSeparators[static_cast<size_t>(std::ranges::max_element(counts) - counts)];
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) + 1 - begin);
}

/// Whether the text is UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool isUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto first = static_cast<unsigned char>(text[i]);
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length > text.size() - i) return false;
    uint32_t point = length == 1 ? first : first & (0x7fu >> length);
    for (size_t k = 1; k < length; ++k) {
      auto next = static_cast<unsigned char>(text[i + k]);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3fu);
    }
    constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kSmallest[length] || point > 0x10ffff || point >> 11 == 0x1b) return false;
    // A byte that only continues another, or that no length has.
    if (length > 1 && (first < 0xc0 || first > 0xf7)) return false;
    i += length;
  }
  return true;
}

}  // namespace

CsvReader::CsvReader(std::string_view text) : text_(text) {
  if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  separator_ = separatorOf(text_);
}

bool CsvReader::atLineEnd() const {
  std::string_view rest = text_.substr(at_);
  return rest.starts_with('\n') || rest.starts_with("\r\n") || rest == "\r";
}

void CsvReader::skipLineEnd() {
  if (atEnd()) return;
  if (text_[at_] == '\r') ++at_;
  if (!atEnd()) ++at_;
  ++line_;
}

Status CsvReader::readCell(std::string& cell) {
  cell.clear();
  if (atEnd() || text_[at_] != kQuote) {
    while (!atEnd() && text_[at_] != separator_ && !atLineEnd()) cell += text_[at_++];
    return {};
  }
  int opened = line_;
  for (++at_; !atEnd(); ++at_) {
    if (text_[at_] == kQuote) {
      // Two quotes stand for one; one ends the cell.
      if (!text_.substr(at_ + 1).starts_with(kQuote)) break;
      ++at_;
    } else if (text_[at_] == '\n') {
      ++line_;
    }
    cell += text_[at_];
  }
  if (atEnd()) return fail("csv: line ", opened, ": the quote is never closed");
  ++at_;
  if (atEnd() || text_[at_] == separator_ || atLineEnd()) return {};
  return fail("csv: line ", line_, ": text follows the closing quote of ",
              std::string_view(cell).substr(0, 40));
}

Result<bool> CsvReader::next(std::vector<std::string>& cells) {
  while (!atEnd() && atLineEnd()) skipLineEnd();
  rowLine_ = line_;
  if (atEnd()) return false;
  size_t count = 0;
  do {
    // A row after the first one finds the texts of the row before, and their memory.
    if (count == cells.size()) cells.emplace_back();
    FJORD_CHECK(readCell(cells[count++]));
    if (!isUtf8(cells[count - 1]))
      return fail("csv: line ", line_, ", column ", count,
                  ": is not UTF-8; save the file as UTF-8");
  } while (!atEnd() && text_[at_] == separator_ && ++at_);
  cells.resize(count);
  skipLineEnd();
  return true;
}

namespace {

/// A sign, digits with at most one point among them, an exponent: no "inf", no "0x10".
bool isDecimal(std::string_view text) {
  size_t at = 0;
  auto skip = [&](std::string_view any) {
    bool found = at < text.size() && any.find(text[at]) != std::string_view::npos;
    at += found;
    return found;
  };
  auto digits = [&] {
    size_t begin = at;
    while (skip("0123456789")) continue;
    return at - begin;
  };
  skip("+-");
  size_t mantissa = digits();
  if (skip(".")) mantissa += digits();
  if (mantissa == 0) return false;
  if (skip("eE")) {
    skip("+-");
    if (digits() == 0) return false;
  }
  return at == text.size();
}

}  // namespace

std::optional<float> csvNumber(std::string_view text) {
  text = trimmed(text);
  if (!isDecimal(text)) return {};
  // The decimal point is a point whatever locale the program has chosen. (std::from_chars for
  // floats is missing from WebAssembly's library.)
  static const locale_t kLocale = newlocale(LC_ALL_MASK, "C", nullptr);
  float value = strtof_l(std::string(text).c_str(), nullptr, kLocale);
  if (!std::isfinite(value)) return {};
  return value;
}

std::string csvCell(std::string_view text) {
  if (text.find_first_of(",;\t\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out(1, kQuote);
  for (char c : text) out.append(c == kQuote ? 2 : 1, c);
  return out + kQuote;
}

// ---- tables

namespace {

/// Which column holds the labels; -1 for none.
Result<int> labelColumn(const std::vector<std::string>& first, const std::string& label) {
  if (label.empty()) return -1;
  std::string names;
  for (size_t i = 0; i < first.size(); ++i) {
    if (trimmed(first[i]) == label) return static_cast<int>(i);
    if (i < 8) names += cat(i ? ", " : "", trimmed(first[i]).substr(0, 40));
  }
  if (label == "last") return static_cast<int>(first.size()) - 1;
  return fail("csv: line 1: there is no column ", label, "; the columns are ", names,
              first.size() > 8 ? cat(", .. (", first.size(), " of them)") : std::string());
}

/// A table row by row.
struct TableBuilder {
  CsvTable table;
  int label = -1;
  size_t width = 0;
  std::vector<float> numbers;

  std::string nameOf(size_t column) const {
    std::string number = cat("column ", column + 1);
    size_t at = label >= 0 && column > static_cast<size_t>(label) ? column - 1 : column;
    bool named = !table.columns.empty() && static_cast<int>(column) != label;
    return named ? cat(number, " (", table.columns[at], ")") : number;
  }

  /// Whether the first row holds names: a cell that is to be a number is none.
  void takeNames(const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) {
      std::string name(trimmed(cells[i]));
      if (static_cast<int>(i) == label) {
        table.label = name;
      } else {
        table.columns.push_back(name);
      }
    }
  }

  Status add(const std::vector<std::string>& cells, int line) {
    if (cells.size() != width)
      return fail("csv: line ", line, ": ", cells.size(), " cells, the first line has ", width);
    for (size_t i = 0; i < cells.size(); ++i) {
      if (static_cast<int>(i) == label) {
        table.labels.emplace_back(trimmed(cells[i]));
        if (table.labels.back().empty())
          return fail("csv: line ", line, ", column ", i + 1, ": the label is empty");
        continue;
      }
      std::optional<float> x = csvNumber(cells[i]);
      if (!x) {
        std::string_view text = std::string_view(cells[i]).substr(0, 40);
        return fail("csv: line ", line, ", ", nameOf(i), ": \"", text, "\" is not a finite number");
      }
      numbers.push_back(*x);
    }
    table.lines.push_back(line);
    return {};
  }

  /// Where all features have numbers for names, as data frames write them, it is the label's cell
  /// that gives the names away: a text above numbers.
  void dropNames(const std::vector<std::string>& first) {
    auto isText = [](const std::string& s) { return !csvNumber(s); };
    auto& labels = table.labels;
    if (labels.size() < 2 || !isText(labels[0]) ||
        std::any_of(labels.begin() + 1, labels.end(), isText))
      return;
    takeNames(first);
    labels.erase(labels.begin());
    table.lines.erase(table.lines.begin());
    numbers.erase(numbers.begin(), numbers.begin() + static_cast<ptrdiff_t>(width - 1));
  }
};

}  // namespace

Result<CsvTable> readCsv(std::string_view text, const CsvOptions& options) {
  CsvReader reader(text);
  std::vector<std::string> cells;
  FJORD_TRY(bool any, reader.next(cells));
  if (!any) return fail("csv: the file is empty");
  TableBuilder builder;
  FJORD_TRY(builder.label, labelColumn(cells, options.label));
  builder.width = cells.size();
  if (builder.label >= 0 && cells.size() < 2)
    return fail("csv: line ", reader.line(), ": one column, which is the label; the rows have no ",
                "numbers to learn from");
  bool named = !options.label.empty() && options.label != "last";
  for (size_t i = 0; i < cells.size(); ++i)
    named = named || (static_cast<int>(i) != builder.label && !csvNumber(cells[i]));
  const std::vector<std::string> first = cells;
  if (named) {
    builder.takeNames(cells);
  } else {
    FJORD_CHECK(builder.add(cells, reader.line()));
  }
  for (;;) {
    FJORD_TRY(bool more, reader.next(cells));
    if (!more) break;
    FJORD_CHECK(builder.add(cells, reader.line()));
  }
  if (!named) builder.dropNames(first);
  CsvTable& table = builder.table;
  if (table.lines.empty()) return fail("csv: there is no row of numbers below the names");
  size_t width = builder.width - (builder.label >= 0);
  Shape shape = {static_cast<int32_t>(table.lines.size()), static_cast<int32_t>(width)};
  FJORD_TRY(table.x, Tensor::of(shape, std::span<const float>(builder.numbers)));
  return std::move(table);
}

std::vector<std::string> classesOf(const std::vector<std::string>& labels) {
  std::vector<std::string> classes = labels;
  std::ranges::sort(classes);
  auto same = std::ranges::unique(classes);
  classes.erase(same.begin(), same.end());
  // Numbers first: texts have the largest of keys.
  auto key = [](const std::string& s) {
    return std::pair<float, std::string_view>(csvNumber(s).value_or(HUGE_VALF), s);
  };
  std::ranges::sort(classes, {}, key);
  return classes;
}

Result<Tensor> classNumbers(const CsvTable& table, const std::vector<std::string>& classes) {
  std::map<std::string_view, int32_t> numbers;
  for (size_t i = 0; i < classes.size(); ++i) numbers[classes[i]] = static_cast<int32_t>(i);
  FJORD_TRY(Tensor y, Tensor::empty({DType::kI32, {static_cast<int32_t>(table.labels.size())}}));
  for (size_t i = 0; i < table.labels.size(); ++i) {
    auto found = numbers.find(table.labels[i]);
    if (found == numbers.end())
      return fail("csv: line ", table.lines[i], ": the label ", table.labels[i], " is none of the ",
                  classes.size(), " classes");
    y.data<int32_t>()[i] = found->second;
  }
  return y;
}

Result<Tensor> labelNumbers(const CsvTable& table) {
  FJORD_TRY(Tensor y, Tensor::empty({DType::kF32, {static_cast<int32_t>(table.labels.size()), 1}}));
  for (size_t i = 0; i < table.labels.size(); ++i) {
    std::optional<float> value = csvNumber(table.labels[i]);
    if (!value)
      return fail("csv: line ", table.lines[i], ": the label \"", table.labels[i],
                  "\" is not a finite number");
    y.data<float>()[i] = *value;
  }
  return y;
}

}  // namespace fjord
