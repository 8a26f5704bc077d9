// A pool of threads with static work splitting: part i of n always is the same share, so a result
// never depends on timing; which thread takes a part does, so that a thread that the system has put
// aside holds up nobody. Nothing is allocated when work is handed out.
//
//   Threads threads(2);
//   threads.run(threads.count(), [&](int part) { ... });      // the caller's thread takes part
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

  /// Another number of threads, between two runs. Of too many, some sleep; more are there once start() is
  /// called: until then the others do their parts.
  void resize(int count);
  /// Starts those that have not been. None is waited for, because a page that waits for a thread which has
  /// not started yet keeps it from starting.
  void start();

  /// Calls work(0) ... work(parts - 1), each on whichever thread is free first, and returns when
  /// all have returned.
  template <class F>
  void run(int parts, const F& work) {
    dispatch(parts, [](const void* f, int part) { (*static_cast<const F*>(f))(part); }, &work);
  }

  /// Splits [0, n) into at most count() ranges of whole multiples of `grain` (but for the last).
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
  void loop();
  void takeParts();

  // Who waits looks at one word all the time. It has a line of the cache for itself: in one with others,
  // each store to these would have to fetch the line back.
  static constexpr size_t kLine = 64;

  std::vector<std::thread> workers_;
  Work work_ = nullptr;
  const void* context_ = nullptr;
  // The round in progress: its number (24 bits), how many parts it has (20), the next part to be
  // taken (20). One word, so that a worker which comes late to a round cannot mistake its parts for
  // those of another.
  std::atomic<uint64_t> ticket_{0};
  std::atomic<int32_t> sleepers_{0};
  std::atomic<bool> stop_{false};
  alignas(kLine) std::atomic<uint32_t> round_{0};  // the round's number again, to wait for the next
  alignas(kLine) std::atomic<int32_t> finished_{0};
#endif
  int count_ = 1;
};

}  // namespace fjord
