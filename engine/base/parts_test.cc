#include "base/parts.h"

#include <gtest/gtest.h>

namespace fjord {
namespace {

TEST(Parts, AListHasNamesAndAnEmptyOneHasAll) {
  for (const char* name : {"a", "abc"}) EXPECT_TRUE(isAmong(name, "")) << name;
  for (const char* list : {"max", "max,maxPool", "maxPool,max", "a,max,b"})
    EXPECT_TRUE(isAmong("max", list)) << list;
  for (const char* list : {"maxPool", "amax", "maxPool,argMax", ",", "max pool"})
    EXPECT_FALSE(isAmong("max", list)) << list;
}

TEST(Parts, WhatIsLeftOutIsSaid) {
  EXPECT_EQ(leftOut("conv2d"), "this build has no conv2d: it only predicts; fjord has it");
}

}  // namespace
}  // namespace fjord
