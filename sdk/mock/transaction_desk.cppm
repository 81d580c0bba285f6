// The transactions of the mock. Inside this module only.
module;
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock:transaction_desk;

import millrace.base;
import millrace.groups;
import millrace.protocol.api;
import :faults;
import :state;

namespace millrace::mock {

enum class TransactionPhase : std::uint8_t { empty, ongoing, committed, aborted };

// What belongs to a transactional id, and who.
struct Transactional {
  ProducerId producer = no_producer_id;
  ProducerEpoch epoch = no_producer_epoch;
  // The epoch that its producer had before it asked for this one.
  ProducerEpoch renewed_from = no_producer_epoch;
  std::int32_t timeout_ms = 0;
  TransactionPhase phase = TransactionPhase::empty;
  std::set<std::pair<std::string, std::int32_t>> partitions;
  // By group, as they were asked for.
  std::map<std::string, groups::CommitRequest> offsets;
};

// Who owns a transactional id, what belongs to its transaction, and how that ends: at once, with a
// marker in each partition. On the cluster's executor; the state outlives it.
class TransactionDesk {
 public:
  explicit TransactionDesk(State& state) : state_(state) {}

  struct Owner {
    ErrorCode error = ErrorCode::none;
    ProducerId producer = no_producer_id;
    ProducerEpoch epoch = no_producer_epoch;
  };
  // Shuts out whoever had it, and ends its transaction. A producer that names itself must be the
  // last one.
  [[nodiscard]] Owner take(std::string_view id, ProducerId known, ProducerEpoch known_epoch,
                           std::int32_t timeout_ms);
  // Null where nobody took it.
  [[nodiscard]] Transactional* find(std::string_view id);
  // Whether the producer is the one that took the id last.
  [[nodiscard]] ErrorCode refusal_of(std::string_view id, ProducerId producer, ProducerEpoch epoch);

  // The transaction begins with the first that belongs to it.
  void add(Transactional& transaction, std::string_view topic, PartitionIndex partition);
  void add(Transactional& transaction, groups::CommitRequest offsets);
  void add_group(Transactional& transaction) { transaction.phase = TransactionPhase::ongoing; }

  // Writes the markers. With a bump the next transaction has the next epoch.
  void end(Transactional& transaction, bool commits, bool bumps);
  // As a coordinator does whose patience is over: aborts, and shuts the producer out.
  void time_out(Transactional& transaction) {
    end(transaction, false, true);
    bump(transaction);
  }

  // Ends what a producer has open in one partition, whoever coordinates it.
  [[nodiscard]] ErrorCode end_hanging(Partition& partition, ProducerId producer,
                                      ProducerEpoch epoch, bool commits);

  [[nodiscard]] const std::map<std::string, Transactional, std::less<>>& all() const {
    return all_;
  }

 private:
  void bump(Transactional& transaction);
  void mark(Partition& partition, const Transactional& transaction, bool commits,
            ProducerEpoch epoch, bool bumps);

  State& state_;
  std::map<std::string, Transactional, std::less<>> all_;
};

}  // namespace millrace::mock
