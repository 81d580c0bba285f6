// The two ends of a ring: one writes bytes, the other reads them.
module;
#include <cstddef>
#include <cstdint>

export module millrace.ipc.ring:ends;

import millrace.base;
import :layout;
import :limits;

export namespace millrace::ipc {

// What the peer wrote cannot be: its memory is not to be used any more.
enum class RingFault : std::uint8_t { cursor };

template <class T>
using RingResult = Result<T, RingFault>;

// Whose memory an end writes and whose it reads. Both stay mapped as long as the end lives. The
// peer may write anything into its own at any time: each value is read once, and checked.
struct RingMemories {
  Region* own = nullptr;
  const Region* peer = nullptr;
  std::uint64_t capacity = 0;  // of the ring that the end belongs to
};

// Writes into the ring of its own memory. One thread. Keeps its cursor to itself: what is in the
// memory only tells the peer.
class RingWriter {
 public:
  explicit RingWriter(const RingMemories& memories);

  // Copies as many bytes as there is room for. The peer does not see them before publish().
  [[nodiscard]] RingResult<std::size_t> write(ByteView bytes);
  // True if the peer sleeps and is to be woken.
  [[nodiscard]] bool publish();

  // Before the writer sleeps. False if there is room by now: it must not.
  [[nodiscard]] RingResult<bool> park();
  // After it woke up, for whatever reason.
  void unpark();

 private:
  // How much fits, from the peer's cursor.
  [[nodiscard]] RingResult<std::uint64_t> room();

  RingMemories memories_;
  std::byte* data_;
  std::uint64_t tail_ = 0;
  std::uint64_t head_seen_ = 0;
  std::uint64_t parked_ = 0;
  std::uint64_t woken_ = 0;
};

// Reads from the ring in the peer's memory. One thread.
class RingReader {
 public:
  explicit RingReader(const RingMemories& memories);

  // How many bytes are there.
  [[nodiscard]] RingResult<std::size_t> available();
  // Copies as many bytes as are there and fit. Their room is not given back before release().
  [[nodiscard]] RingResult<std::size_t> read(MutableBytes to);
  // True if the peer sleeps and is to be woken: not for less than half of the ring, so that it
  // writes much at a time.
  [[nodiscard]] bool release();

  // Before the reader sleeps. False if there is something by now: it must not.
  [[nodiscard]] RingResult<bool> park();
  void unpark();

 private:
  RingMemories memories_;
  const std::byte* data_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_seen_ = 0;
  std::uint64_t parked_ = 0;
  std::uint64_t woken_ = 0;
};

}  // namespace millrace::ipc
