#include "testing/allocations.h"

#include <atomic>
#include <cstddef>

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#include <sanitizer/allocator_interface.h>
#define FJORD_HOOKED 1
#endif

namespace {

std::atomic<int64_t> count{0};

}  // namespace

namespace fjord::testing {

int64_t allocations() { return count.load(); }

}  // namespace fjord::testing

#if FJORD_HOOKED

namespace {

[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, size_t) { count.fetch_add(1); }, [](const volatile void*) {});

}  // namespace

#else

extern "C" {

// The allocator's own names; free is as it was.
// NOLINTBEGIN(readability-identifier-naming)
#if defined(__EMSCRIPTEN__)
void* emscripten_builtin_malloc(size_t bytes);
void* emscripten_builtin_calloc(size_t items, size_t bytes);
void* __libc_realloc(void* block, size_t bytes);
void* emscripten_builtin_memalign(size_t alignment, size_t bytes);
#define ALLOCATOR(name) emscripten_builtin_##name
#define NOTHROW
#else
void* __libc_malloc(size_t bytes) noexcept;
void* __libc_calloc(size_t items, size_t bytes) noexcept;
void* __libc_realloc(void* block, size_t bytes) noexcept;
void* __libc_memalign(size_t alignment, size_t bytes) noexcept;
#define ALLOCATOR(name) __libc_##name
#define NOTHROW noexcept
#endif
// NOLINTEND(readability-identifier-naming)

void* malloc(size_t bytes) NOTHROW {
  count.fetch_add(1);
  return ALLOCATOR(malloc)(bytes);
}
void* calloc(size_t items, size_t bytes) NOTHROW {
  count.fetch_add(1);
  return ALLOCATOR(calloc)(items, bytes);
}
void* realloc(void* block, size_t bytes) NOTHROW {
  count.fetch_add(1);
  return __libc_realloc(block, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) NOTHROW {
  count.fetch_add(1);
  return ALLOCATOR(memalign)(alignment, bytes);
}
}

#endif
