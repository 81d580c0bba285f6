// The controller's place in the group of controllers.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

export module millrace.controller:quorum;

import millrace.base;
import millrace.metadata.machine;
import millrace.raft;
import millrace.raft.store;
import millrace.runtime;
import millrace.storage.files;
import :metrics;
import :wakeup;

export namespace millrace::controller {

using metadata::MetadataOffset;

struct QuorumOptions {
  std::string directory;  // of the metadata log; exists
  raft::NodeId self = raft::no_node;
  metadata::Options metadata;
  metadata::RandomSource random;
  raft::StoreOptions store;
  // A snapshot is written after so many bytes of entries.
  std::uint64_t snapshot_after_bytes = 20 * mebibyte;
  // And this long after a change that is in none; without it, only by size.
  std::optional<Duration> snapshot_interval;
  ControllerMetrics* metrics = nullptr;  // outlives the quorum
};

// Entries as those who follow the metadata get them.
struct Followed {
  struct Entry {
    MetadataOffset offset;
    raft::Payload bytes;
  };
  std::vector<Entry> entries;
  MetadataOffset through;  // all up to it is told
  // Instead: what was asked for is only in this snapshot.
  std::optional<raft::SnapshotMeta> snapshot;
};

// Raft node, durable log and machine of one controller, and the loop that feeds them and carries
// out what they want. Lives on one shard; its owner awaits stop() before it goes. When the log
// cannot be written or read any more it calls back `failed` once, and answers nothing from then on.
class Quorum {
 public:
  using Failed = std::function<void(const Error&)>;

  // Opens the log, and begins a group of which this node is the only voter where there is none.
  // The error says what to do: another process uses the directory, it is damaged.
  [[nodiscard]] static Task<Result<std::unique_ptr<Quorum>>> open(Executor& executor,
                                                                  FileSystem& files,
                                                                  QuorumOptions options, Logger log,
                                                                  Failed failed);
  Quorum(const Quorum&) = delete;
  Quorum& operator=(const Quorum&) = delete;
  ~Quorum();

  // Begins to take part.
  void start();
  // Waits until this node leads and the cluster has an id, until `deadline` or the end.
  [[nodiscard]] Task<bool> wait_until_leading(MonotonicTime deadline);
  // Long polls end, and requests that are open are answered with NOT_CONTROLLER: whoever serves
  // them can stop.
  void begin_stop();
  // Closes the files.
  [[nodiscard]] Task<void> stop();

  // Resumes with the answer, once that may be known.
  [[nodiscard]] Task<metadata::Reply> ask(metadata::Request request);

  [[nodiscard]] const metadata::Machine& machine() const { return machine_; }
  [[nodiscard]] const std::shared_ptr<const metadata::Image>& image() const {
    return machine_.image();
  }
  [[nodiscard]] const raft::Node& node() const { return *node_; }
  [[nodiscard]] bool is_ending() const { return is_ending_; }

  // Entries from `next` on; waits for the first until `deadline`.
  [[nodiscard]] Task<Followed> follow(MetadataOffset next, std::size_t bytes_max,
                                      MonotonicTime deadline);
  [[nodiscard]] const raft::SnapshotMeta& snapshot() const { return store_->snapshot(); }
  // Nothing: another snapshot has taken its place, or the end has come.
  [[nodiscard]] Task<std::optional<std::vector<std::byte>>> read_snapshot(raft::SnapshotMeta meta,
                                                                          std::uint64_t position,
                                                                          std::size_t length);

 private:
  class Pending;

  Quorum(Executor& executor, FileSystem& files, QuorumOptions options, Logger log, Failed failed);

  // --- quorum.cpp: the loop ---
  [[nodiscard]] Task<void> run();
  [[nodiscard]] Task<void> turn();
  [[nodiscard]] Task<void> propose_some();
  [[nodiscard]] Task<void> carry_out(raft::Effects effects);
  [[nodiscard]] Task<std::optional<raft::Persisted>> persist(const raft::Write& write);
  void wait_for_space(const storage::StorageError& error);
  void note_compaction(const storage::StorageError& error);
  void apply(const raft::Effects& effects);
  void apply(const raft::Entry& entry);
  void follow_role();
  void tell_of_brokers();
  void dispatch(metadata::Effects effects);
  void fail(Error error);
  [[nodiscard]] MonotonicTime now() const { return executor_.clock().now(); }
  // Raft's time: ahead of the clock, so that the only voter need not wait for others.
  [[nodiscard]] MonotonicTime raft_now() const { return now() + ahead_; }
  [[nodiscard]] MonotonicTime next_deadline() const;
  [[nodiscard]] bool has_work() const;

  // --- quorum_files.cpp: opening, snapshots, the reserve ---
  [[nodiscard]] Task<Result<void>> recover();
  [[nodiscard]] Task<Result<void>> restore(const raft::SnapshotMeta& meta);
  [[nodiscard]] Task<void> save_snapshot();
  void snapshot_if_due();
  [[nodiscard]] bool is_snapshot_overdue() const;
  void watch_reserve();
  [[nodiscard]] Task<void> restore_reserve();

  Executor& executor_;
  FileSystem& files_;
  QuorumOptions options_;
  Logger log_;
  Failed failed_;
  metadata::Machine machine_;
  std::unique_ptr<raft::DurableLog> store_;
  std::optional<raft::Node> node_;
  Duration ahead_{};

  TaskGroup group_;
  Wakeup work_;
  bool is_ending_ = false;
  bool has_failed_ = false;
  std::deque<raft::Event> events_;
  std::deque<raft::Payload> proposals_;
  MonotonicTime raft_deadline_;
  std::optional<MonotonicTime> machine_deadline_;
  raft::Term led_term_;

  std::uint64_t next_request_ = 0;
  std::map<metadata::RequestId, Pending*> pending_;
  std::set<Wakeup*> followers_;

  std::map<BrokerId, bool> was_fenced_;  // at the commit before
  bool told_brokers_ = false;            // it led then

  std::uint64_t bytes_since_snapshot_ = 0;
  std::optional<MonotonicTime> snapshot_due_;  // while a change is in no snapshot
  bool is_saving_ = false;

  std::optional<MonotonicTime> complained_;   // since when nothing can be written; said last then
  std::optional<MonotonicTime> reserve_due_;  // while there is none: when to try to make it
  bool is_restoring_ = false;
};

}  // namespace millrace::controller
