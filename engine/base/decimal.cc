#include "base/decimal.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace fjord {

namespace {

/// A natural number of any size, its lowest 32 bits first, none of its words but the last 0 at the end.
class Natural {
 public:
  void multiply(uint32_t factor, uint32_t plus = 0) {
    uint64_t carry = plus;
    for (uint32_t& word : words_) {
      carry += uint64_t{word} * factor;
      word = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    if (carry) words_.push_back(static_cast<uint32_t>(carry));
  }
  void shiftLeft(int64_t bits) {
    for (; bits >= 31; bits -= 31) multiply(1u << 31);
    multiply(1u << bits);
  }
  void halve() {
    for (size_t i = 0; i < words_.size(); ++i) {
      uint32_t above = i + 1 < words_.size() ? words_[i + 1] : 0;
      words_[i] = words_[i] >> 1 | above << 31;
    }
    trim();
  }
  int64_t bits() const {
    return words_.empty()
               ? 0
               : static_cast<int64_t>(words_.size() * 32) - std::countl_zero(words_.back());
  }
  bool isZero() const { return words_.empty(); }
  /// Takes `other` away if it is not larger; whether it was not.
  bool takeAway(const Natural& other) {
    if (isBelow(other)) return false;
    int64_t borrow = 0;
    for (size_t i = 0; i < words_.size(); ++i) {
      int64_t word = int64_t{words_[i]} + borrow - (i < other.words_.size() ? other.words_[i] : 0);
      words_[i] = static_cast<uint32_t>(word);
      borrow = word >> 32;
    }
    trim();
    return true;
  }

 private:
  bool isBelow(const Natural& other) const {
    if (words_.size() != other.words_.size()) return words_.size() < other.words_.size();
    for (size_t i = words_.size(); i-- > 0;) {
      if (words_[i] != other.words_[i]) return words_[i] < other.words_[i];
    }
    return false;
  }
  void trim() {
    while (!words_.empty() && words_.back() == 0) words_.pop_back();
  }
  std::vector<uint32_t> words_;
};

/// quotient * 2^exponent, and a little more if `isMore`: 62 bits and more of a quotient.
double rounded(uint64_t quotient, int64_t exponent, bool isMore) {
  constexpr int kDigits = std::numeric_limits<double>::digits;
  constexpr int64_t kLeast =
      std::numeric_limits<double>::min_exponent - kDigits;  // of the last digit
  int64_t width = 64 - std::countl_zero(quotient);
  // What has to go, more of it where the number is subnormal.
  int64_t drop = std::max(width - kDigits, kLeast - exponent);
  if (drop > 64) return 0;
  uint64_t kept = drop == 64 ? 0 : quotient >> drop;
  uint64_t rest = quotient - (drop == 64 ? 0 : kept << drop), half = uint64_t{1} << (drop - 1);
  bool isUp = rest > half || (rest == half && (isMore || kept % 2 == 1));
  return std::ldexp(static_cast<double>(kept + isUp), static_cast<int>(drop + exponent));
}

}  // namespace

double fromDecimal(std::string digits, int64_t point) {
  size_t zeros = std::min(digits.find_first_not_of('0'), digits.size());
  digits.erase(0, zeros);
  point -= static_cast<int64_t>(zeros);
  while (digits.ends_with('0')) digits.pop_back();
  if (digits.empty() || point < -330) return 0;
  if (point > 310) return std::numeric_limits<double>::infinity();
  // A number halfway between two doubles has at most 767 digits: what comes later only says that there
  // is more.
  constexpr size_t kMostDigits = 800;
  if (digits.size() > kMostDigits) digits.replace(kMostDigits, std::string::npos, 1, '1');

  Natural numerator, denominator;
  for (char digit : digits) numerator.multiply(10, static_cast<uint32_t>(digit - '0'));
  denominator.multiply(1, 1);
  int64_t exponent = point - static_cast<int64_t>(digits.size());
  for (int64_t i = 0; i < exponent; ++i) numerator.multiply(10);
  for (int64_t i = 0; i > exponent; --i) denominator.multiply(10);

  // Long division, of numbers so shifted that the quotient has 63 or 64 bits.
  int64_t shift = 63 + denominator.bits() - numerator.bits();
  (shift > 0 ? numerator : denominator).shiftLeft(std::abs(shift));
  denominator.shiftLeft(63);
  uint64_t quotient = 0;
  for (int i = 0; i < 64; ++i) {
    quotient = quotient << 1 | static_cast<uint64_t>(numerator.takeAway(denominator));
    denominator.halve();
  }
  return rounded(quotient, -shift, !numerator.isZero());
}

}  // namespace fjord
