// A pool of threads with static work splitting: part i of n always gets the same share, so a result never depends on
// timing, and nothing is allocated when work is handed out.
//
//   Threads threads(2);
//   threads.run(threads.count(), [&](int part) { ... });            // the caller's thread does part 0
//   threads.forRange(n, 4096, [&](int64_t begin, int64_t end, int part) { ... });
//
// One thread at a time may call run; calls do not nest.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>
#if !defined(__EMSCRIPTEN__) || defined(__EMSCRIPTEN_PTHREADS__)
#define FJORD_THREADS 1
#include <thread>
#endif

namespace fjord {

class Threads {
 public:
  /// `count` includes the calling thread. In a build without threads it is always 1.
  explicit Threads(int count = 1);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int count() const { return count_; }

  /// Calls work(0) ... work(parts - 1), part 0 on this thread, and returns when all have returned.
  /// `parts` may exceed count(); part p runs on thread p % count().
  template <class F>
  void run(int parts, const F& work) {
    dispatch(parts, [](const void* f, int part) { (*static_cast<const F*>(f))(part); }, &work);
  }

  /// Splits [0, n) into at most count() ranges of whole multiples of `grain` (but for the last one).
  template <class F>
  void forRange(int64_t n, int64_t grain, const F& work) {
    int64_t grains = (n + grain - 1) / grain;
    int parts = static_cast<int>(grains < count_ ? grains : count_);
    if (parts <= 1) {
      if (n > 0) work(int64_t{0}, n, 0);
      return;
    }
    run(parts, [&](int part) {
      int64_t begin = grains * part / parts * grain, end = grains * (part + 1) / parts * grain;
      work(begin, end < n ? end : n, part);
    });
  }

 private:
  using Work = void (*)(const void* context, int part);
  void dispatch(int parts, Work work, const void* context);

#if FJORD_THREADS
  void loop(int index);
  void runShare(int index);

  std::vector<std::thread> workers_;
  std::atomic<uint32_t> round_{0};    // bumped to start a round
  std::atomic<int32_t> pending_{0};   // workers that have not finished the round
  std::atomic<bool> stop_{false};
  Work work_ = nullptr;
  const void* context_ = nullptr;
  int parts_ = 0;
#endif
  int count_ = 1;
};

}  // namespace fjord
