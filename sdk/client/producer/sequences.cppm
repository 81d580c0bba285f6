// The numbers by which a broker recognises a batch that comes twice.
module;
#include <cstdint>
#include <limits>

export module millrace.client.producer:sequences;

import millrace.base;
import millrace.protocol.batch;

export namespace millrace::client {

// Sequences run from 0 to 2^31-1 and then from 0 again.
inline constexpr std::uint32_t sequence_mask = 0x7fff'ffff;

// Of one partition of an idempotent producer. A batch keeps its numbers when it is sent again. When
// the broker lacks something before a batch, all that is left begins at 0 again under a higher
// epoch, which the broker takes as a new start and which shuts out what is still under way from
// before. A value of the client's thread.
class PartitionSequences {
 public:
  // Whether an id is needed before the next batch gets its numbers.
  [[nodiscard]] bool needs_id() const { return id_ == no_producer_id; }
  // A new id from the cluster: numbers begin at 0.
  void begin(ProducerId id, ProducerEpoch epoch) {
    id_ = id;
    epoch_ = epoch;
    next_ = 0;
    is_known_ = false;
  }
  // The numbers of the next batch.
  [[nodiscard]] protocol::ProducerState assign(std::int32_t record_count) {
    const protocol::ProducerState state{id_, epoch_, Sequence(static_cast<std::int32_t>(next_))};
    next_ = (next_ + static_cast<std::uint32_t>(record_count)) & sequence_mask;
    return state;
  }
  // A new start under the next epoch; after the last one a new id is needed.
  void bump() {
    next_ = 0;
    is_known_ = false;
    if (epoch_.value() == std::numeric_limits<std::int16_t>::max()) {
      id_ = no_producer_id;
      return;
    }
    epoch_ = epoch_.next();
  }
  // Whether the numbers were given under the id and epoch of now.
  [[nodiscard]] bool is_current(const protocol::ProducerState& state) const {
    return state.id == id_ && state.epoch == epoch_;
  }
  // A broker that knows nothing of a producer takes any number as the first: until it has taken a
  // batch, a second one under way could come in before the first, which then never would.
  [[nodiscard]] bool is_known() const { return is_known_; }
  void taken(const protocol::ProducerState& state) { is_known_ = is_known_ || is_current(state); }
  [[nodiscard]] Sequence next() const { return Sequence(static_cast<std::int32_t>(next_)); }

 private:
  ProducerId id_ = no_producer_id;
  ProducerEpoch epoch_ = no_producer_epoch;
  std::uint32_t next_ = 0;
  bool is_known_ = false;
};

}  // namespace millrace::client
