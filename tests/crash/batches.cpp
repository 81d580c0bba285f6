#include "batches.hpp"

namespace millrace::storage::crash {

protocol::BatchView Batch::view() const {
  const auto parsed = protocol::BatchView::parse(bytes);
  check(parsed.has_value(), "what was made is a batch");
  return *parsed;
}

ProducerCheck check_of(const ProducerStates& producers, const Batch& batch, AppendOrigin origin,
                       protocol::Decompressor& decompressor) {
  if (!batch.header.has_producer_id()) return {};
  if (!batch.header.attributes.is_control()) {
    return producers.check(producer_batch(batch.header), origin);
  }
  const auto marker = transaction_marker(batch.view(), decompressor);
  check(marker.has_value(), "the control batches of a test are markers");
  return producers.check(*marker, origin, 0);
}

BatchPtr placed(const Draft& draft, Offset base, LeaderEpoch epoch) {
  auto batch = std::make_shared<Batch>(Batch{draft.bytes, draft.records, {}});
  protocol::rewrite_base_offset_and_epoch(batch->bytes, base, epoch);
  batch->header = batch->view().header();
  return batch;
}

Draft BatchMaker::make(const BatchPlan& plan, Random& random) {
  Draft draft;
  protocol::BatchOptions options;
  options.producer = plan.producer;
  options.transactional = plan.transactional || plan.marker;
  options.control = plan.marker.has_value();
  builder_.start(options);
  bool fits = true;
  if (plan.marker) {
    fits = builder_
               .append_end_transaction_marker(*plan.marker, protocol::CoordinatorEpoch(0),
                                              plan.timestamp)
               .has_value();
    draft.records.push_back({0, plan.timestamp});
  }
  const std::size_t records = plan.marker ? 0 : plan.records;
  std::string value(plan.value_bytes, 'v');
  std::int32_t delta = 0;
  for (std::size_t i = 0; i < records; ++i) {
    const std::string number = std::to_string(++made_);
    std::copy_n(number.begin(), std::min(number.size(), value.size()), value.begin());
    protocol::RecordInput record;
    RecordPlace place{delta, plan.timestamp};
    std::string key;
    if (plan.keys > 0) {
      place.key = static_cast<int>(random.below(plan.keys));
      place.tombstone = random.chance(0.2);
      key = "key " + std::to_string(place.key);
      record.key = as_bytes(key);
    }
    if (!place.tombstone) record.value = as_bytes(value);
    const auto spread = static_cast<std::uint64_t>(plan.timestamp_spread);
    record.timestamp = plan.timestamp.plus(static_cast<std::int64_t>(random.below(spread + 1)));
    place.timestamp = record.timestamp;
    fits = fits && builder_.append_at(delta, record).has_value();
    draft.records.push_back(place);
    delta += 1 + plan.gap;
  }
  if (records > 0) builder_.set_last_offset_delta(delta - 1);
  const auto bytes = builder_.finish();
  check(fits && bytes.has_value(), "a batch of a test can be built");
  draft.bytes.assign(bytes->begin(), bytes->end());
  return draft;
}

}  // namespace millrace::storage::crash
