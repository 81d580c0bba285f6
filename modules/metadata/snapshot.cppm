// A snapshot: the records that make an image again.
module;
#include <cstddef>
#include <functional>

export module millrace.metadata:snapshot;

import millrace.base;
import :image;
import :limits;
import :records;

export namespace millrace::metadata {

// A piece of a snapshot, which is written and read at once.
inline constexpr std::size_t snapshot_piece_bytes_max = 128 * kibibyte;
static_assert(snapshot_piece_bytes_max <= entry_bytes_max);

// Gives the bytes of a snapshot in pieces, each with the layout of an entry behind its length. They
// are at most as long as snapshot_piece_bytes_max, or hold one record that is longer. The same
// cluster gives the same bytes.
void write_snapshot(const Image& image, const std::function<void(const OwnedBytes& piece)>& take);

}  // namespace millrace::metadata
