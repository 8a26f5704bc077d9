#include "base/threads.h"

namespace fjord {

#if FJORD_THREADS

namespace {

// Steps of a plan follow each other within microseconds, but some run on one thread, and to wake a
// sleeping worker takes a browser 50 us and more: a spin of about 100 us at 3 GHz catches the next
// round, a longer silence puts the worker to sleep. WebAssembly has no instruction for a pause, which
// takes some 10 ns natively.
#if defined(__EMSCRIPTEN__)
constexpr int kSpins = 100'000;
#else
constexpr int kSpins = 8'000;
#endif

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Sleeps while `word` is `value`, or for a shorter time. (In WebAssembly libc++ would not sleep: it looks
/// again every few milliseconds.)
void sleepOn(std::atomic<uint32_t>& word, uint32_t value) {
#if defined(__EMSCRIPTEN__)
  constexpr int64_t kForever = -1;
  __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&word), static_cast<int>(value),
                                      kForever);
#else
  word.wait(value);
#endif
}
void wakeAll(std::atomic<uint32_t>& word) {
#if defined(__EMSCRIPTEN__)
  constexpr unsigned kAll = ~0u;
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&word), kAll);
#else
  word.notify_all();
#endif
}

}  // namespace

Threads::Threads(int count) {
  resize(count);
  start();
}

void Threads::resize(int count) { count_ = count < 1 ? 1 : count; }

void Threads::start() {
  while (static_cast<int>(workers_.size()) < count_ - 1) workers_.emplace_back([this] { loop(); });
}

Threads::~Threads() {
  stop_.store(true, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  wakeAll(round_);
  for (auto& worker : workers_) worker.join();
}

/// Whoever draws a ticket below the number of parts owns that part, and the round cannot end before
/// it is finished: only then are work_ and context_ read.
void Threads::takeParts() {
  constexpr uint64_t kMask = (1 << 20) - 1;
  for (;;) {
    uint64_t ticket = ticket_.fetch_add(1, std::memory_order_acq_rel);
    uint64_t part = ticket & kMask, parts = ticket >> 20 & kMask;
    if (part >= parts) return;
    work_(context_, static_cast<int>(part));
    finished_.fetch_add(1, std::memory_order_release);
  }
}

void Threads::loop() {
  uint32_t seen = 0;
  for (;;) {
    uint32_t now = round_.load(std::memory_order_acquire);
    for (int i = 0; now == seen && i < kSpins; ++i) {
      pause();
      now = round_.load(std::memory_order_acquire);
    }
    if (now == seen) {
      // Who hands out work after this sees a sleeper; who did so before has changed the round.
      sleepers_.fetch_add(1);
      while ((now = round_.load()) == seen) sleepOn(round_, seen);
      sleepers_.fetch_sub(1);
    }
    seen = now;
    if (stop_.load(std::memory_order_relaxed)) return;
    takeParts();
  }
}

void Threads::dispatch(int parts, Work work, const void* context) {
  if (parts <= 1 || count_ == 1) {
    for (int part = 0; part < parts; ++part) work(context, part);
    return;
  }
  work_ = work;
  context_ = context;
  finished_.store(0, std::memory_order_relaxed);
  uint32_t round = round_.load(std::memory_order_relaxed) + 1;
  ticket_.store(uint64_t{round} << 40 | static_cast<uint64_t>(parts) << 20,
                std::memory_order_release);
  round_.store(round);
  if (sleepers_.load() > 0) wakeAll(round_);
  takeParts();
  // A page's main thread may not block, and what is left is one part on another thread: wait by
  // spinning.
  for (int i = 0; finished_.load(std::memory_order_acquire) != parts; ++i) {
    pause();
    if (i % 4096 == 4095) std::this_thread::yield();
  }
}

#else

Threads::Threads(int) {}
void Threads::resize(int) {}
void Threads::start() {}
Threads::~Threads() = default;

void Threads::dispatch(int parts, Work work, const void* context) {
  for (int part = 0; part < parts; ++part) work(context, part);
}

#endif

}  // namespace fjord
