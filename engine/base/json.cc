#include "base/json.h"

#include <algorithm>

#include "base/decimal.h"

namespace fjord {

namespace {

// Descriptions nest about five levels for each model within a model.
constexpr int kDeepest = 200;

void appendUtf8(std::string& out, uint32_t code) {
  auto last = [&](int shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    last(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    last(6), last(0);
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    last(12), last(6), last(0);
  }
}

/// Bytes of the character of UTF-8 that a text begins with; 0 where it is none (Unicode 15, table 3-7).
size_t characterSize(std::string_view text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  auto isIn = [&](size_t i, int least, int most) { return byte(i) >= least && byte(i) <= most; };
  uint8_t first = byte(0);
  if (first < 0x80) return text.empty() ? 0 : 1;
  if (first >= 0xc2 && first <= 0xdf) return isIn(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    bool isSecond = isIn(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf);
    return isSecond && isIn(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first < 0xf0 || first > 0xf4) return 0;
  bool isSecond = isIn(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
  return isSecond && isIn(2, 0x80, 0xbf) && isIn(3, 0x80, 0xbf) ? 4 : 0;
}

/// Reads one text (RFC 8259). Each function takes what it reads from the front of `rest_`, and is false
/// where that is something else.
class Reader {
 public:
  Reader(std::string_view text, std::string* twice) : rest_(text), twice_(twice) {
    take("\xef\xbb\xbf");
  }
  bool read(Json& out) { return value(out, 0) && rest_.empty(); }
  bool isTooDeep() const { return isTooDeep_; }

 private:
  bool take(std::string_view text) {
    bool is = rest_.starts_with(text);
    if (is) rest_.remove_prefix(text.size());
    return is;
  }
  bool isNext(std::string_view any) const { return !rest_.empty() && any.contains(rest_[0]); }
  void skipSpace() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
  }
  std::string_view takeDigits() {
    std::string_view digits = rest_.substr(0, rest_.find_first_not_of("0123456789"));
    rest_.remove_prefix(digits.size());
    return digits;
  }

  /// A value, and the space around it.
  bool value(Json& out, int depth) {
    skipSpace();
    bool is = valueAlone(out, depth);
    skipSpace();
    return is;
  }
  bool valueAlone(Json& out, int depth) {
    if (isNext("{[") && depth == kDeepest) {
      isTooDeep_ = true;
      return false;
    }
    if (take("{")) return object(out = Json::object(), depth + 1);
    if (take("[")) return array(out = Json::array(), depth + 1);
    if (isNext("\"")) return string(*(out = "").get_ptr<std::string*>());
    if (take("null")) return true;
    bool isTrue = take("true");
    if (!isTrue && !take("false")) return number(out);
    out = isTrue;
    return true;
  }
  bool array(Json& out, int depth) {
    skipSpace();
    if (take("]")) return true;
    do {
      out.push_back(nullptr);
      if (!value(out.back(), depth)) return false;
    } while (take(","));
    return take("]");
  }
  bool object(Json& out, int depth) {
    skipSpace();
    if (take("}")) return true;
    do {
      std::string key;
      skipSpace();
      if (!string(key)) return false;
      skipSpace();
      if (!take(":")) return false;
      if (twice_ && out.contains(key)) *twice_ = key;
      // Of those that stand twice the last counts.
      if (!value(out[key], depth)) return false;
    } while (take(","));
    return take("}");
  }

  bool string(std::string& out) {
    if (!take("\"")) return false;
    while (!take("\"")) {
      if (take("\\")) {
        if (!escaped(out)) return false;
        continue;
      }
      size_t size = characterSize(rest_);
      if (size == 0 || static_cast<uint8_t>(rest_[0]) < 0x20) return false;
      out += rest_.substr(0, size);
      rest_.remove_prefix(size);
    }
    return true;
  }
  bool escaped(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kCharacters = "\"\\/\b\f\n\r\t";
    if (isNext(kNames)) {
      out += kCharacters[kNames.find(rest_[0])];
      rest_.remove_prefix(1);
      return true;
    }
    uint32_t code, low;
    if (!take("u") || !hex(code)) return false;
    bool isHigh = code >= 0xd800 && code < 0xdc00, isLow = code >= 0xdc00 && code < 0xe000;
    if (isHigh) {
      if (!take("\\u") || !hex(low) || low < 0xdc00 || low > 0xdfff) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    appendUtf8(out, code);
    return !isLow;
  }
  bool hex(uint32_t& out) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out = 0;
    for (int i = 0; i < 4; ++i) {
      char c = rest_.empty() ? ' ' : rest_[0];
      size_t digit = kDigits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
      if (digit == kDigits.npos) return false;
      out = out * 16 + static_cast<uint32_t>(digit);
      rest_.remove_prefix(1);
    }
    return true;
  }

  bool number(Json& out) {
    bool isNegative = take("-");
    std::string digits(takeDigits());
    if (digits.empty() || (digits.size() > 1 && digits[0] == '0')) return false;
    int64_t point = static_cast<int64_t>(digits.size());
    bool isWhole = true;
    if (take(".")) {
      std::string_view more = takeDigits();
      if (more.empty()) return false;
      digits += more;
      isWhole = false;
    }
    if (take("e") || take("E")) {
      bool isDown = take("-");
      if (!isDown) take("+");
      std::string_view exponent = takeDigits();
      if (exponent.empty()) return false;
      int64_t size = 0;
      constexpr int64_t kMost = int64_t{1} << 40;
      for (char c : exponent) size = std::min(kMost, size * 10 + (c - '0'));
      point += isDown ? -size : size;
      isWhole = false;
    }
    if (isWhole && whole(digits, isNegative, out)) return true;
    double size = fromDecimal(std::move(digits), point);
    out = isNegative ? -size : size;
    return size - size == 0;
  }
  /// False where it fits no integer.
  static bool whole(std::string_view digits, bool isNegative, Json& out) {
    uint64_t size = 0;
    for (char c : digits) {
      uint64_t digit = static_cast<uint64_t>(c - '0');
      if (size > (UINT64_MAX - digit) / 10) return false;
      size = size * 10 + digit;
    }
    if (!isNegative) {
      out = size;
    } else {
      if (size > uint64_t{1} << 63) return false;
      out = static_cast<int64_t>(-size);
    }
    return true;
  }

  std::string_view rest_;
  std::string* twice_;
  bool isTooDeep_ = false;
};

void writeString(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    size_t size = characterSize(text);
    uint8_t c = static_cast<uint8_t>(text[0]);
    constexpr std::string_view kNames = "\"\\bfnrt", kCharacters = "\"\\\b\f\n\r\t";
    if (size_t at = kCharacters.find(text[0]); at != kCharacters.npos) {
      out += '\\';
      out += kNames[at];
    } else if (c < 0x20) {
      out += cat("\\u00", c >> 4, "0123456789abcdef"[c & 15]);
    } else if (size == 0) {
      appendUtf8(out, 0xfffd);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(std::max<size_t>(1, size));
  }
  out += '"';
}

void write(std::string& out, const Json& j) {
  if (j.is_object()) {
    out += '{';
    for (auto it = j.begin(); it != j.end(); ++it) {
      if (it != j.begin()) out += ',';
      writeString(out, it.key());
      out += ':';
      write(out, *it);
    }
    out += '}';
  } else if (j.is_array()) {
    out += '[';
    for (const Json& item : j) {
      if (&item != &j.front()) out += ',';
      write(out, item);
    }
    out += ']';
  } else if (j.is_string()) {
    writeString(out, j.get_ref<const std::string&>());
  } else if (j.is_number_float()) {
    double x = j.get<double>();
    // JSON has no word for what is no number.
    std::string number = x - x == 0 ? cat(x) : "null";
    // 2.0 is read as a number that is no integer, as it was written.
    bool looksWhole = number.find_first_not_of("-0123456789") == number.npos;
    out += looksWhole ? number + ".0" : number;
  } else if (j.is_number_unsigned()) {
    append(out, j.get<uint64_t>());
  } else if (j.is_number()) {
    append(out, j.get<int64_t>());
  } else {
    out += j.is_boolean() ? (j.get<bool>() ? "true" : "false") : "null";
  }
}

}  // namespace

Result<Json> parseJson(std::string_view text, std::string* twice) {
  Reader reader(text, twice);
  Json j;
  bool is = reader.read(j);
  if (reader.isTooDeep()) return fail("JSON of more than ", kDeepest, " levels");
  if (!is) return fail("not valid JSON: ", text.substr(0, 60));
  return j;
}

std::string jsonText(const Json& j) {
  std::string out;
  write(out, j);
  return out;
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
