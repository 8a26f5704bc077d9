#include "base/json.h"

// What it asserts are mistakes of its callers; and inlined by force it would be larger to download.
#define RAPIDJSON_ASSERT(x) static_cast<void>(0)
#define RAPIDJSON_FORCEINLINE
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

namespace fjord {

namespace {

// Descriptions nest about five levels for each model within a model.
constexpr size_t kDeepest = 200;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// `text` with a replacement character for each byte of what is not UTF-8.
std::string repaired(std::string_view text) {
  rapidjson::MemoryStream in(text.data(), text.size());
  std::string out;
  while (in.Tell() < text.size()) {
    const char* from = in.src_;
    if (unsigned code; rapidjson::UTF8<>::Decode(in, &code)) {
      out.append(from, in.src_);
    } else {
      out += "\xef\xbf\xbd";
      in.src_ = from + 1;
    }
  }
  return out;
}

/// The double nearest to 0.digits.. * 10^power, ties to even; infinity beyond the largest. The digits begin
/// with none that is 0. Of RapidJSON 1.1's steps those that are right: all of them together, as
/// kParseFullPrecisionFlag takes them, read beyond a table (0.000..1e-320), wrap around
/// (18446744073709551615.9, 4e308), shift large numbers wrongly and forget digits beyond the 780th.
double nearest(std::string digits, int64_t power) {
  using Limits = std::numeric_limits<double>;
  int point = static_cast<int>(std::clamp<int64_t>(power, -400, 400));
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.empty() || point < -323) return 0;
  if (point > 309) return Limits::infinity();
  // A number halfway between two doubles has at most 767 digits: what comes later only says that there
  // is more.
  constexpr size_t kMostDigits = 800, kDigitsOfAWord = 19;
  if (digits.size() > kMostDigits) digits.replace(kMostDigits, std::string::npos, 1, '1');

  size_t size = digits.size(), begun = std::min(size, kDigitsOfAWord);
  double x = 0;
  // Below half of the least above zero it takes the wrong one for near.
  bool isSure =
      (point > -323 || digits[0] >= '3') &&
      rapidjson::internal::StrtodDiyFp(digits.data(), begun, static_cast<size_t>(point), 0, &x);
  // An exponent that is too large spills into the sign.
  if (!(x >= 0 && x <= Limits::max())) return Limits::infinity();
  if (isSure && begun == size) return x;

  // It is x or the one above it: on which side of the middle between them, (2 significand + 1) *
  // 2^(exponent - 1), are the digits?
  int exponent = std::max(std::ilogb(x), Limits::min_exponent - 1) - (Limits::digits - 1);
  uint64_t significand = static_cast<uint64_t>(std::ldexp(x, -exponent));
  rapidjson::internal::BigInteger exact(0), middle(2 * significand + 1);
  for (char digit : digits) (exact *= 10u) += static_cast<uint64_t>(digit - '0');
  int tens = point - static_cast<int>(size), twos = exponent - 1;
  for (int n = std::abs(tens); n > 0; --n) (tens < 0 ? middle : exact) *= 10u;
  for (int n = std::abs(twos); n > 0; --n) (twos < 0 ? exact : middle) *= 2u;
  int side = exact.Compare(middle);
  bool isUp = side > 0 || (side == 0 && significand % 2 == 1);
  return isUp ? std::nextafter(x, Limits::infinity()) : x;
}

/// A number of JSON without its sign.
double doubleOf(std::string_view text) {
  std::string_view mantissa = text.substr(0, text.find_first_of("eE"));
  std::string_view fraction = mantissa.substr(std::min(mantissa.find('.'), mantissa.size()));
  std::string digits(mantissa.substr(0, mantissa.size() - fraction.size()));
  int64_t point = static_cast<int64_t>(digits.size());
  if (!fraction.empty()) digits += fraction.substr(1);
  size_t zeros = std::min(digits.find_first_not_of('0'), digits.size());
  digits.erase(0, zeros);

  std::string_view exponent = text.substr(std::min(mantissa.size() + 1, text.size()));
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  constexpr int64_t kMost = int64_t{1} << 40;
  int64_t more = 0;
  auto [end, error] = std::from_chars(exponent.data(), exponent.data() + exponent.size(), more);
  if (error == std::errc::result_out_of_range) more = exponent.starts_with('-') ? -kMost : kMost;
  return nearest(std::move(digits),
                 point + std::clamp(more, -kMost, kMost) - static_cast<int64_t>(zeros));
}

/// Takes what RapidJSON reads, one call for each thing, and puts it together. False ends the reading.
class Builder {
 public:
  explicit Builder(std::string* twice) : twice_(twice) {}
  Json& result() { return result_; }
  bool isTooDeep() const { return isTooDeep_; }

