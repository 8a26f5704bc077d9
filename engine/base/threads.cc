#include "base/threads.h"

namespace fjord {

#if FJORD_THREADS

namespace {

// Steps of a plan follow each other within microseconds: a short spin catches the next one without a system call,
// a longer silence puts the worker to sleep. About 20 us at 3 GHz.
constexpr int kSpins = 2000;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Threads::Threads(int count) : count_(count < 1 ? 1 : count) {
  workers_.reserve(count_ - 1);
  for (int i = 1; i < count_; ++i) workers_.emplace_back([this, i] { loop(i); });
}

Threads::~Threads() {
  stop_.store(true, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Threads::runShare(int index) {
  for (int part = index; part < parts_; part += count_) work_(context_, part);
}

void Threads::loop(int index) {
  uint32_t seen = 0;
  for (;;) {
    uint32_t now = round_.load(std::memory_order_acquire);
    for (int i = 0; now == seen && i < kSpins; ++i) {
      pause();
      now = round_.load(std::memory_order_acquire);
    }
    while (now == seen) {
      round_.wait(seen, std::memory_order_acquire);
      now = round_.load(std::memory_order_acquire);
    }
    seen = now;
    if (stop_.load(std::memory_order_relaxed)) return;
    runShare(index);
    pending_.fetch_sub(1, std::memory_order_release);
  }
}

void Threads::dispatch(int parts, Work work, const void* context) {
  if (parts <= 1 || count_ == 1) {
    for (int part = 0; part < parts; ++part) work(context, part);
    return;
  }
  work_ = work;
  context_ = context;
  parts_ = parts;
  pending_.store(count_ - 1, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  runShare(0);
  // A page's main thread may not block, and a share is short: wait by spinning, giving way now and then.
  for (int i = 0; pending_.load(std::memory_order_acquire) != 0; ++i) {
    pause();
    if (i % 4096 == 4095) std::this_thread::yield();
  }
}

#else

Threads::Threads(int) {}
Threads::~Threads() = default;

void Threads::dispatch(int parts, Work work, const void* context) {
  for (int part = 0; part < parts; ++part) work(context, part);
}

#endif

}  // namespace fjord
