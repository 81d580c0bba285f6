// What a node had made durable, out of the bytes of its segments.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

export module millrace.raft.store:replay;

import millrace.base;
import millrace.raft;
import millrace.storage.files;
import :format;

export namespace millrace::raft {

// A segment that was read.
struct SegmentInfo {
  SegmentNumber number;
  LogIndex highest;              // index in it; 0 if there is none
  std::uint64_t size = 0;        // without a torn tail
  std::uint64_t write_from = 0;  // where the last write begins: all before was durable
};

enum class SegmentPlace : bool { closed, newest };

// Takes segments in their order and keeps what they amount to. A value without files; after an
// error it is of no use. A damaged record that nothing durable follows ends the newest segment: a
// write that no one was told of. Anything else that does not fit is StorageFault::corrupt, with
// file and position.
class Replay {
 public:
  // The data of entries up to `covered` are not kept: a snapshot holds what they did.
  explicit Replay(LogIndex covered) : covered_(covered) {}

  [[nodiscard]] storage::StorageResult<SegmentInfo> add(SegmentNumber number, ByteView bytes,
                                                        std::string_view path, SegmentPlace place);

  [[nodiscard]] const HardState& hard_state() const { return hard_state_; }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  // Set where the log goes on directly above a snapshot that was installed.
  [[nodiscard]] const std::optional<LogPosition>& reset() const { return reset_; }
  [[nodiscard]] bool holds(LogPosition position) const;
  // Those above `index`.
  [[nodiscard]] std::vector<Entry> take_above(LogIndex index);

 private:
  // What does not fit; nothing if all is well.
  [[nodiscard]] std::optional<std::string_view> apply(const RecordHeader& header, ByteView data);
  [[nodiscard]] std::optional<std::string_view> apply_entry(const RecordHeader& header,
                                                            ByteView data);

  LogIndex covered_;
  HardState hard_state_;
  std::vector<Entry> entries_;  // consecutive
  std::optional<LogPosition> reset_;
  bool begun_ = false;
};

}  // namespace millrace::raft
