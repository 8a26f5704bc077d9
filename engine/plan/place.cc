#include "plan/place.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fjord {

namespace {

/// No range is taken from there on.
constexpr int64_t kFree = std::numeric_limits<int64_t>::max();

}  // namespace

void Lifetime::include(int32_t step) {
  first = first < 0 ? step : std::min(first, step);
  last = std::max(last, step);
}

Places::Places(int32_t steps, int64_t pageBytes)
    : pageBytes_(pageBytes),
      length_(std::max(1, static_cast<int32_t>(std::sqrt(steps)))),
      steps_(steps),
      blocks_(steps / length_ + 1) {}

/// The first offset from there on at which so many bytes do not cross into another page.
int64_t Places::inOnePage(int64_t offset, int64_t bytes) const {
  bool crosses = pageBytes_ > 0 && offset % pageBytes_ + bytes > pageBytes_;
  return crosses ? (offset / pageBytes_ + 1) * pageBytes_ : offset;
}

void Places::add(Taken& taken, Range range) {
  auto first = std::ranges::lower_bound(taken, range.begin, {}, &Range::end), last = first;
  for (; last != taken.end() && last->begin <= range.end; ++last) {
    range.begin = std::min(range.begin, last->begin);
    range.end = std::max(range.end, last->end);
  }
  if (first == last) {
    taken.insert(first, range);
  } else {
    *first = range;
    taken.erase(first + 1, last);
  }
}

int64_t Places::put(int64_t bytes, Lifetime life) {
  std::vector<const Taken*> taken;
  std::vector<Taken*> takes;
  for (int32_t b = life.first / length_; b <= life.last / length_; ++b) {
    int32_t begin = b * length_, end = begin + length_ - 1;
    takes.push_back(&blocks_[b].sometimes);
    if (life.first <= begin && end <= life.last) {
      taken.push_back(&blocks_[b].sometimes);
      takes.push_back(&blocks_[b].always);
      continue;
    }
    taken.push_back(&blocks_[b].always);
    for (int32_t i = std::max(begin, life.first); i <= std::min(end, life.last); ++i) {
      taken.push_back(&steps_[i]);
      takes.push_back(&steps_[i]);
    }
  }
  int64_t offset = 0;
  std::vector<int64_t> next(taken.size(), 0);  // where each of them is in the way next
  for (size_t i = 0; i < taken.size();) {
    int64_t before = offset;
    if (next[i] < offset + bytes) {
      auto range = std::ranges::upper_bound(*taken[i], offset, {}, &Range::end);
      for (; range != taken[i]->end() && range->begin < offset + bytes; ++range, ++looks_)
        offset = inOnePage(std::max(offset, range->end), bytes);
      next[i] = range == taken[i]->end() ? kFree : range->begin;
      ++looks_;
    }
    if (offset == before) {
      ++i;
    } else {
      // What was in the way is likely to be so again: from now on it is asked first.
      std::swap(taken[0], taken[i]);
      std::swap(next[0], next[i]);
      i = 0;
    }
  }
  if (bytes == 0) return offset;
  for (Taken* list : takes) add(*list, {offset, offset + bytes});
  looks_ += static_cast<int64_t>(takes.size());
  return offset;
}

}  // namespace fjord
