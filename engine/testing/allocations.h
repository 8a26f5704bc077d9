// How often memory is asked for: malloc and its kin, which operator new and tensors come to, on all
// threads. Only linked into tests.
//
//   EXPECT_EQ(allocationsOf([&] { executor.run(); }), 0);
//
// Natively and in WebAssembly the family is replaced by one that counts and hands on. Under a
// sanitizer, which has replaced it, the sanitizer's hook counts. Valgrind replaces operator new where
// nothing sees it: what counts does not run there (tools/test.mjs).
#pragma once

#include <cstdint>

namespace fjord::testing {

/// Whether arrays count, too: aligned memory is not told of by the thread sanitizer.
#if __has_feature(thread_sanitizer)
inline constexpr bool kSeesArrays = false;
#else
inline constexpr bool kSeesArrays = true;
#endif

/// Since the program began, by all threads.
int64_t allocations();

template <class F>
int64_t allocationsOf(const F& f) {
  int64_t before = allocations();
  f();
  return allocations() - before;
}

}  // namespace fjord::testing
