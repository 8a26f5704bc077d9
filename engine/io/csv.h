// CSV: a table of numbers with one column of labels, as a spreadsheet writes it.
//
//   FJORD_TRY(CsvTable flowers, readCsv(text, {.label = "species"}));
//   flowers.x                                        // [150,4] float32
//   flowers.labels                                   // "setosa", "setosa", ..
//   std::vector<std::string> classes = classesOf(flowers.labels);
//   FJORD_TRY(Tensor y, classNumbers(flowers, classes));                 // [150] int32
//
// The format is RFC 4180's, and what is commonly written besides: lines end in LF or CRLF, cells
// are separated by the comma, semicolon or tab that the first line has most of, a byte order mark
// and empty lines are skipped; the text is UTF-8. Every row has as many cells as the first one, and
// every cell but the label is a finite number with a decimal point. Errors name line and column.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"

namespace fjord {

/// Cells one row after the other; nothing is kept.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text);

  /// The next row, in memory that the next call uses again; false after the last one.
  Result<bool> next(std::vector<std::string>& cells);
  /// Where the row began, counted from 1. A cell in quotes can hold line ends.
  int line() const { return rowLine_; }

 private:
  Status readCell(std::string& cell);
  bool atEnd() const { return at_ == text_.size(); }
  bool atLineEnd() const;
  void skipLineEnd();

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1, rowLine_ = 0;
  char separator_ = ',';
};

struct CsvOptions {
  /// The name of the column of labels, "last", or "" where there are none.
  std::string label = "last";
};

struct CsvTable {
  std::vector<std::string> columns;  // of x: names, or empty where the file has none
  std::string label;                 // the name of the column of labels, or ""
  Tensor x;                          // [rows, columns]
  std::vector<std::string> labels;   // as written; empty where there are none
  std::vector<int> lines;            // of each row in the file
};

/// The first row is taken for names where a cell that is to be a number is none.
Result<CsvTable> readCsv(std::string_view text, const CsvOptions& options = {});

/// The different labels: numbers by value, then texts by the alphabet.
std::vector<std::string> classesOf(const std::vector<std::string>& labels);

/// The place of each label among the classes, [rows] int32.
Result<Tensor> classNumbers(const CsvTable& table, const std::vector<std::string>& classes);

/// The labels as numbers, [rows, 1] float32.
Result<Tensor> labelNumbers(const CsvTable& table);

/// A finite number that takes up all of the text but for spaces around it.
std::optional<float> csvNumber(std::string_view text);

/// A text as a cell: in quotes where it needs them.
std::string csvCell(std::string_view text);

}  // namespace fjord
