// Places against the definition: of all offsets the lowest at which nothing is in the way.
#include "plan/place.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace fjord {
namespace {

struct Array {
  int64_t offset, bytes;
  Lifetime life;
};

/// Tries 0 and the end of every array, or the page after it.
int64_t lowest(const std::vector<Array>& arrays, int64_t bytes, Lifetime life, int64_t page) {
  std::vector<int64_t> offsets = {0};
  for (const Array& a : arrays) {
    offsets.push_back(a.offset + a.bytes);
    if (page > 0) offsets.push_back((a.offset + a.bytes + page - 1) / page * page);
  }
  std::ranges::sort(offsets);
  for (int64_t offset : offsets) {
    bool free = std::ranges::none_of(arrays, [&](const Array& a) {
      return a.life.first <= life.last && life.first <= a.life.last && a.offset < offset + bytes &&
             offset < a.offset + a.bytes;
    });
    bool inOnePage = page == 0 || offset / page == (offset + bytes - 1) / page;
    if (free && inOnePage) return offset;
  }
  return -1;
}

TEST(Places, GiveTheLowestFreeOffset) {
  Random random(3);
  auto below = [&](int32_t n) { return static_cast<int32_t>(random.below(n)); };
  for (int32_t steps : {1, 2, 3, 7, 50, 300}) {
    for (int64_t page : {0, 640}) {
      Places places(steps, page);
      std::vector<Array> arrays;
      for (int i = 0; i < 300; ++i) {
        int64_t bytes = 64 * (1 + below(8));
        int32_t first = below(steps), length = i % 3 == 0 ? steps : 1 + steps / 20;
        Lifetime life{first, std::min(steps - 1, first + below(length))};
        int64_t offset = places.put(bytes, life);
        ASSERT_EQ(offset, lowest(arrays, bytes, life, page)) << "steps " << steps << " array " << i;
        arrays.push_back({offset, bytes, life});
      }
    }
  }
}

}  // namespace
}  // namespace fjord
