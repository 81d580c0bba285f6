// Random appends, held against a model that keeps no state: it looks through the whole log each
// time.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using enum ProducerVerdict;
using Item = std::variant<ProducerBatch, ProducerMarker>;

class Model {
 public:
  [[nodiscard]] ProducerVerdict check(const ProducerBatch& sent, AppendOrigin origin) const {
    const auto epoch = epoch_of(sent.producer);
    const std::vector<ProducerBatch> recent = recent_batches(sent.producer);
    if (origin == AppendOrigin::client && epoch == sent.epoch) {
      for (const ProducerBatch& before : recent) {
        if (before.first_sequence == sent.first_sequence &&
            before.last_sequence == sent.last_sequence) {
          return duplicate;
        }
      }
    }
    if (origin != AppendOrigin::replication && epoch && sent.epoch < *epoch) {
      return invalid_producer_epoch;
    }
    if (origin == AppendOrigin::client && epoch) {
      const bool goes_on = sent.epoch == *epoch && !recent.empty();
      const std::int64_t last = goes_on ? recent.back().last_sequence.value() : -1;
      if (sent.first_sequence.value() != (last + 1) % (std::int64_t{1} << 31)) {
        return out_of_order_sequence_number;
      }
    }
    return open_since(sent.producer) && !sent.transactional ? invalid_transaction_state : accepted;
  }

  [[nodiscard]] ProducerVerdict check(const ProducerMarker& ended, AppendOrigin origin,
                                      std::int16_t version) const {
    if (origin == AppendOrigin::replication) return accepted;
    const auto epoch = epoch_of(ended.producer);
    if (epoch && ended.epoch < *epoch) return invalid_producer_epoch;
    if (version >= 2 && epoch == ended.epoch && open_since(ended.producer)) {
      return invalid_producer_epoch;
    }
    for (const Item& item : log_) {
      const auto* const before = std::get_if<ProducerMarker>(&item);
      if (before == nullptr || before->producer != ended.producer) continue;
      if (before == last_marker(ended.producer) &&
          ended.coordinator_epoch < before->coordinator_epoch) {
        return transaction_coordinator_fenced;
      }
    }
    return accepted;
  }

  void append(const Item& item) { log_.push_back(item); }
  void cut_back(std::size_t size) { log_.resize(size); }
  [[nodiscard]] std::size_t size() const { return log_.size(); }

  [[nodiscard]] std::optional<Offset> first_undecided() const {
    std::optional<Offset> first;
    for (std::int64_t producer = 0; producer < 4; ++producer) {
      const auto open = open_since(ProducerId(producer));
      if (open && (!first || *open < *first)) first = open;
    }
    return first;
  }

  // Of transactions that are open, or ended by a marker that is not below the high watermark.
  [[nodiscard]] std::optional<Offset> first_unstable(Offset high_watermark) const {
    std::optional<Offset> first = first_undecided();
    for (std::size_t at = 0; at < log_.size(); ++at) {
      const auto* const ended = std::get_if<ProducerMarker>(&log_[at]);
      if (ended == nullptr || ended->offset < high_watermark) continue;
      const auto begun = open_since(ended->producer, at);
      if (begun && (!first || *begun < *first)) first = begun;
    }
    return first;
  }

 private:
  static ProducerId producer_of(const Item& item) {
    return std::visit([](const auto& any) { return any.producer; }, item);
  }
  static ProducerEpoch epoch_of(const Item& item) {
    return std::visit([](const auto& any) { return any.epoch; }, item);
  }

  [[nodiscard]] std::optional<ProducerEpoch> epoch_of(ProducerId producer) const {
    std::optional<ProducerEpoch> epoch;
    for (const Item& item : log_) {
      if (producer_of(item) == producer) epoch = epoch_of(item);
    }
    return epoch;
  }

  // The last five since the epoch changed.
  [[nodiscard]] std::vector<ProducerBatch> recent_batches(ProducerId producer) const {
    std::vector<ProducerBatch> recent;
    ProducerEpoch epoch = no_producer_epoch;
    for (const Item& item : log_) {
      if (producer_of(item) != producer) continue;
      if (epoch_of(item) != epoch) recent.clear();
      epoch = epoch_of(item);
      if (const auto* const data = std::get_if<ProducerBatch>(&item)) recent.push_back(*data);
      if (recent.size() > 5) recent.erase(recent.begin());
    }
    return recent;
  }

  [[nodiscard]] const ProducerMarker* last_marker(ProducerId producer) const {
    const ProducerMarker* last = nullptr;
    for (const Item& item : log_) {
      const auto* const ended = std::get_if<ProducerMarker>(&item);
      if (ended != nullptr && ended->producer == producer) last = ended;
    }
    return last;
  }

  // The first offset of the transaction of this producer that was open before this item.
  [[nodiscard]] std::optional<Offset> open_since(ProducerId producer,
                                                 std::size_t before = SIZE_MAX) const {
    std::optional<Offset> open;
    for (std::size_t at = 0; at < std::min(before, log_.size()); ++at) {
      if (producer_of(log_[at]) != producer) continue;
      const auto* const data = std::get_if<ProducerBatch>(&log_[at]);
      if (data == nullptr) {
        open.reset();
      } else if (data->transactional && !open) {
        open = data->first_offset;
      }
    }
    return open;
  }

  std::vector<Item> log_;
};

AppendOrigin any_origin() {
  return *rc::gen::weightedElement<AppendOrigin>(
      {{8, AppendOrigin::client}, {1, AppendOrigin::coordinator}, {1, AppendOrigin::replication}});
}

