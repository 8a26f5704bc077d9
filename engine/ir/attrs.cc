// What attributes may be: numbers from outside are looked at before they are converted, and shape
// rules share their words.
#include <cfloat>
#include <cmath>

#include "ir/op.h"

namespace fjord {

double AttrReader::next(const char* name) {
  if (rest.empty()) {
    if (status) status = fail("the attributes end before ", name);
    return 0;
  }
  double v = rest.front();
  rest = rest.subspan(1);
  return v;
}

int32_t AttrReader::whole(const char* name, std::string_view allowed, double least, double most) {
  double v = next(name);
  if (v >= least && v <= most && v == std::trunc(v)) return static_cast<int32_t>(v);
  if (status) status = fail(name, " must be ", allowed, ", got ", v);
  return 0;
}

int32_t AttrReader::integer(const char* name) {
  return whole(name, "a whole number from -2147483648 to 2147483647", INT32_MIN, INT32_MAX);
}

/// What is not finite is the op's to judge.
void AttrReader::operator()(const char* name, float& v) {
  double number = next(name);
  bool fits = !std::isfinite(number) || std::fabs(number) <= FLT_MAX;
  if (!fits && status) status = fail(name, " must be a number that float32 can hold, got ", number);
  v = fits ? static_cast<float>(number) : 0;
}

void AttrReader::operator()(const char* name, Padding& v) {
  v.kind = whole(name, "valid (0), same (1) or explicit (2)", 0, 2);
  for (int32_t* side : {&v.top, &v.bottom, &v.left, &v.right}) *side = integer(name);
}

void AttrReader::operator()(const char* name, ShortText& v) {
  constexpr int32_t kMost = ShortText::kMost;
  int32_t count = whole(name, cat("a text of at most ", kMost, " characters"), 0, kMost);
  for (int32_t i = 0; i < count; ++i)
    v.chars[i] = static_cast<char>(whole(name, "a text of ASCII characters", 1, 127));
}

Status allRead(const AttrReader& reader, size_t numbers) {
  if (reader.status && !reader.rest.empty()) {
    return fail("the attributes are ", numbers - reader.rest.size(), " numbers, got ", numbers);
  }
  return reader.status;
}

Status checkNumber(std::string_view name, float value, bool fits, std::string_view allowed) {
  if (fits && std::isfinite(value)) return {};
  return fail(name, " must be a finite number", allowed, ", got ", value);
}

Status checkRank(int rank) {
  if (rank <= kMaxRank) return {};
  return fail("the result would have ", rank, " axes, at most ", kMaxRank, " are possible");
}

}  // namespace fjord
