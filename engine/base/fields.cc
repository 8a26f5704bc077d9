#include "base/fields.h"

#include <algorithm>
#include <cmath>

namespace fjord {

namespace {

/// Calls f with each part of "a|b|c" until one is found for which it is true; that one, or "".
template <class F>
std::string_view firstOf(std::string_view list, F f) {
  for (size_t at = 0; at <= list.size();) {
    size_t end = std::min(list.find('|', at), list.size());
    std::string_view part = list.substr(at, end - at);
    if (f(part)) return part;
    at = end + 1;
  }
  return {};
}
std::string_view firstOf(std::string_view list) {
  return firstOf(list, [](std::string_view) { return true; });
}
std::string listed(std::string_view list) {
  std::string out;
  firstOf(list, [&](std::string_view part) {
    out += cat(out.empty() ? "" : ", ", part);
    return false;
  });
  return out;
}

bool isNamed(std::string_view names, std::string_view key) {
  std::string wanted = canonicalName(key);
  return !wanted.empty() && !firstOf(names, [&](std::string_view name) {
                               return canonicalName(name) == wanted;
                             }).empty();
}

/// Calls f with the rows of a table, those of tables within it too, until it is true for one.
template <class F>
const Argument* findRow(std::span<const Argument> table, F f) {
  for (const Argument& a : table) {
    if (a.kind != Argument::kAlso) {
      if (f(a)) return &a;
    } else if (const Argument* inner = findRow({a.rows, a.rowCount}, f)) {
      return inner;
    }
  }
  return nullptr;
}

/// Letters to insert, remove or change to make one of the other (Levenshtein 1966).
int distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int corner = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      int changed = corner + (a[i - 1] != b[j - 1]);
      corner = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// ---- one value

bool isIn(const Range& r, double x) {
  bool isBelow = r.below ? x < r.most : x <= r.most;
  // What is above is so in float32, too, which numbers are computed with.
  return isBelow && (r.above ? x > r.least && static_cast<float>(x) > r.least : x >= r.least);
}
bool isWhole(const Range& r, const Json& v) {
  std::optional<double> x = numberIn(v);
  return x && isIn(r, *x) && *x == std::floor(*x);
}
int32_t wholeOf(const Json& v) { return static_cast<int32_t>(v.get<double>()); }

bool isListOf(const Json& v, size_t least, size_t most, auto f) {
  return v.is_array() && v.size() >= least && v.size() <= most && std::ranges::all_of(v, f);
}
bool isText(const Json& v) { return v.is_string() && !v.get_ref<const std::string&>().empty(); }

std::string rangeOf(const Argument& a) {
  const Range& r = *a.range;
  if (a.kind != Argument::kNumber && a.kind != Argument::kNumbers &&
      a.kind != Argument::kOneOrMore && a.kind != Argument::kInterval)
    return cat(" from ", r.least, " to ", r.most);
  if (r.most == kMostFloat)
    return r.least == -kMostFloat ? "" : cat(r.above ? " above " : " of at least ", r.least);
  return cat(r.above ? " above " : " from ", r.least,
             r.below   ? " to below "
             : r.above ? " and at most "
                       : " to ",
             r.most);
}

std::string_view countOf(const Argument& a) {
  constexpr std::string_view kCounts[] = {"none", "one", "two", "three"};
  return kCounts[a.axes];
}

/// One that is missing is the default then, and null another choice.
constexpr std::string_view kNull = "null";
bool takesNull(const Argument& a) {
  bool has = a.kind == Argument::kChoice || (a.kind == Argument::kNumber && a.text);
  return has && isNamed(a.text, kNull);
}

/// What an argument may be.
std::string allowed(const Argument& a) {
  switch (a.kind) {
    case Argument::kFlag:
      return "true or false";
    case Argument::kWhole:
      return "a whole number" + rangeOf(a);
    case Argument::kNumber:
      return cat("a finite number", rangeOf(a), a.text ? ", or null" : "");
    case Argument::kText:
      return "a text that is not empty";
    case Argument::kChoice:
      return "one of " + listed(a.text);
    case Argument::kPerAxis:
      return cat("a whole number", rangeOf(a), ", or a list of ", countOf(a));
    case Argument::kWholes:
      return cat("a whole number", rangeOf(a), ", or a list of at most ", kMaxRank);
    case Argument::kShape:
      return cat("a list of at most ", kMaxRank, " whole numbers from 1, or null for an open axis");
    case Argument::kBorders:
      return cat("a whole number", rangeOf(a),
                 a.axes == 1   ? ", or [before, after]"
                 : a.axes == 2 ? ", [vertical, horizontal], or [[top, bottom], [left, right]]"
                               : ", or a list of three, each such a number or [before, after]");
    case Argument::kNumbers:
      return "a list of finite numbers" + rangeOf(a);
    case Argument::kOneOrMore:
      return cat("a finite number", rangeOf(a), ", or a list of at least one");
    case Argument::kInterval:
      return cat("a finite number", rangeOf(a), ", or a list of two");
    case Argument::kTexts:
      return "a list of texts that are not empty";
    case Argument::kTextsByName:
      return "an object of texts that are not empty";
    case Argument::kDescribed:
      return "a name, or {class_name, config}";
    case Argument::kOnly:
      return cat(*a.text ? listed(a.text) : "null", ": anything else is not supported");
    default:
      return "something else";
  }
}

bool isAllowed(const Argument& a, const Json& v) {
  auto whole = [&](const Json& j) { return isWhole(*a.range, j); };
  auto finite = [&](const Json& j) {
    std::optional<double> x = numberIn(j);
    return x && isIn(*a.range, *x);
  };
  switch (a.kind) {
    case Argument::kFlag:
      return v.is_boolean();
    case Argument::kWhole:
      return whole(v);
    case Argument::kNumber:
      return finite(v) || (v.is_null() && takesNull(a));
    case Argument::kText:
      return isText(v);
    case Argument::kChoice:
      return v.is_null() ||
             (v.is_string() && v != kNull && isNamed(a.text, v.get_ref<const std::string&>()));
    case Argument::kPerAxis:
      return whole(v) || isListOf(v, a.axes, a.axes, whole);
    case Argument::kWholes:
      // TensorFlow.js writes null for -1 where that is what remains.
      return whole(v) || isListOf(v, 1, kMaxRank, [&](const Json& j) {
               return whole(j) || (j.is_null() && a.range->least == -1);
             });
    case Argument::kShape:
      return isWhole(kCount, v) || isListOf(v, 0, kMaxRank, [](const Json& j) {
               return j.is_null() || isWhole(kCount, j);
             });
    case Argument::kBorders:
      if (a.axes == 1) return whole(v) || isListOf(v, 2, 2, whole);
      return whole(v) || isListOf(v, a.axes, a.axes, [&](const Json& j) {
               return whole(j) || isListOf(j, 2, 2, whole);
             });
    case Argument::kNumbers:
      return isListOf(v, 0, v.size(), finite);
    case Argument::kOneOrMore:
      return finite(v) || isListOf(v, 1, v.size(), finite);
    case Argument::kInterval:
      return finite(v) || isListOf(v, 2, 2, finite);
    case Argument::kTexts:
      return isListOf(v, 0, v.size(), isText);
    case Argument::kTextsByName:
      return v.is_object() && std::ranges::all_of(v, isText);
    case Argument::kDescribed:
      return v.is_string() || v.is_object();
    case Argument::kOnly:
      return !firstOf(a.text, [&](std::string_view one) { return shown(v) == one; }).empty();
    default:
      return true;
  }
}

}  // namespace

std::optional<double> numberIn(const Json& j) {
  if (j.is_number()) return j.get<double>();
  if (j == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (j == "Infinity") return std::numeric_limits<double>::infinity();
  if (j == "-Infinity") return -std::numeric_limits<double>::infinity();
  return {};
}

std::string shown(const Json& value) {
  if (std::optional<double> x = numberIn(value)) return cat(*x);
  constexpr size_t kMost = 80;
  std::string text = jsonText(value);
  return text.size() <= kMost ? text : text.substr(0, kMost) + "..";
}

std::string insteadOf(std::string_view unknown, std::span<const std::string_view> known) {
  std::string wanted = canonicalName(unknown), all;
  int nearest = std::max<int>(2, static_cast<int>(wanted.size()) / 3) + 1;
  std::string_view meant;
  for (std::string_view name : known) {
    all += cat(all.empty() ? "" : ", ", name);
    if (int d = distance(wanted, canonicalName(name)); d < nearest) {
      nearest = d;
      meant = name;
    }
  }
  std::string question = meant.empty() ? "" : cat("; did you mean ", meant, "?");
  return all.empty() ? "; there are none"
                     : cat(question, question.empty() ? "; there are " : " There are ", all);
}

namespace {

Status unknownArgument(std::string_view owner, std::span<const Argument> table,
                       std::string_view place, const std::string& key) {
  std::vector<std::string_view> known;
  findRow(table, [&](const Argument& a) {
    // What is only put up with is not offered.
    if (a.kind != Argument::kOnly) known.push_back(firstOf(a.name));
    return false;
  });
  return fail(place, key, owner.empty() ? " is not known" : cat(" is not an argument of ", owner),
              insteadOf(key, known));
}

/// The fault of a value, if it has one.
Status faultOf(const Argument& a, std::string_view name, const Json& v) {
  if (!isAllowed(a, v)) {
    std::optional<double> x = numberIn(v);
    bool isTooSmall = x && a.kind == Argument::kNumber && *x > 0 && isIn({0, kMostFloat}, *x) &&
                      static_cast<float>(*x) == 0;
    return fail(name, " must be ", allowed(a), ", got ", shown(v),
                isTooSmall ? ", which is 0 in float32" : "");
  }
  Status status = a.check ? a.check(v) : Status();
  if (status) return status;
  // "learning_rate must be ..", "kernel_regularizer: unknown regularizer ..".
  bool isVerb = status.error().message.starts_with("must ");
  return fail(name, isVerb ? " " : ": ", status.error().message);
}

}  // namespace

Result<Fields> Fields::of(std::string_view owner, std::span<const Argument> table,
                          std::span<const Argument> common, const Json& object,
                          std::string_view place) {
  Fields fields(table, common);
  if (!object.is_object() && !object.is_null()) {
    std::string_view what = !place.empty()  ? place.substr(0, place.size() - 1)
                            : owner.empty() ? "the file"
                                            : owner;
    return fail(what, " must be an object {..}, got ", shown(object));
  }
  static const Json kNone = Json::object();
  for (const auto& [key, value] : (object.is_null() ? kNone : object).items()) {
    auto isMeant = [&](const Argument& a) { return isNamed(a.name, key); };
    const Argument* a = findRow(table, isMeant);
    if (!a) a = findRow(common, isMeant);
    if (!a) return std::unexpected(unknownArgument(owner, table, place, key).error());
    if (value.is_null() && !takesNull(*a)) continue;
    std::string name = cat(place, key);
    FJORD_CHECK(faultOf(*a, name, value));
    if (std::ranges::find(fields.given_, a, &decltype(fields.given_)::value_type::first) !=
        fields.given_.end())
      return fail(name, " is given twice, also by another of its names ", listed(a->name));
    fields.given_.push_back({a, &value});
  }
  const Argument* missing =
      findRow(table, [&](const Argument& a) { return a.needed && !fields.has(a.name); });
  if (missing)
    return fail(place, firstOf(missing->name), " is missing",
                missing->kind == Argument::kJson ? "" : ": it must be " + allowed(*missing));
  return fields;
}

const Argument* Fields::find(const char* name) const {
  auto isMeant = [&](const Argument& a) { return firstOf(a.name) == firstOf(name); };
  const Argument* a = findRow(table_, isMeant);
  return a ? a : findRow(common_, isMeant);
}

bool Fields::knows(const char* name) const { return find(name) != nullptr; }

const Argument& Fields::row(const char* name) const {
  const Argument* a = find(name);
  if (!a) __builtin_trap();  // read without a row in the table: the first test of it finds that
  return *a;
}

const Json* Fields::given(const char* name) const {
  const Argument* a = &row(name);
  auto it = std::ranges::find(given_, a, &decltype(given_)::value_type::first);
  return it == given_.end() ? nullptr : it->second;
}

double Fields::number(const char* name) const {
  const Json* v = given(name);
  if (!v) return row(name).fallback;
  if (v->is_null()) return arguments::kNoDefault;
  return v->is_boolean() ? v->get<bool>() : *numberIn(*v);
}

std::string Fields::text(const char* name) const {
  const Json* v = given(name);
  const char* fallback = row(name).text;
  return v ? v->get<std::string>() : fallback ? fallback : "";
}

std::string_view Fields::choice(const char* name) const {
  const Json* v = given(name);
  const char* all = row(name).text;
  if (v && v->is_null()) return kNull;
  std::string wanted = v ? canonicalName(v->get_ref<const std::string&>()) : "";
  return firstOf(all, [&](std::string_view one) { return !v || canonicalName(one) == wanted; });
}

Shape Fields::perAxis(const char* name) const {
  const Json* v = given(name);
  if (!v || !v->is_array()) return Shape::filled(row(name).axes, whole(name));
  Shape out;
  for (const Json& item : *v) out.push(wholeOf(item));
  return out;
}

std::array<int32_t, 2> Fields::pair(const char* name) const {
  Shape both = perAxis(name);
  return {both[0], both[1]};
}

Shape Fields::wholes(const char* name) const {
  const Json* v = given(name);
  double fallback = row(name).fallback;
  if (!v) return std::isnan(fallback) ? Shape() : Shape{static_cast<int32_t>(fallback)};
  if (v->is_number()) return {wholeOf(*v)};
  Shape out;
  for (const Json& item : *v) out.push(item.is_null() ? -1 : wholeOf(item));
  return out;
}

Shape Fields::borders(const char* name) const {
  const Json* v = given(name);
  int axes = row(name).axes;
  Shape out;
  for (int i = 0; i < 2 * axes; ++i) {
    // [i / 2] of the axes, [i % 2] of its two sides; of one axis the sides alone.
    const Json* side = v && v->is_array() ? &(*v)[axes == 1 ? i : i / 2] : nullptr;
    if (side && side->is_array()) side = &(*side)[i % 2];
    out.push(side ? wholeOf(*side) : whole(name));
  }
  return out;
}

size_t Fields::count(const char* name) const {
  const Json* v = given(name);
  return v ? v->size() : 0;
}

double Fields::numberAt(const char* name, size_t i) const {
  return (*given(name))[i].get<double>();
}

std::vector<double> Fields::numbers(const char* name) const {
  const Json* v = given(name);
  std::vector<double> out;
  for (size_t i = 0; v && v->is_array() && i < v->size(); ++i) out.push_back(numberAt(name, i));
  bool isOne = v ? !v->is_array() : !std::isnan(row(name).fallback);
  if (isOne) out.push_back(number(name));
  return out;
}

std::array<double, 2> Fields::interval(const char* name) const {
  const Json* v = given(name);
  if (v && v->is_array()) {
    double a = *numberIn((*v)[0]), b = *numberIn((*v)[1]);
    return {std::min(a, b), std::max(a, b)};
  }
  double most = std::fabs(number(name));
  return {std::max(-most, row(name).range->least), most};
}

std::vector<std::string> Fields::texts(const char* name) const {
  std::vector<std::string> out;
  if (const Json* v = given(name)) {
    for (const Json& item : *v) out.push_back(item.get<std::string>());
  }
  return out;
}

std::map<std::string, std::string> Fields::textsByName(const char* name) const {
  std::map<std::string, std::string> out;
  if (const Json* v = given(name)) {
    for (const auto& [key, item] : v->items()) out[key] = item.get<std::string>();
  }
  return out;
}

Json Fields::json(const char* name) const {
  const Json* v = given(name);
  const char* fallback = row(name).text;
  return v ? *v : fallback ? Json(fallback) : Json();
}

namespace {

/// kernelSize to kernel_size, in all objects of a value.
Json snakeCase(const Json& value) {
  if (!value.is_structured()) return value;
  Json out = value.is_array() ? Json::array() : Json::object();
  for (const auto& [key, item] : value.items()) {
    std::string name;
    for (char c : key) {
      bool isUpper = c >= 'A' && c <= 'Z';
      if (isUpper) name += '_';
      name += static_cast<char>(isUpper ? c - 'A' + 'a' : c);
    }
    if (value.is_array()) {
      out.push_back(snakeCase(item));
    } else {
      out[name] = snakeCase(item);
    }
  }
  return out;
}

}  // namespace

Json Fields::plain(const Argument& row, const Json& value) const {
  if (row.kind == Argument::kChoice) return value.is_null() ? value : Json(choice(row.name));
  return row.kind == Argument::kDescribed ? snakeCase(value) : value;
}

Json Fields::plain() const {
  Json out = Json::object();
  for (const auto& [row, value] : given_)
    out[std::string(firstOf(row->name))] = plain(*row, *value);
  return out;
}

Json Fields::complete() const {
  Json out = Json::object();
  auto add = [&](const Argument& a, bool isCommon) {
    const Json* value = given(a.name);
    bool isNumber = a.kind == Argument::kWhole || a.kind == Argument::kNumber ||
                    a.kind == Argument::kWholes || a.kind == Argument::kBorders ||
                    a.kind == Argument::kOneOrMore;
    Json one = value                                  ? plain(a, *value)
               : a.kind == Argument::kChoice          ? Json(choice(a.name))
               : a.kind == Argument::kFlag            ? Json(a.fallback != 0)
               : isNumber && a.fallback == a.fallback ? Json(a.fallback)
               : a.kind != Argument::kOnly && a.text  ? Json(a.text)
                                                      : Json();
    if (a.kind == Argument::kPerAxis && (value || a.fallback == a.fallback)) {
      one = Json::array();
      for (int32_t n : perAxis(a.name)) one.push_back(n);
    }
    if (a.kind != Argument::kOnly && !(isCommon && one.is_null()))
      out[std::string(firstOf(a.name))] = std::move(one);
    return false;
  };
  findRow(table_, [&](const Argument& a) { return add(a, false); });
  findRow(common_, [&](const Argument& a) { return add(a, true); });
  return out;
}

// ---- what is chosen by name

namespace {

// What Keras 2, Keras 3 and TensorFlow.js write beside a name and its arguments.
constexpr Argument kDescription[] = {
    {.kind = Argument::kText, .name = "class_name", .needed = true},
    {.kind = Argument::kJson, .name = "config"},
    {.kind = Argument::kJson, .name = "module"},
    {.kind = Argument::kJson, .name = "registered_name"},
    {.kind = Argument::kJson, .name = "shared_object_id"},
    {.kind = Argument::kJson, .name = "build_config"},
};

}  // namespace

std::string_view firstName(const Named& row) { return firstOf(row.name); }

bool isCalled(const Named& row, std::string_view name) { return isNamed(row.name, name); }

const Json& configOf(const Json& description) {
  static const Json kNone;
  const Json& config = member(description, "config");
  return config.is_string() ? kNone : config;
}

Result<std::string> nameIn(const Json& description) {
  if (!description.is_string() && !description.is_object())
    return fail("must be a name, or {class_name, config}, got ", shown(description));
  if (description.is_object()) FJORD_CHECK(Fields::of("a description", kDescription, description));
  return choiceOf(description)->name;
}

Result<Fields> fieldsOf(const Named& row, std::span<const Argument> common,
                        const Json& description) {
  std::string_view name = firstName(row);
  Result<Fields> fields = Fields::of(name, row.arguments, common, configOf(description));
  // An unknown argument's message has the owner's name already.
  if (!fields && fields.error().message.find(cat(" of ", name)) == std::string::npos)
    return fail(name, ": ", fields.error().message);
  return fields;
}

std::unexpected<Error> unknown(std::string_view what, std::string_view name,
                               std::vector<std::string_view> known) {
  return fail("unknown ", what, " \"", name, "\"", insteadOf(name, known));
}

}  // namespace fjord
