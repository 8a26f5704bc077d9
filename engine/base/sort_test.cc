#include "base/sort.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace fjord {
namespace {

TEST(Sort, SortsLikeTheLibrary) {
  std::mt19937 random(1);
  for (size_t size : {0, 1, 2, 3, 4, 5, 10, 11, 12, 100, 3000}) {
    for (uint32_t different : {2u, 10u, 1u << 31}) {
      std::vector<uint32_t> items(size);
      for (uint32_t& item : items) item = static_cast<uint32_t>(random()) % different;
      std::vector<uint32_t> expected = items;
      std::ranges::sort(expected);
      sortFew(items);
      EXPECT_EQ(items, expected) << size << " of " << different;
    }
  }
}

TEST(Sort, TakesAnOrderAndArraysAndMovesItems) {
  std::vector<std::string> words = {"three", "a", "forty-two, longer than a string has room for",
                                    "of"};
  sortFew(words, [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  EXPECT_EQ(words[0], "forty-two, longer than a string has room for");
  EXPECT_EQ(words[1], "three");
  EXPECT_EQ(words[3], "a");
  int numbers[3] = {3, 1, 2};
  sortFew(numbers);
  EXPECT_EQ(numbers[0], 1);
  EXPECT_EQ(numbers[2], 3);
}

}  // namespace
}  // namespace fjord
