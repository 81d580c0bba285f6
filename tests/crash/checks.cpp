#include "checks.hpp"

namespace millrace::storage::crash {

Task<Comparison::Read> Comparison::read(Offset offset, Offset up_to, std::uint64_t bytes_max) {
  Read result;
  const auto slice = co_await machine_.log->read({offset, up_to, bytes_max, true});
  if (!slice) {
    result.problem = "it cannot be read: " + slice.error().storage.message;
    co_return result;
  }
  if (slice->empty()) co_return result;
  result.base = slice->base_offset;
  const auto bytes = co_await machine_.log->load_verified(*slice);
  if (!bytes) {
    result.problem = "it cannot be loaded: " + bytes.error().storage.message;
    co_return result;
  }
  result.bytes.assign(bytes->bytes().begin(), bytes->bytes().end());
  co_return result;
}

// In slices of any size, which must be the batches of the model one after the other.
void Comparison::read_from_the_start() {
  const Offset end = model_.end();
  Offset at = model_.start();
  std::size_t index = model_.index_of(at);
  const std::uint64_t sizes[] = {1, 200, 500, 2'000, 100'000};
  while (index < model_.entries().size()) {
    const Read read = machine_.wait(this->read(at, end, sizes[random_.below(std::size(sizes))]));
    if (!read.problem.empty()) differ("at offset {}: {}", at, read.problem);
    if (read.bytes.empty()) differ("nothing is read at offset {}", at);
    std::size_t position = 0;
    for (; position < read.bytes.size(); ++index) {
      if (index == model_.entries().size()) differ("too much is read at offset {}", at);
      const Bytes& wanted = model_.entries()[index].batch->bytes;
      const bool same = position + wanted.size() <= read.bytes.size() &&
                        std::equal(wanted.begin(), wanted.end(),
                                   read.bytes.begin() + static_cast<std::ptrdiff_t>(position));
      if (!same) differ("other bytes are read at offset {}", at);
      at = model_.entries()[index].batch->last().next();
      position += wanted.size();
    }
  }
  const Read rest = machine_.wait(this->read(at, end, 1'000));
  if (!rest.problem.empty() || !rest.bytes.empty()) {
    differ("there is something at offset {}: {}", at, rest.problem);
  }
}

void Comparison::find_offsets(std::size_t times) {
  const auto span = static_cast<std::uint64_t>(model_.end().since(model_.start()));
  for (std::size_t i = 0; i < times && span > 0; ++i) {
    const Offset offset = model_.start().plus(static_cast<std::int64_t>(random_.below(span)));
    const std::size_t index = model_.index_of(offset);
    const Read read = machine_.wait(this->read(offset, model_.end(), 1));
    if (!read.problem.empty()) differ("at offset {}: {}", offset, read.problem);
    if (index == model_.entries().size()) {
      if (!read.bytes.empty()) differ("there is something at offset {}", offset);
      continue;
    }
    const Batch& wanted = *model_.entries()[index].batch;
    if (read.bytes != wanted.bytes) {
      differ("offset {} gives the batch {} and not {}", offset, read.base, wanted.base());
    }
  }
}

std::optional<TimestampOffset> Comparison::first_at(Timestamp timestamp) const {
  for (const auto& [batch, missing, gone] : model_.entries()) {
    if (batch->header.max_timestamp < timestamp) continue;
    for (const RecordPlace& record : batch->records) {
      const Offset offset = batch->base().plus(record.offset_delta);
      if (record.timestamp >= timestamp && offset >= model_.start()) {
        return TimestampOffset{record.timestamp, offset};
      }
    }
  }
  return std::nullopt;
}

namespace {

[[nodiscard]] std::string text_of(const std::optional<TimestampOffset>& place) {
  if (!place) return "nothing";
  return formatted("{} at offset {}", place->timestamp, place->offset);
}

}  // namespace

void Comparison::find_times(std::size_t times) {
  Timestamp youngest = no_timestamp;
  for (const auto& [batch, missing, gone] : model_.entries()) {
    for (const RecordPlace& record : batch->records) {
      if (batch->base().plus(record.offset_delta) < model_.start()) continue;
      youngest = std::max(youngest, record.timestamp);
    }
  }
  for (std::size_t i = 0; i < times; ++i) {
    Timestamp wanted(static_cast<std::int64_t>(random_.below(2'200)));
    if (!model_.entries().empty() && random_.chance(0.5)) {
      const auto& records = model_.entries()[random_.below(model_.entries().size())].batch->records;
      if (!records.empty()) wanted = records[random_.below(records.size())].timestamp;
    }
    const auto found = machine_.wait(machine_.log->find_timestamp(wanted, model_.end()));
    if (!found) differ("time {}: {}", wanted, found.error().storage.message);
    const auto right = first_at(wanted);
    if (*found != right) {
      differ("time {} is found as {} and is {}", wanted, text_of(*found), text_of(right));
    }
  }
  const auto found = machine_.wait(machine_.log->find_max_timestamp());
  if (!found) differ("the latest time: {}", found.error().storage.message);
  const auto right = youngest == no_timestamp ? std::nullopt : first_at(youngest);
  if (*found != right) {
    differ("the latest time is found as {} and is {}", text_of(*found), text_of(right));
  }
}

// Where batches of two epochs meet, the second one begins.
void Comparison::compare_epochs() {
  const LeaderEpochCache& epochs = machine_.log->epochs();
  Offset end_before{0};
  std::optional<LeaderEpoch> before;
  for (std::size_t i = model_.index_of(model_.start()); i < model_.entries().size(); ++i) {
    const Batch& batch = *model_.entries()[i].batch;
    const LeaderEpoch epoch = batch.header.leader_epoch;
    const Offset first = std::max(batch.base(), model_.start());
    for (const Offset offset : {first, batch.last()}) {
      const auto known = epochs.epoch_for_offset(offset);
      if (known == epoch) continue;
      differ("offset {} is of epoch {}, known is {}", offset, epoch,
             known ? known->value() : no_leader_epoch.value());
    }
    if (before && *before != epoch) {
      const auto entry = epochs.find(epoch);
      const bool right = entry && entry->start_offset <= batch.base() &&
                         (model_.compacted() ? entry->start_offset >= end_before
                                             : entry->start_offset == batch.base());
      if (!right) differ("epoch {} should begin at {}", epoch, batch.base());
    }
    before = epoch;
    end_before = batch.last().next();
  }
  const auto latest = epochs.latest();
  if (latest && (latest->start_offset > model_.end() || latest->start_offset < Offset(0))) {
    differ("epoch {} begins at {} behind the end", latest->epoch, latest->start_offset);
  }
  if (before && latest->epoch != *before && !model_.compacted()) {
    differ("the latest epoch is {} and should be {}", latest->epoch, *before);
  }
}

namespace {

[[nodiscard]] std::string text_of(const ProducerSnapshotEntry& entry) {
  return formatted("producer {} epoch {} sequence {} offset {} delta {} time {} {} open from {}",
                   entry.producer, entry.epoch, entry.last_sequence, entry.last_offset,
                   entry.offset_delta, entry.timestamp, entry.coordinator_epoch,
                   entry.transaction_start);
}

[[nodiscard]] std::string text_of(const std::vector<ProducerSnapshotEntry>& entries) {
  std::string text;
  for (const auto& entry : entries) text += "\n  " + text_of(entry);
  return text;
}

}  // namespace

void Comparison::require_producers(const std::vector<ProducerSnapshotEntry>& right,
                                   const std::string& when) const {
  const auto known = machine_.log->producers().snapshot_entries();
  if (known == right) return;
  differ("{} the producers are known as{}\nand are{}", when, text_of(known), text_of(right));
}

void Comparison::compare_producers() {
  const auto known = machine_.log->producers().snapshot_entries();
  const auto right = model_.producers().snapshot_entries();
  while (known != model_.producers().snapshot_entries()) {
    if (model_.forget_all_but(known) || model_.forget_cleaned(known)) continue;
    if (model_.forget_producers()) continue;
    differ("the producers are known as{}\nand are{}\nor{}", text_of(known), text_of(right),
           text_of(model_.producers().snapshot_entries()));
  }
}

// The first batch with records of a transaction that is left.
std::optional<Offset> Comparison::first_left(const AbortedTransaction& transaction) const {
  for (const auto& [batch, missing, gone] : model_.entries()) {
    const protocol::BatchHeader& header = batch->header;
    if (!gone && header.producer.id == transaction.producer && !header.attributes.is_control() &&
        header.attributes.is_transactional() && batch->base() >= transaction.first_offset &&
        batch->last() < transaction.last_offset) {
      return batch->base();
    }
  }
  return std::nullopt;
}

// Whether these are the aborted transactions. Once the log was cleaned, each of which a batch is
// left is among them, from that or an earlier one on; those of others may have gone.
bool Comparison::are_aborted(const std::vector<AbortedTransaction>& found) const {
  std::vector<AbortedTransaction> right = from_the_start(model_.aborted());
  if (!model_.compacted()) return found == right;
  for (const AbortedTransaction& wanted : right) {
    const auto left = first_left(wanted);
    if (!left) continue;
    const bool there = std::any_of(found.begin(), found.end(), [&](const auto& each) {
      return each.producer == wanted.producer && each.last_offset == wanted.last_offset &&
             each.first_offset >= wanted.first_offset && each.first_offset <= *left;
    });
    if (!there) return false;
  }
  return true;
}

std::vector<AbortedTransaction> Comparison::from_the_start(
    std::vector<AbortedTransaction> transactions) const {
  std::erase_if(transactions, [&](const AbortedTransaction& transaction) {
    return transaction.last_offset < model_.start();
  });
  return transactions;
}

void Comparison::compare_transactions(const Found& found) {
  const auto told = machine_.wait(machine_.log->aborted(model_.start(), model_.end()));
  if (!told) differ("aborted transactions: {}", told.error().storage.message);
  const auto indexed = from_the_start(found.aborted);
  const bool right = are_aborted(*told) && are_aborted(indexed);
  if (!right && model_.forget_producers()) {
    compare_producers();
    return compare_transactions(found);
  }
  if (!right) {
    differ("{} aborted transactions are found, {} are in the indexes, there are {}", told->size(),
           indexed.size(), from_the_start(model_.aborted()).size());
  }
  machine_.log->set_high_watermark(machine_.log->end());
  const Offset stable =
      std::max(model_.start(), model_.producers().first_undecided_offset().value_or(model_.end()));
  if (machine_.log->last_stable_offset() != stable) {
    differ("the last stable offset is {} and should be {}", machine_.log->last_stable_offset(),
           stable);
  }
}

void Comparison::compare_all(const Found& found) {
  compare_epochs();
  compare_producers();
  compare_transactions(found);
  read_from_the_start();
  find_offsets(3);
  find_times(2);
}

}  // namespace millrace::storage::crash
