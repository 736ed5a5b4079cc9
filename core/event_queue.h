#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/error.h"
#include "core/units.h"

namespace makespan {

/// A monotone priority queue: what is pushed is never less than what was taken last, as when time advances.
///
/// A radix heap (Ahuja, Mehlhorn, Orlin, Tarjan, "Faster algorithms for the shortest path problem", J. ACM
/// 1990): an item lies in the bucket numbered by the highest bit in which its key differs from the last key
/// taken, so it moves to a lower bucket at most once per bit, and items are never compared with each other.
/// Items hold no callbacks: the owner knows what `slot` is, and by `version` whether the item still counts.
/// Buckets keep their memory, so nothing is allocated once they have grown.
///
/// Key is a Quantity that is never negative.
template <class Key>
class RadixHeap {
 public:
  struct Item {
    Key key;
    std::uint32_t slot;
    std::uint32_t version;
  };

  [[nodiscard]] bool empty() const { return used_ == 0; }

  /// Requires a key no less than the last one taken.
  void push(Key key, std::uint32_t slot, std::uint32_t version) {
    MAKESPAN_CHECK(key >= last_, "pushed into the past");
    put({key, slot, version});
  }

  /// Takes every item of the least key, to be read with `taken`, and returns that key. What is pushed with
  /// this key afterwards is taken by the next call, which returns the same key again. Requires that the queue
  /// is not empty.
  Key advance() {
    MAKESPAN_CHECK(!empty(), "nothing to take");
    const auto lowest = static_cast<std::size_t>(std::countr_zero(used_));
    used_ &= used_ - 1;
    std::vector<Item>& bucket = buckets_[lowest];
    taken_.clear();
    if (lowest == 0) {
      taken_.swap(bucket);
      return last_;
    }
    if (bucket.size() == 1) {
      taken_.push_back(bucket.front());
      bucket.clear();
      last_ = taken_.front().key;
      return last_;
    }
    last_ = std::min_element(bucket.begin(), bucket.end(), [](const Item& a, const Item& b) {
              return a.key < b.key;
            })->key;
    for (const Item& item :
         bucket) {  // what is left agrees with the new last key in one more bit: it moves down
      if (item.key == last_) {
        taken_.push_back(item);
      } else {
        put(item);
      }
    }
    bucket.clear();
    return last_;
  }

  /// The items that the last `advance` took, in an order that depends only on the calls made.
  [[nodiscard]] std::span<const Item> taken() const { return taken_; }

  /// Empties the queue; keys start at 0 again.
  void reset() {
    for (; used_ != 0; used_ &= used_ - 1) {
      buckets_[static_cast<std::size_t>(std::countr_zero(used_))].clear();
    }
    taken_.clear();
    last_ = Key(0);
  }

 private:
  void put(const Item& item) {
    const auto difference = static_cast<std::uint64_t>(item.key.count() ^ last_.count());
    const auto bucket = static_cast<std::size_t>(std::bit_width(difference));
    buckets_[bucket].push_back(item);
    used_ |= std::uint64_t{1} << bucket;
  }

  std::array<std::vector<Item>, 64> buckets_;
  std::vector<Item> taken_;
  std::uint64_t used_ = 0;  ///< bit i is set when bucket i is not empty
  Key last_;
};

/// Events by the instant at which they happen.
using EventQueue = RadixHeap<Time>;

}  // namespace makespan
