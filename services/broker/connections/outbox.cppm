// The bytes of answers on their way to the socket.
module;
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

export module millrace.broker.connections:outbox;

import millrace.base;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import :limits;

export namespace millrace::broker {

// Puts the pieces of several frames together, and takes them apart again into steps of a bounded
// size: pieces of memory that are written by one call, or a part of a file. Small answers that are
// ready together so go out together. Belongs to a connection; the frames outlive their sending.
class Outbox {
 public:
  // What is sent next: views, or a range if there are none.
  struct Step {
    std::span<const ByteView> views;
    FileRange range;
    std::size_t bytes = 0;
    More more = More::no;

    [[nodiscard]] inline bool is_file() const { return views.empty(); }
  };

  explicit Outbox(FileSystem& files) : files_(files) {}

  // Whether another frame may be added.
  [[nodiscard]] inline bool has_room() const {
    return chunks_.size() < send_pieces_max && bytes_ < send_step_bytes_max;
  }
  void add(const protocol::OutgoingFrame& frame);
  // False when all has been given; the outbox is then empty.
  [[nodiscard]] bool next(Step& step);
  void clear();

 private:
  FileSystem& files_;
  std::vector<protocol::RecordChunk> chunks_;
  std::vector<ByteView> views_;
  std::size_t bytes_ = 0;
  std::size_t index_ = 0;
  std::size_t done_ = 0;  // of the chunk
};

}  // namespace millrace::broker
