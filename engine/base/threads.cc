#include "base/threads.h"

#include <algorithm>

#include "base/budget.h"

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

// A worker that the system has put aside with a part in hand comes back after some milliseconds. After a wait
// of more than 100 us rounds are timed: a wait is lost as far as it is longer than twice the caller's own
// parts took, which is more than parts differ. Where a third of 10 ms is lost, one thread alone is as fast.
// The trials of another thread, which may cost half of as much, become fewer.
constexpr int kLongSpins = kSpins;
constexpr double kWindowMs = 10, kMostLost = 0.3, kFirstRestMs = 50, kMostRestMs = 1600;
// While some rest, the clock is looked at in every so many rounds.
constexpr uint32_t kRoundsBetweenLooks = 16;

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

void Threads::resize(int count) {
  count_ = count < 1 ? 1 : count;
  rest_ = triedAt_ = 0;
  isTimed_ = false;
  share(static_cast<uint32_t>(count_));
}

void Threads::start() {
  while (static_cast<int>(workers_.size()) < count_ - 1) {
    uint32_t number = static_cast<uint32_t>(workers_.size()) + 1;
    workers_.emplace_back([this, number] { loop(number); });
  }
}

Threads::~Threads() {
  stop_.store(true, std::memory_order_relaxed);
  share(~0u);
  round_.fetch_add(1, std::memory_order_release);
  wakeAll(round_);
  for (auto& worker : workers_) worker.join();
}

/// Whoever draws a ticket below the number of parts owns that part, and the round cannot end before
/// it is finished: only then are work_ and context_ read. Gives the number of parts.
int Threads::takeParts() {
  constexpr uint64_t kMask = (1 << 20) - 1;
  for (int taken = 0;; ++taken) {
    uint64_t ticket = ticket_.fetch_add(1, std::memory_order_acq_rel);
    uint64_t part = ticket & kMask, parts = ticket >> 20 & kMask;
    if (part >= parts) return taken;
    work_(context_, static_cast<int>(part));
    finished_.fetch_add(1, std::memory_order_release);
  }
}

/// From now on so many take part.
void Threads::share(uint32_t threads) {
  sharing_.store(threads);
  wakeAll(sharing_);
}

/// `number` is 1 for the first worker: 0 is the caller.
void Threads::loop(uint32_t number) {
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
    for (uint32_t sharing; (sharing = sharing_.load()) <= number;) sleepOn(sharing_, sharing);
    if (stop_.load(std::memory_order_relaxed)) return;
    takeParts();
  }
}

void Threads::dispatch(int parts, Work work, const void* context) {
  if (parts <= 1 || isAlone()) {
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
  if (isTimed_) return takePartsTimed(parts);
  takeParts();
  if (awaitOthers(parts) > kLongSpins) time();
}

/// Until all parts are finished; gives how often it has looked. A page's main thread may not block, and what is
/// left are parts that others have begun: it waits by spinning.
int Threads::awaitOthers(int parts) {
  int spins = 0;
  for (; finished_.load(std::memory_order_acquire) != parts; ++spins) {
    pause();
    if (spins % 4096 == 4095) std::this_thread::yield();
  }
  return spins;
}

void Threads::time() {
  isTimed_ = true;
  spent_ = lost_ = 0;
}

/// Looks whether waits for others are worth their help. Where they are not, one thread less takes part.
void Threads::takePartsTimed(int parts) {
  double began = Budget::steady();
  int own = takeParts();
  double ended = Budget::steady();
  awaitOthers(parts);
  double now = Budget::steady();
  spent_ += now - began;
  if (own > 0) lost_ += std::max(0.0, now - ended - 2 * (ended - began));
  if (spent_ < kWindowMs) return;
  isTimed_ = false;
  if (lost_ < kMostLost * spent_) return;
  bool isSoon = now - triedAt_ < kMostRestMs;
  rest_ = std::clamp(isSoon ? 4 * rest_ : 0, kFirstRestMs, kMostRestMs);
  triesAt_ = now + rest_;
  share(sharing_.load(std::memory_order_relaxed) - 1);
}

/// Whether the caller does all parts. Now and then one that rests is tried again.
bool Threads::isAlone() {
  uint32_t sharing = sharing_.load(std::memory_order_relaxed);
  if (sharing < static_cast<uint32_t>(count_) && ++rounds_ % kRoundsBetweenLooks == 0) {
    double now = Budget::steady();
    if (now >= triesAt_) {
      triedAt_ = now;
      // One after the other.
      triesAt_ = now + rest_;
      time();
      share(++sharing);
    }
  }
  return sharing == 1;
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
