// One partition of __consumer_offsets that the broker leads.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

export module millrace.coordinator:state_partition;

import millrace.base;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import :metrics;

export namespace millrace::coordinator {

// What partitions hold that counts against a limit of them all.
struct HeldBytes {
  std::size_t waiting = 0;      // of large answers that wait for appends
  std::size_t uncommitted = 0;  // of appends that the broker has not answered
  std::size_t state = 0;        // of groups, about
};

// What the partitions of one session share; outlives them.
struct PartitionSurroundings {
  Executor& executor;
  BufferPool& buffers;
  const groups::Options& options;
  coordination::SessionId session;
  const Logger& log;
  std::function<void(const coordination::ToBroker&)> send;
  std::function<void(groups::RequestId, groups::Reply)> answer;
  // A timer may have been late because this process stood still: then nothing is decided.
  std::function<bool()> may_go_by_clock;
  // A load has ended, well or not.
  std::function<void()> load_ended;
  Metrics& metrics;
  protocol::Compressor compressor = protocol::Compressor();
  protocol::Decompressor decompressor = protocol::Decompressor();
  // One number for each load of the session.
  std::uint64_t loads = 0;
  HeldBytes held = HeldBytes();  // of all partitions
};

// Loads the partition, keeps its groups, and has what they decide written. After an append that
// failed it drops everything and wants to be loaded anew; after a load that failed, too, a little
// later. Who asks while it loads is told so; after several loads that failed, NOT_COORDINATOR, as
// Kafka says it. Belongs to a session; ends with unload() or without.
class StatePartition {
 public:
  StatePartition(PartitionSurroundings& around, PartitionIndex partition, LeaderEpoch epoch);
  StatePartition(const StatePartition&) = delete;
  StatePartition& operator=(const StatePartition&) = delete;
  ~StatePartition() { count({}); }

  [[nodiscard]] PartitionIndex partition() const { return of_.partition; }
  [[nodiscard]] LeaderEpoch epoch() const { return of_.epoch; }
  [[nodiscard]] bool wants_load() const { return phase_ == Phase::waits; }
  [[nodiscard]] bool is_loading() const { return phase_ == Phase::loads; }
  [[nodiscard]] bool is_active() const { return phase_ == Phase::active; }

  void add_to(Figures& figures) const;

  // Reads from the beginning.
  void load();
  void request(groups::RequestId id, groups::Request request);
  // Fails for what a broker cannot mean: then its session is to end. What belongs to an earlier
  // load is dropped.
  [[nodiscard]] Result<void> take(const coordination::Batches& message);
  [[nodiscard]] Result<void> take(const coordination::Committed& message);
  void take(const coordination::AppendFailed& message);
  // What is open is answered NOT_COORDINATOR.
  void unload();

 private:
  enum class Phase : std::uint8_t {
    rests,  // after a load that failed; the timer ends it
    waits,  // to be loaded
    loads,
    active,
  };

  [[nodiscard]] groups::Now now() const;
  void start_anew();
  void read();
  [[nodiscard]] Result<void> replay(ByteView batches);
  [[nodiscard]] Result<void> replay(const protocol::BatchView& batch);
  void load_failed(const std::string& why);
  void carry_out(groups::Effects effects);
  void count_held();
  void count(const HeldBytes& now);
  void append(const groups::Append& append);
  void on_time();

  struct Due : Timer {
    explicit Due(StatePartition& p)
        : Timer([](Timer& self) { static_cast<Due&>(self).partition.on_time(); }), partition(p) {}
    StatePartition& partition;
  };

  PartitionSurroundings& around_;
  coordination::LoadedPartition of_;
  Phase phase_ = Phase::waits;
  std::unique_ptr<groups::Coordinator> groups_;
  Due due_;
  Offset position_{0};          // where to read on
  std::optional<Offset> end_;   // of the log, when the load began
  groups::Ticket last_ticket_;  // of the appends of this load
  std::uint32_t failures_ = 0;  // of loads, one after the other
  MonotonicTime load_began_;
  HeldBytes held_;  // as it was counted
};

}  // namespace millrace::coordinator
