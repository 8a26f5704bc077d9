// The one door for what descriptions say: arguments of layers, losses, optimizers, options of fit,
// members of a file. A table says what each may be. What no row names, is of another kind or out of
// range is an error that names it, its value and what is allowed; nothing falls back to a default
// because it could not be read.
//
//   using namespace arguments;
//   constexpr Argument kDense[] = {
//       whole("units", kCount).isNeeded(),
//       flag("use_bias", true),
//       described("kernel_initializer", checkInitializer, "glorot_uniform"),
//       number("rate", kFinite, 0.5),
//       also(kEveryLayer),
//   };
//   FJORD_TRY(Fields fields, Fields::of("Dense", kDense, config));
//   int units = fields.whole("units");
//
// "units must be a whole number from 1 to 2147483647, got 32.9"
// "unitts is not an argument of Dense; did you mean units? There are units, use_bias, .."
//
// Names are compared by their letters and digits: kernelSize and kernel_size are one argument, and
// an error writes it as the description does. A member that is null is one that is missing. The
// tables are plain data: what lists arguments, their kinds and defaults reads them.
#pragma once

#include <limits>
#include <map>
#include <vector>

#include "base/json.h"

namespace fjord {

/// From `least` to `most`; `above` and `below`: without these themselves.
struct Range {
  double least, most;
  bool above = false, below = false;
};
inline constexpr double kMostFloat = std::numeric_limits<float>::max();
inline constexpr double kMostInt = std::numeric_limits<int32_t>::max();
/// Of whole numbers.
inline constexpr Range kCount{1, kMostInt}, kIndex{0, kMostInt}, kAnyInt{-kMostInt - 1, kMostInt};
/// Of numbers; all are computed with in float32.
inline constexpr Range kFinite{-kMostFloat, kMostFloat}, kNotNegative{0, kMostFloat},
    kPositive{0, kMostFloat, true}, kShare{0, 1}, kBelowOne{0, 1, false, true};

struct Argument {
  enum Kind : uint8_t {
    kFlag,
    kWhole,
    kNumber,
    kText,
    kChoice,   // one of some texts, compared as names are; "null" among them is null itself
    kPerAxis,  // a whole number for each of `axes`, or one for all
    kWholes,   // a whole number, or a list of up to kMaxRank
    kShape,    // a list of whole numbers, or null where an axis is open
    kBorders,  // of two axes one number, [vertical, horizontal] or [[top, bottom], [left, right]];
               // of one axis one number or [before, after]
    kNumbers,  // a list of numbers
    kOneOrMore,    // a number, or a list of at least one
    kInterval,     // a list of two numbers, or a number x, which stands for [-x, x]
    kTexts,        // a list of texts
    kTextsByName,  // an object of texts
    kDescribed,    // a name, or {"class_name", "config"}, that `check` knows
    kJson,         // anything that `check` does not refuse
    kOnly,         // what others write and means nothing here, or is not done: certain values alone
    kAlso,         // the rows of another table
  };
  Kind kind;
  const char* name;  // "negative_slope|alpha": or an older one
  bool needed = false;
  const Range* range = nullptr;
  /// The default of numbers, whole numbers, flags and what is per axis; NaN for none.
  double fallback = std::numeric_limits<double>::quiet_NaN();
  /// kChoice, kOnly: "valid|same", the first is the default (of kOnly as JSON); of kNumber "null", if
  /// that is a value, too; else the default.
  const char* text = nullptr;
  Status (*check)(const Json& value) = nullptr;
  uint8_t axes = 0;  // kPerAxis, kBorders: from 1 to 3
  // Not a span: libc++'s wants the type to be complete.
  const Argument* rows = nullptr;
  size_t rowCount = 0;

