#include "base/threads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace fjord {
namespace {

TEST(Threads, EveryPartRunsOnceInEveryRound) {
  for (int count : {1, 2, 3, 5}) {
    Threads threads(count);
    for (int round = 0; round < 2000; ++round) {
      int parts = 1 + round % 7;
      std::vector<int> runs(parts, 0);
      threads.run(parts, [&](int part) { ++runs[part]; });
      for (int n : runs) ASSERT_EQ(n, 1) << count << " threads, round " << round;
    }
  }
}

TEST(Threads, AnotherNumberOfThem) {
  Threads threads(2);
  for (int count : {4, 1, 3, 0, 2}) {
    threads.resize(count);
    // Parts are done whether or not there is a thread for each.
    if (count != 3) threads.start();
#if FJORD_THREADS
    EXPECT_EQ(threads.count(), std::max(count, 1));
#else
    EXPECT_EQ(threads.count(), 1);
#endif
    for (int round = 0; round < 200; ++round) {
      std::vector<int> runs(4, 0);
      threads.run(4, [&](int part) { ++runs[part]; });
      EXPECT_EQ(runs, std::vector<int>(4, 1)) << count << " threads, round " << round;
    }
  }
}

TEST(Threads, RangesCoverEverythingOnceInWholeGrains) {
  Threads threads(3);
  for (int64_t n : {0, 1, 5, 64, 65, 1000}) {
    std::vector<int> seen(n, 0);
    threads.forRange(n, 8, [&](int64_t begin, int64_t end, int) {
      EXPECT_EQ(begin % 8, 0);
      for (int64_t i = begin; i < end; ++i) ++seen[i];
    });
    EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), 0), n);
  }
}

TEST(Threads, WhatOneRoundWritesTheNextReads) {
  Threads threads(2);
  // Each round moves every value one place on, read by another part than the one that wrote it.
  std::vector<int> from(64), to(64);
  std::iota(from.begin(), from.end(), 0);
  for (int round = 0; round < 6400; ++round) {
    threads.forRange(64, 32, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) to[i] = from[(i + 1) % 64];
    });
    std::swap(from, to);
  }
  for (int i = 0; i < 64; ++i) EXPECT_EQ(from[i], i);
}

}  // namespace
}  // namespace fjord
