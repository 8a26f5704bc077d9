// Sorting where a handful of items are sorted once for a model: in a tenth of the code of std::sort, which a page would download.
//
//   sortFew(blocks, [](const Block& a, const Block& b) { return a.bytes < b.bytes; });
//
// Shell's method: insertion over gaps that shrink to one, here by Gonnet's factor of 5/11. Equal items may change places.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

namespace fjord {

template <class Items, class Less = std::less<>>
void sortFew(Items& items, Less less = {}) {
  size_t size = std::size(items);
  for (size_t gap = size; gap > 1;) {
    gap = gap < 3 ? 1 : gap * 5 / 11;
    for (size_t i = gap; i < size; ++i) {
      auto item = std::move(items[i]);
      size_t at = i;
      for (; at >= gap && less(item, items[at - gap]); at -= gap)
        items[at] = std::move(items[at - gap]);
      items[at] = std::move(item);
    }
  }
}

}  // namespace fjord
