// A fuzzer's input as a row of choices: what a target builds its case from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fjord {

struct Bytes {
  std::span<const uint8_t> rest;

  /// 0 once they are through.
  uint8_t next() {
    if (rest.empty()) return 0;
    uint8_t b = rest.front();
    rest = rest.subspan(1);
    return b;
  }
  template <class T, size_t N>
  T of(const T (&list)[N]) {
    return list[next() % N];
  }
};

}  // namespace fjord
