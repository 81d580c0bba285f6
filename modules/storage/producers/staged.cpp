module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

module millrace.storage.producers;

import :staged;
import :state;
import :states;

namespace millrace::storage {

ProducerCheck StagedProducers::add(const ProducerBatch& batch, AppendOrigin origin) {
  const ProducerState* const known = find(batch.producer);
  if (known == nullptr && origin == AppendOrigin::client &&
      !states_.budget().has_room(states_.size() + new_producers_, new_producers_)) {
    return {ProducerVerdict::too_many_producers};
  }
  const ProducerCheck checked = (known != nullptr ? *known : ProducerState()).check(batch, origin);
  if (checked.accepted()) accept(batch);
  return checked;
}

ProducerCheck StagedProducers::add(const ProducerMarker& marker, AppendOrigin origin,
                                   std::int16_t transaction_version) {
  const ProducerState* const known = find(marker.producer);
  const ProducerCheck checked =
      (known != nullptr ? *known : ProducerState()).check(marker, origin, transaction_version);
  if (checked.accepted()) accept(marker);
  return checked;
}

void StagedProducers::apply(std::vector<CompletedTransaction>& completed) {
  for (const auto& item : accepted_) {
    if (const auto* const batch = std::get_if<ProducerBatch>(&item)) {
      states_.update(*batch);
    } else if (const auto ended = states_.update(std::get<ProducerMarker>(item))) {
      completed.push_back(*ended);
    }
  }
  clear();
}

void StagedProducers::clear() {
  changed_.clear();
  accepted_.clear();
  new_producers_ = 0;
}

const ProducerState* StagedProducers::find(ProducerId producer) const {
  const auto staged = changed_.find(producer);
  return staged != changed_.end() ? &staged->second : states_.find(producer);
}

template <class Item>
void StagedProducers::accept(const Item& item) {
  const auto [at, is_first] = changed_.try_emplace(item.producer);
  if (is_first) {
    if (const ProducerState* const known = states_.find(item.producer)) {
      at->second = *known;
    } else {
      ++new_producers_;
    }
  }
  at->second.update(item);
  accepted_.emplace_back(item);
}

}  // namespace millrace::storage