  constexpr Argument isNeeded() const {
    Argument a = *this;
    a.needed = true;
    return a;
  }
  /// A number that null is not the default of, but none at all: NaN.
  constexpr Argument orNull() const {
    Argument a = *this;
    a.text = "null";
    return a;
  }
  constexpr Argument checkedBy(Status (*by)(const Json& value)) const {
    Argument a = *this;
    a.check = by;
    return a;
  }
};

/// What tables are made of.
namespace arguments {

constexpr double kNoDefault = std::numeric_limits<double>::quiet_NaN();
constexpr Argument flag(const char* name, bool fallback) {
  return {.kind = Argument::kFlag, .name = name, .fallback = fallback ? 1.0 : 0.0};
}
constexpr Argument whole(const char* name, const Range& range, double fallback = kNoDefault) {
  return {.kind = Argument::kWhole, .name = name, .range = &range, .fallback = fallback};
}
constexpr Argument number(const char* name, const Range& range, double fallback = kNoDefault) {
  return {.kind = Argument::kNumber, .name = name, .range = &range, .fallback = fallback};
}
constexpr Argument perAxis(const char* name, int axes, const Range& range,
                           double fallback = kNoDefault) {
  return {.kind = Argument::kPerAxis,
          .name = name,
          .range = &range,
          .fallback = fallback,
          .axes = static_cast<uint8_t>(axes)};
}
constexpr Argument pair(const char* name, const Range& range, double fallback = kNoDefault) {
  return perAxis(name, 2, range, fallback);
}
constexpr Argument wholes(const char* name, const Range& range, double fallback = kNoDefault) {
  return {.kind = Argument::kWholes, .name = name, .range = &range, .fallback = fallback};
}
constexpr Argument shape(const char* name) { return {.kind = Argument::kShape, .name = name}; }
constexpr Argument borders(const char* name, int axes, double fallback) {
  return {.kind = Argument::kBorders,
          .name = name,
          .range = &kIndex,
          .fallback = fallback,
          .axes = static_cast<uint8_t>(axes)};
}
constexpr Argument numbers(const char* name, const Range& range) {
  return {.kind = Argument::kNumbers, .name = name, .range = &range};
}
constexpr Argument oneOrMore(const char* name, const Range& range, double fallback = kNoDefault) {
  return {.kind = Argument::kOneOrMore, .name = name, .range = &range, .fallback = fallback};
}
constexpr Argument interval(const char* name, const Range& range, double fallback = kNoDefault) {
  return {.kind = Argument::kInterval, .name = name, .range = &range, .fallback = fallback};
}
constexpr Argument text(const char* name, const char* fallback = nullptr) {
  return {.kind = Argument::kText, .name = name, .text = fallback};
}
constexpr Argument texts(const char* name) { return {.kind = Argument::kTexts, .name = name}; }
constexpr Argument textsByName(const char* name) {
  return {.kind = Argument::kTextsByName, .name = name};
}
constexpr Argument choice(const char* name, const char* choices) {
  return {.kind = Argument::kChoice, .name = name, .text = choices};
}
constexpr Argument described(const char* name, Status (*check)(const Json&),
                             const char* fallback = nullptr) {
  return {.kind = Argument::kDescribed, .name = name, .text = fallback, .check = check};
}
constexpr Argument json(const char* name, Status (*check)(const Json&) = nullptr) {
  return {.kind = Argument::kJson, .name = name, .check = check};
}
constexpr Argument only(const char* name, const char* allowed) {
  return {.kind = Argument::kOnly, .name = name, .text = allowed};
}
constexpr Argument also(std::span<const Argument> rows) {
  return {.kind = Argument::kAlso, .name = "", .rows = rows.data(), .rowCount = rows.size()};
}

}  // namespace arguments

/// The members of one object, all of them checked. It refers to the object.
class Fields {
 public:
  /// `owner` is whose arguments they are, as messages name it; `place` stands before each name:
  /// "backends/cpu/". An object that is null is an empty one.
  static Result<Fields> of(std::string_view owner, std::span<const Argument> table,
                           const Json& object, std::string_view place = "") {
    return of(owner, table, {}, object, place);
  }
  /// The same of two tables; the second's names are not offered for those that are not known.
  static Result<Fields> of(std::string_view owner, std::span<const Argument> table,
                           std::span<const Argument> common, const Json& object,
                           std::string_view place = "");

  /// Whether the table has such a row.
  bool knows(const char* name) const;
  /// Whether it is there, and not null unless that is a choice.
  bool has(const char* name) const { return given(name) != nullptr; }