  // NOLINTBEGIN(readability-identifier-naming): RapidJSON's names.
  bool Null() { return put(nullptr); }
  bool Bool(bool is) { return put(is); }
  bool String(const char* text, size_t size, bool) {
    return isUtf8({text, size}) && put(std::string(text, size));
  }
  bool RawNumber(const char* text, size_t size, bool) {
    std::string_view number(text, size);
    bool isNegative = number.starts_with('-');
    if (isNegative ? putWhole<int64_t>(number) : putWhole<uint64_t>(number)) return true;
    double x = doubleOf(number.substr(isNegative));
    return x - x == 0 && put(isNegative ? -x : x);
  }
  bool StartObject() { return open(Json::object()); }
  bool StartArray() { return open(Json::array()); }
  bool Key(const char* text, size_t size, bool) {
    std::string key(text, size);
    if (twice_ && open_.back()->contains(key)) *twice_ = key;
    // Of those that stand twice the last counts.
    value_ = &(*open_.back())[key];
    return isUtf8(key);
  }
  bool EndObject(size_t) { return close(); }
  bool EndArray(size_t) { return close(); }

  // Every other kind of number comes as its text.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }
  // NOLINTEND(readability-identifier-naming)

 private:
  /// The reader's own check lets half of a surrogate pair pass.
  static bool isUtf8(std::string_view text) { return repaired(text) == text; }
  template <class T>
  bool putWhole(std::string_view number) {
    T whole;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), whole);
    return error == std::errc() && end == number.data() + number.size() && put(whole);
  }
  Json& place() {
    if (open_.empty()) return result_;
    if (open_.back()->is_object()) return *value_;
    open_.back()->push_back(nullptr);
    return open_.back()->back();
  }
  bool put(Json value) {
    place() = std::move(value);
    return true;
  }
  bool open(Json empty) {
    isTooDeep_ = open_.size() == kDeepest;
    if (isTooDeep_) return false;
    Json& at = place();
    at = std::move(empty);
    open_.push_back(&at);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json result_;
  std::vector<Json*> open_;
  Json* value_ = nullptr;
  std::string* twice_;
  bool isTooDeep_ = false;
};

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void writeString(Writer& out, std::string_view text) {
  std::string valid = repaired(text);
  out.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
}

/// By the functions that write the numbers of messages: RapidJSON's would be a second set to download.
void writeNumber(Writer& out, const Json& j) {
  char text[64], *end = text + sizeof text;
  if (j.is_number_float()) {
    double x = j.get<double>();
    // JSON has no word for what is no number.
    if (x - x != 0) return static_cast<void>(out.Null());
    end = nlohmann::detail::to_chars(text, end, x);
  } else if (j.is_number_unsigned()) {
    end = std::to_chars(text, end, j.get<uint64_t>()).ptr;
  } else {
    end = std::to_chars(text, end, j.get<int64_t>()).ptr;
  }
  out.RawValue(text, static_cast<size_t>(end - text), rapidjson::kNumberType);
}

void write(Writer& out, const Json& j) {
  if (j.is_object()) {
    out.StartObject();
    for (auto it = j.begin(); it != j.end(); ++it) {
      writeString(out, it.key());
      write(out, *it);
    }
    out.EndObject();
  } else if (j.is_array()) {
    out.StartArray();
    for (const Json& item : j) write(out, item);
    out.EndArray();
  } else if (j.is_string()) {
    writeString(out, j.get_ref<const std::string&>());
  } else if (j.is_number()) {
    writeNumber(out, j);
  } else if (j.is_boolean()) {
    out.Bool(j.get<bool>());
  } else {
    out.Null();
  }
}

}  // namespace

Result<Json> parseJson(std::string_view text, std::string* twice) {
  // The reader works in place.
  std::string rest(text.substr(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0));
  rapidjson::InsituStringStream in(rest.data());
  rapidjson::Reader reader;
  Builder builder(twice);
  constexpr unsigned kHow = rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag;
  bool is = reader.Parse<kHow>(in, builder);
  if (builder.isTooDeep()) return fail("JSON of more than ", kDeepest, " levels");
  // A zero byte ends the reading, too.
  if (!is || in.Tell() < rest.size()) return fail("not valid JSON: ", text.substr(0, 60));
  return std::move(builder.result());
}

std::string jsonText(const Json& j) {
  rapidjson::StringBuffer out;
  Writer writer(out);
  write(writer, j);
  return {out.GetString(), out.GetSize()};
}

std::optional<Choice> choiceOf(const Json& j) {
  if (j.is_string()) return Choice{j.get<std::string>()};
  if (!j.is_object()) return {};
  // TensorFlow.js's getConfig() writes className.
  Choice c{stringOr(j, j.contains("className") ? "className" : "class_name", ""),
           member(j, "config")};
  // Keras 3 writes {"module": ..., "class_name": "function", "config": "relu"} for functions.
  if (c.config.is_string()) c = {c.config.get<std::string>()};
  if (!c.config.is_object()) c.config = Json::object();
  return c;
}

std::string canonicalName(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out;
}

}  // namespace fjord
