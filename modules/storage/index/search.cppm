// Binary search over the entries of an index.
module;
#include <cstddef>

module millrace.storage.index:search;

namespace millrace::storage {

// How many of the entries [0, count) satisfy the test, which holds for a first part of them only.
template <class Holds>
std::size_t first_part(std::size_t count, Holds holds) {
  std::size_t low = 0;
  while (low < count) {
    const std::size_t middle = low + (count - low) / 2;
    if (holds(middle)) {
      low = middle + 1;
    } else {
      count = middle;
    }
  }
  return low;
}

}  // namespace millrace::storage
