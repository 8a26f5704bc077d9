// Places: where arrays that live for some steps of a plan lie in one piece of memory.
//
//   Places places(steps, 0);
//   int64_t a = places.put(4096, {0, 3}), b = places.put(1024, {2, 5});  // 0 and 4096
//   int64_t c = places.put(512, {4, 9});                                 // 0: a is done with
//
// Each array gets the lowest offset at which nothing lies that lives at the same time.
//
// The n steps are cut into about sqrt(n) blocks. An array is noted once for a block in all of which
// it lives, else at each of its steps there: at a few times sqrt(n) places at most, however long it
// lives. Memory is taken densely, so that each place has few ranges, however many arrays there are.
#pragma once

#include <cstdint>
#include <vector>

namespace fjord {

/// The first and the last step that use an array.
struct Lifetime {
  int32_t first = -1, last = -1;
  void include(int32_t step);
};

class Places {
 public:
  /// No array that fits a page crosses from one into the next; 0: there are no pages.
  Places(int32_t steps, int64_t pageBytes);
  int64_t put(int64_t bytes, Lifetime life);
  /// How many ranges `put` has looked at.
  int64_t looks() const { return looks_; }

 private:
  struct Range {
    int64_t begin, end;
  };
  /// Memory that is taken: ranges in order that do not touch.
  using Taken = std::vector<Range>;
  struct Block {
    Taken always;     // by arrays that live in all of its steps
    Taken sometimes;  // by arrays that live in any of them
  };

  int64_t inOnePage(int64_t offset, int64_t bytes) const;
  static void add(Taken& taken, Range range);

  int64_t pageBytes_;
  int32_t length_;            // of a block, in steps
  std::vector<Taken> steps_;  // by arrays that live then, but not in all of the block
  std::vector<Block> blocks_;
  int64_t looks_ = 0;
};

}  // namespace fjord