// Near to what the producer should send next.
ProducerBatch any_batch(const ProducerStates& states, std::int64_t offset) {
  const std::int64_t producer = *rc::gen::inRange<std::int64_t>(0, 4);
  const ProducerState* const known = states.find(ProducerId(producer));
  const auto last = known != nullptr ? known->last_batch() : std::nullopt;
  const std::int64_t next = last ? std::int64_t{last->last_sequence.value()} + 1 : 0;
  const std::int64_t around =
      next + *rc::gen::weightedElement<std::int64_t>({{8, 0}, {1, 1}, {1, -1}, {1, -2}, {1, -3}});
  const std::int32_t start = *rc::gen::element(0, 0, 5, 2'147'483'646);
  const std::int16_t epoch = known != nullptr ? known->epoch().value() : std::int16_t{1};
  return batch(
      {.producer = producer,
       .epoch = static_cast<std::int16_t>(
           std::max(0, epoch + *rc::gen::weightedElement<int>({{10, 0}, {1, 1}, {1, -1}}))),
       .sequence = known == nullptr ? start : static_cast<std::int32_t>(around & 0x7fff'ffff),
       .count = *rc::gen::inRange(1, 4),
       .offset = offset,
       .transactional = *rc::gen::arbitrary<bool>()});
}

ProducerMarker any_marker(const ProducerStates& states, std::int64_t offset) {
  const std::int64_t producer = *rc::gen::inRange<std::int64_t>(0, 4);
  const ProducerState* const known = states.find(ProducerId(producer));
  const std::int16_t epoch = known != nullptr ? known->epoch().value() : std::int16_t{1};
  return marker({.producer = producer,
                 .epoch = static_cast<std::int16_t>(std::max(0, epoch + *rc::gen::inRange(-1, 3))),
                 .coordinator_epoch = *rc::gen::weightedElement<int>({{6, 3}, {1, 2}, {1, 4}}),
                 .offset = offset,
                 .aborts = *rc::gen::arbitrary<bool>()});
}

// One write of a few batches and markers; the model is left as if it had succeeded. Returns the
// end of the log.
std::int64_t stage(StagedProducers& staged, const ProducerStates& states, Model& model,
                   std::int64_t end) {
  for (int items = *rc::gen::inRange(1, 5); items > 0; --items) {
    const AppendOrigin origin = any_origin();
    if (*rc::gen::inRange(0, 4) == 0) {
      const ProducerMarker ended = any_marker(states, end);
      const auto version = *rc::gen::element<std::int16_t>(0, 1, 2);
      const ProducerCheck check = staged.add(ended, origin, version);
      RC_ASSERT(check.verdict == model.check(ended, origin, version));
      if (!check.accepted()) continue;
      model.append(ended);
      ++end;
    } else {
      const ProducerBatch sent = any_batch(states, end);
      const ProducerCheck check = staged.add(sent, origin);
      RC_ASSERT(check.verdict == model.check(sent, origin));
      if (!check.accepted()) continue;
      model.append(sent);
      end = sent.last_offset.value() + 1;
    }
  }
  return end;
}

RC_GTEST_PROP(ProducerModel, states_say_what_a_look_through_the_log_says, ()) {
  ProducerBudget budget;
  ProducerStates states(budget);
  Model model;
  std::int64_t end = 0;
  std::int64_t high_watermark = 0;
  for (int writes = *rc::gen::inRange(1, 40); writes > 0; --writes) {
    const std::size_t written = model.size();
    StagedProducers staged(states);
    const std::int64_t staged_end = stage(staged, states, model, end);
    if (*rc::gen::inRange(0, 5) == 0) {
      model.cut_back(written);  // the write failed
    } else {
      std::vector<CompletedTransaction> completed;
      staged.apply(completed);
      end = staged_end;
    }
    high_watermark = *rc::gen::inRange(high_watermark, end + 1);
    states.high_watermark_moved(Offset(high_watermark));
    RC_ASSERT(states.first_undecided_offset() == model.first_undecided());
    RC_ASSERT(states.first_unstable_offset() == model.first_unstable(Offset(high_watermark)));
    RC_ASSERT(budget.count() == states.size());
  }
}

// A log that is opened again: a snapshot, and what came after it.
RC_GTEST_PROP(ProducerModel, a_snapshot_and_a_replay_give_the_state_back, ()) {
  ProducerBudget budget;
  ProducerStates states(budget);
  ProducerStates reopened(budget);
  std::int64_t end = 0;
  const int items = *rc::gen::inRange(1, 60);
  const int snapshot_at = *rc::gen::inRange(0, items);
  for (int item = 0; item < items; ++item) {
    if (item == snapshot_at) {
      const auto bytes = format_producer_snapshot(states.snapshot_entries());
      const auto entries = parse_producer_snapshot(bytes, "snapshot");
      RC_ASSERT(entries.has_value());
      reopened.restore(*entries, Timestamp(0), 1000);
    }
    const bool is_replayed = item >= snapshot_at;
    if (*rc::gen::inRange(0, 4) == 0) {
      const ProducerMarker ended = any_marker(states, end);
      if (!states.check(ended, AppendOrigin::coordinator, 1).accepted()) continue;
      const auto completed = states.update(ended);
      if (is_replayed) RC_ASSERT(reopened.update(ended) == completed);
      ++end;
    } else {
      const ProducerBatch sent = any_batch(states, end);
      if (!states.check(sent, AppendOrigin::client).accepted()) continue;
      states.update(sent);
      if (is_replayed) reopened.update(sent);
      end = sent.last_offset.value() + 1;
    }
  }
  RC_ASSERT(reopened.snapshot_entries() == states.snapshot_entries());
  RC_ASSERT(reopened.first_undecided_offset() == states.first_undecided_offset());
}

}  // namespace
}  // namespace millrace::storage
