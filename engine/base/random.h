// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as
// 1, 2, 3", SC 2011).
//
//   std::array<uint32_t, 4> words = philox({0, 0, 0, 0}, {seed, 0});
//
// Number i of a stream is a function of (seed, stream, step, i) alone: the same natively, in
// WebAssembly and on a GPU, for any number of threads and in any order.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace fjord {

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

constexpr PhiloxCounter philox(PhiloxCounter c, PhiloxKey k) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t{0xD2511F53} * c[0], b = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(b),
         static_cast<uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(a)};
    k[0] += 0x9E3779B9;  // the golden ratio
    k[1] += 0xBB67AE85;  // sqrt(3) - 1
  }
  return c;
}

/// [0, 1), every value a multiple of 2^-24, so exact in float32.
constexpr float uniformFloat(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

/// Two standard normal numbers from two words (Box and Muller, 1958). The first uniform is shifted
/// off zero.
inline std::array<float, 2> normalFloats(uint32_t a, uint32_t b) {
  float radius = std::sqrt(-2.0f * std::log((static_cast<float>(a >> 8) + 0.5f) * 0x1p-24f));
  float angle = 6.28318530718f * uniformFloat(b);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// A sequential generator over one stream, for shuffling and initial values on the host.
class Random {
 public:
  explicit Random(uint64_t seed, uint32_t stream = 0)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}, stream_(stream) {}

  uint32_t word() {
    if (used_ == 4) {
      words_ = philox(
          {static_cast<uint32_t>(block_), static_cast<uint32_t>(block_ >> 32), stream_, 0}, key_);
      ++block_;
      used_ = 0;
    }
    return words_[used_++];
  }
  /// [0, 1)
  float uniform() { return uniformFloat(word()); }
  float normal() {
    uint32_t a = word();
    return normalFloats(a, word())[0];
  }
  /// Uniform in [0, n), without bias (Lemire, "Fast Random Integer Generation in an Interval",
  /// 2019).
  uint32_t below(uint32_t n) {
    uint64_t m = uint64_t{word()} * n;
    if (static_cast<uint32_t>(m) < n) {
      uint32_t threshold = -n % n;
      while (static_cast<uint32_t>(m) < threshold) m = uint64_t{word()} * n;
    }
    return static_cast<uint32_t>(m >> 32);
  }

 private:
  PhiloxKey key_;
  uint32_t stream_;
  uint64_t block_ = 0;
  PhiloxCounter words_{};
  int used_ = 4;
};

}  // namespace fjord
