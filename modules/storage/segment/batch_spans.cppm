// How many offsets those batches span that offset indexes have entries for.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

export module millrace.storage.segment:batch_spans;

import millrace.base;

export namespace millrace::storage {

// An entry of an offset index says where a batch begins and its last offset. Who also knows how
// many offsets it spans can tell whether it holds an offset without reading its header: that read
// costs more than everything else that finding an offset takes. A table of fixed size, where newer
// ones take the places of older ones; what is not known is read. One for each shard, part of its
// IndexCache.
class BatchSpans {
 public:
  // What the entry of the batch says, all of it: one that has gone bad since finds nothing.
  struct Key {
    std::uint32_t owner = 0;
    std::uint32_t position = 0;
    std::uint32_t relative_offset = 0;  // its last one, from the beginning of the segment

    friend bool operator==(const Key&, const Key&) = default;
  };

  explicit BatchSpans(std::size_t bytes_max);

  // For a segment, as long as its batches stay where they are.
  [[nodiscard]] std::uint32_t new_owner() {
    if (++owners_ == 0) ++owners_;
    return owners_;
  }

  void add(Key key, std::int32_t last_offset_delta);
  [[nodiscard]] std::optional<std::int32_t> find(Key key) const;

  // What it takes: nothing before the first one is added.
  [[nodiscard]] std::size_t bytes() const { return sets_.size() * sizeof(Set); }

 private:
  // No owner has the number 0.
  struct Span {
    Key key;
    std::int32_t last_offset_delta = 0;
  };
  // Those that a key can lie at, the newest first: one line of the processor's cache.
  struct alignas(64) Set {
    std::array<Span, 4> spans{};
  };
  static_assert(sizeof(Set) == 64);

  [[nodiscard]] std::size_t place(Key key) const;

  std::uint32_t owners_ = 0;
  std::size_t sets_wanted_;  // a power of two
  std::vector<Set> sets_;
};

}  // namespace millrace::storage