  // What the description says, or the table's default. `name` is the first of the row's names.
  bool flag(const char* name) const { return number(name) != 0; }
  int32_t whole(const char* name) const { return static_cast<int32_t>(number(name)); }
  double number(const char* name) const;
  std::string text(const char* name) const;
  /// As the table writes it.
  std::string_view choice(const char* name) const;
  /// One for each of the row's axes.
  Shape perAxis(const char* name) const;
  std::array<int32_t, 2> pair(const char* name) const;
  /// Of kWholes, and of kShape, where an open axis is -1; empty without any.
  Shape wholes(const char* name) const;
  /// Before and after along each of the row's axes: top, bottom, left, right.
  Shape borders(const char* name) const;
  /// Also of kOneOrMore, where a number is one of them.
  std::vector<double> numbers(const char* name) const;
  /// The lesser number and the larger one; of one number -x, or the least that is allowed, and x.
  std::array<double, 2> interval(const char* name) const;
  /// One of them, and how many there are, without a copy of all.
  double numberAt(const char* name, size_t i) const;
  size_t count(const char* name) const;
  std::vector<std::string> texts(const char* name) const;
  std::map<std::string, std::string> textsByName(const char* name) const;
  /// null without it and without a default.
  Json json(const char* name) const;
  /// What was given, under the names of the table.
  Json plain() const;
  /// The same of all arguments, with the defaults of those that were not given; null where there is none.
  /// `common` ones are there where they were given, or have a default.
  Json complete() const;

 private:
  Fields(std::span<const Argument> table, std::span<const Argument> common)
      : table_(table), common_(common) {}
  const Json* given(const char* name) const;
  Json plain(const Argument& row, const Json& value) const;
  const Argument* find(const char* name) const;
  const Argument& row(const char* name) const;

  std::span<const Argument> table_, common_;
  std::vector<std::pair<const Argument*, const Json*>> given_;
};

/// A number, also as the texts "NaN", "Infinity" and "-Infinity", which JSON cannot write otherwise.
std::optional<double> numberIn(const Json& j);
/// A value as messages show it: JSON, cut where it is long.
std::string shown(const Json& value);
/// "; did you mean kernel_size? There are filters, kernel_size": what to say of a name that is not
/// among some.
std::string insteadOf(std::string_view unknown, std::span<const std::string_view> known);

/// A row of a table of things that are chosen by name: "max_norm", or also "mean_squared_error|mse".
struct Named {
  std::string_view name;
  std::span<const Argument> arguments;
};
std::string_view firstName(const Named& row);

/// Of a description {"class_name", "config"}, where its arguments stand.
const Json& configOf(const Json& description);
/// The name in a description, or in the text alone; what else it says has to be what Keras writes.
Result<std::string> nameIn(const Json& description);
bool isCalled(const Named& row, std::string_view name);

/// A row and what a description says of its arguments. It refers to the description.
template <class Row>
struct Chosen {
  const Row* row;
  Fields fields;
};

/// A table as tests see it, and what generates from it.
struct Table {
  std::string_view what;
  std::vector<Named> rows;
  std::span<const Argument> common;  // what all rows have
  Status (*check)(const Json& description);
};

Result<Fields> fieldsOf(const Named& row, std::span<const Argument> common,
                        const Json& description);
std::unexpected<Error> unknown(std::string_view what, std::string_view name,
                               std::vector<std::string_view> known);

/// The row that a description names, all of its arguments, and those that all rows have, checked;
/// `what` is what it would be: "loss".
template <class Row, size_t n>
Result<Chosen<Row>> chosen(std::string_view what, const Row (&rows)[n], const Json& description,
                           std::span<const Argument> common = {}) {
  Result<std::string> named = nameIn(description);
  if (!named) return fail("the ", what, " ", named.error().message);
  std::string_view name = *named;
  for (const Row& row : rows) {
    if (!isCalled(row, name)) continue;
    FJORD_TRY(Fields fields, fieldsOf(row, common, description));
    return Chosen<Row>{&row, std::move(fields)};
  }
  std::vector<std::string_view> known;
  for (const Row& row : rows) known.push_back(firstName(row));
  return unknown(what, name, std::move(known));
}

}  // namespace fjord
