// Batches that are on their way into the log together.
module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <variant>
#include <vector>

export module millrace.storage.producers:staged;

import millrace.base;
import :state;
import :states;

export namespace millrace::storage {

// What one write is going to append, checked against the state and against each other in the order
// of appending. Given to the state when the write has succeeded, thrown away when it has not: the
// state of the partition changes only with its log. A local of whoever writes; the states outlive
// it and change by nobody else meanwhile.
class StagedProducers {
 public:
  explicit StagedProducers(ProducerStates& states) : states_(states) {}

  // Checks and, if accepted, remembers for those that follow. A duplicate may be one of a batch
  // that is staged itself: it is answered with that one, and not before it has been written.
  [[nodiscard]] ProducerCheck add(const ProducerBatch& batch, AppendOrigin origin);
  [[nodiscard]] ProducerCheck add(const ProducerMarker& marker, AppendOrigin origin,
                                  std::int16_t transaction_version);

  // Everything that was accepted becomes part of the state, in order, and this is empty again. The
  // transactions that ended are appended to `completed`.
  void apply(std::vector<CompletedTransaction>& completed);
  void clear();
  [[nodiscard]] bool empty() const { return accepted_.empty(); }

 private:
  // As it is after what has been staged; null where nothing is known.
  [[nodiscard]] const ProducerState* find(ProducerId producer) const;
  template <class Item>
  void accept(const Item& item);

  ProducerStates& states_;
  std::map<ProducerId, ProducerState> changed_;
  std::size_t new_producers_ = 0;
  std::vector<std::variant<ProducerBatch, ProducerMarker>> accepted_;
};

}  // namespace millrace::storage
