// The controller.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

export module millrace.metadata.machine:machine;

import millrace.base;
import millrace.metadata;
import :effects;
import :election;
import :options;
import :placement;
import :requests;
import :sessions;
import :settings;
import :topic_names;

export namespace millrace::metadata {

// Decides for the whole cluster: takes what happened and the time, returns what is to be done. It
// has no thread, socket, file or clock: the same events give the same effects, but for what the
// random source gives. Its owner calls it from one thread, tells it every committed entry of the
// controllers' log in order, whoever proposed it, and while it leads carries out the effects of
// each event: proposals in the order of their tickets, none left out. A change counts here as soon
// as it is proposed; its answer leaves once it is committed. An owner that cannot propose any more,
// because another controller leads, calls lose_leadership(): what was open is answered, what was
// proposed may be lost or not. Requests never fail: what is wrong with them is in their reply.
class Machine {
 public:
  // `options` are valid.
  Machine(Options options, RandomSource random);

  // --- Of every controller. ---
  // From a snapshot, with what follows told anew; not while it leads.
  void restore(std::shared_ptr<const Image> image);
  // The next entry, nothing where it holds no records. Fails where it cannot be read, or cannot be
  // true: then this controller cannot go on.
  [[nodiscard]] Result<Effects> committed(MetadataOffset offset, std::optional<ByteView> entry,
                                          MonotonicTime now);
  [[nodiscard]] const std::shared_ptr<const Image>& image() const { return committed_image_; }

  // --- Of the one that leads. ---
  // All entries up to the first of its own term were told: nothing is there that it does not know.
  [[nodiscard]] Effects become_leader(MonotonicTime now);
  [[nodiscard]] Effects lose_leadership();
  [[nodiscard]] Effects request(RequestId id, Request request, MonotonicTime now);
  // Harmless when too early.
  [[nodiscard]] Effects tick(MonotonicTime now);

  [[nodiscard]] bool leads() const { return leads_; }
  // With what is proposed and not committed yet.
  [[nodiscard]] const std::shared_ptr<const Image>& proposed() const { return image_; }
  [[nodiscard]] std::size_t open_requests() const { return outbox_.open_count(); }
  [[nodiscard]] std::size_t uncommitted() const { return outbox_.uncommitted(); }

 private:
  // --- machine.cpp: events, proposals, and the end of a step ---
  [[nodiscard]] Effects finish();
  void propose(const std::vector<Record>& records);
  void answer(RequestId id, Reply reply);
  [[nodiscard]] Uuid new_id();
  void note_registrations(const Delta& delta);

  // --- brokers.cpp ---
  void on(RequestId id, RegisterBroker& request);
  void on(RequestId id, const Heartbeat& request);
  void on(RequestId id, const UnregisterBroker& request);
  void on(RequestId id, const AllocateProducerIds& request);
  [[nodiscard]] Outcome refusal_of(const RegisterBroker& request) const;
  [[nodiscard]] Outcome refusal_of(BrokerId broker, BrokerEpoch epoch) const;
  [[nodiscard]] HeartbeatReply move_on(const Broker& broker, const Heartbeat& request,
                                       bool is_caught_up);
  void fence(BrokerId broker);
  // For all partitions: leaders that may not lead go, those that may come back; brokers that do not
  // serve leave the in-sync replicas.
  void elect_everywhere();
  [[nodiscard]] bool is_unclean_allowed(const std::string& topic) const;

  // --- topics.cpp ---
  void on(RequestId id, CreateTopics& request);
  void on(RequestId id, DeleteTopics& request);
  [[nodiscard]] Outcome create(const NewTopic& wanted, bool validate_only, CreatedTopic& created);
  [[nodiscard]] Outcome place(const NewTopic& wanted, std::vector<Partition>& partitions);
  [[nodiscard]] Outcome place_by_hand(const NewTopic& wanted, std::vector<Partition>& partitions);
  [[nodiscard]] Outcome place_by_number(const NewTopic& wanted, std::vector<Partition>& partitions);
  // Counts what the request asks for in all.
  [[nodiscard]] Outcome room_for(std::size_t more);
  [[nodiscard]] Outcome remove(DeletedTopic& topic);

  // --- more_partitions.cpp ---
  void on(RequestId id, CreatePartitions& request);
  [[nodiscard]] Outcome extend(const MorePartitions& wanted, bool validate_only);

  // --- altering.cpp ---
  void on(RequestId id, AlterConfigs& request);
  [[nodiscard]] Outcome alter(const ResourceChange& resource, bool replaces, bool validate_only);

  Options options_;
  RandomSource random_;
  SettingRules settings_;
  ImageBuilder committed_;
  std::shared_ptr<const Image> committed_image_;

  // While it leads.
  bool leads_ = false;
  MonotonicTime now_;
  std::optional<ImageBuilder> builder_;
  std::shared_ptr<const Image> image_;
  SimilarNames similar_names_;
  std::size_t partitions_asked_ = 0;  // by the request that is carried out
  Sessions sessions_;
  Outbox outbox_;
};

}  // namespace millrace::metadata
