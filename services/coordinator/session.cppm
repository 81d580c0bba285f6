// One connection to the broker: all that is known of its groups, from its greeting to its end.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

export module millrace.coordinator:session;

import millrace.base;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.runtime;
import :metrics;
import :state_partition;

export namespace millrace::coordinator {

// Partitions that are read at a time.
inline constexpr std::size_t loads_at_once_max = 4;

// Replies that may be large and that wait, for an append or for the rest of their request, take as
// much as so many of the largest answers. Those who ask for more are to ask again.
inline constexpr std::size_t waiting_answers_max = 4;

// Appends of all partitions that are not answered take as much as so many partitions may have.
// Those who ask for more are to ask again.
inline constexpr std::size_t uncommitted_partitions_max = 2;

// How a session ends and where its messages go.
struct SessionLink {
  std::function<void(const coordination::ToBroker&)> send;
  // Whether so much may be sent now beside what waits to be: what cannot be queued ends the
  // session.
  std::function<bool(std::size_t)> has_room;
  // The session is of no more use, and this is why. Nothing of it is touched before it returns.
  std::function<void(std::string)> give_up;
};

// Takes the broker's messages. Belongs to one shard; what it is given by reference outlives it. It
// keeps nothing that is not in the log of the broker: when it ends, another one loads it again.
// When broker or coordinator stood still for too long it gives up, before it decides anything by a
// clock: what clients said meanwhile has not been read yet.
class Session {
 public:
  Session(Executor& executor, Random& random, BufferPool& buffers, const groups::Options& options,
          Metrics& metrics, const Logger& log, SessionLink link);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Fails for what breaks the protocol, and after a silence: then the session is to end.
  [[nodiscard]] Result<void> take(ByteView bytes);

  [[nodiscard]] const std::map<PartitionIndex, std::unique_ptr<StatePartition>>& partitions()
      const {
    return partitions_;
  }
  [[nodiscard]] std::size_t open_requests() const { return open_.size(); }
  // Of all partitions, one in each turn of the loop. The session outlives it.
  [[nodiscard]] Task<Figures> figures() const;

 private:
  // A client's request whose questions are not all answered.
  struct Open {
    coordination::GroupCall call;
    std::vector<coordination::KnownTopic> topics;
    std::vector<std::optional<groups::Reply>> replies;
    std::size_t missing = 0;
    std::size_t fetched_bytes = 0;  // of offsets in the replies
    std::size_t held_bytes = 0;     // of the replies, as groups::held_bytes() counts
  };
  struct Place {
    coordination::RequestNumber request;
    std::size_t question = 0;
  };

  [[nodiscard]] Result<void> take(const coordination::Hello& message);
  [[nodiscard]] Result<void> take(const coordination::Lead& message);
  [[nodiscard]] Result<void> take(const coordination::Lost& message);
  [[nodiscard]] Result<void> take(coordination::ClientRequest& message);
  [[nodiscard]] Result<void> take(const coordination::Batches& message);
  [[nodiscard]] Result<void> take(const coordination::Committed& message);
  [[nodiscard]] Result<void> take(const coordination::AppendFailed& message);
  [[nodiscard]] Result<void> take(const coordination::Ping& message);

  [[nodiscard]] StatePartition* find(PartitionIndex partition);
  void ask(const Place& place, StatePartition* partition, groups::Request request);
  void answered(const Place& place, groups::Reply reply);
  [[nodiscard]] bool has_room_for_appends() const;
  [[nodiscard]] bool has_room_for_large() const;
  void finish(coordination::RequestNumber number, Open& open);
  [[nodiscard]] coordination::ClientAnswer answer_of(coordination::RequestNumber number,
                                                     Open& open) const;
  void load_next();
  [[nodiscard]] bool was_silent() const;
  void watch();
  [[nodiscard]] Uuid random_id();

  struct Watcher : Timer {
    explicit Watcher(Session& s)
        : Timer([](Timer& self) { static_cast<Watcher&>(self).session.watch(); }), session(s) {}
    Session& session;
  };

  Executor& executor_;
  Random& random_;
  const groups::Options options_;
  const Logger& log_;
  SessionLink link_;
  PartitionSurroundings around_;
  std::map<PartitionIndex, std::unique_ptr<StatePartition>> partitions_;
  std::map<coordination::RequestNumber, Open> open_;
  std::map<groups::RequestId, Place> places_;
  groups::RequestId last_request_;
  std::size_t held_bytes_ = 0;  // of the replies of all open requests
  bool is_greeted_ = false;
  MonotonicTime heard_;
  Watcher watcher_;
};

}  // namespace millrace::coordinator
