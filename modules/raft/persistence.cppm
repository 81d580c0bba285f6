// What of a node's decisions is durable.
module;
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

export module millrace.raft:persistence;

import millrace.base;
import :message;
import :types;

export namespace millrace::raft {

// Counts writes, knows up to where the log in memory is durable, and keeps messages back until term
// and vote are. Writes become durable in the order of their numbers. Owned by a node.
class Persistence {
 public:
  explicit Persistence(LogIndex durable) : durable_(durable) {}

  // --- The write that is being put together ---
  void hard_state_changes() { open_.hard_state = true; }
  // The log will hold entries `first` through `last` from this write, and nothing above.
  void log_changes(LogIndex first, LogIndex last);
  [[nodiscard]] bool open() const { return open_.hard_state || open_.last.has_value(); }
  [[nodiscard]] WriteNumber seal();

  // --- Its end ---
  void persisted(WriteNumber write);

  // Entries of the log in memory that are durable: all up to this index.
  [[nodiscard]] LogIndex durable() const { return durable_; }
  [[nodiscard]] bool hard_state_durable() const;

  // Keeps the message until term and vote, as they are now, are durable. Not when too many are kept
  // already: it is then lost, as it might have been on its way.
  void hold(Message message);
  // Those that may leave, in order.
  [[nodiscard]] std::vector<Message> release();

 private:
  struct Pending {
    WriteNumber number{1};
    bool hard_state = false;
    LogIndex first;
    std::optional<LogIndex> last;  // nothing: the log does not change
  };
  struct Held {
    WriteNumber number;  // of the write that it waits for
    Message message;
  };

  LogIndex durable_;
  Pending open_;
  WriteNumber persisted_;
  std::deque<Pending> pending_;
  std::deque<Held> held_;
};

}  // namespace millrace::raft
