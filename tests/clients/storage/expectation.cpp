#include "expectation.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace millrace::clients {

using protocol::BatchHeader;
using protocol::ControlRecordType;

namespace {

const char* yes_or_no(bool yes) {
  return yes ? "true" : "false";
}

std::string time_of(const BatchHeader& header, Timestamp timestamp) {
  const bool append =
      header.attributes.timestamp_type() == protocol::TimestampType::log_append_time;
  return (append ? "LogAppendTime: " : "CreateTime: ") + std::to_string(timestamp.value());
}

std::optional<std::string> text(ByteView bytes) {
  if (bytes.data() == nullptr) return std::nullopt;
  return std::string(as_text(bytes));
}

}  // namespace

// What the batches say of producers and their transactions.
struct Expectation::Transactions {
  struct Producer {
    ProducerEpoch epoch;
    const BatchHeader* last = nullptr;
    Timestamp timestamp;
    std::int32_t coordinator_epoch = -1;
    std::optional<Offset> open;
  };
  struct Aborted {
    ProducerId producer;
    Offset first;
    Offset last;
    Offset last_stable;
  };

  explicit Transactions(const std::vector<Batch>& batches) {
    for (const Batch& batch : batches) follow(batch);
  }
  void follow(const Batch& batch) {
    const BatchHeader& header = batch.header;
    if (!header.has_producer_id()) return;
    Producer& producer = producers[header.producer.id];
    producer.epoch = header.producer.epoch;
    producer.timestamp = header.max_timestamp;
    if (!batch.marker) {
      producer.last = &header;
      if (header.attributes.is_transactional() && !producer.open)
        producer.open = header.base_offset;
      return;
    }
    producer.coordinator_epoch = batch.coordinator_epoch;
    const auto first = std::exchange(producer.open, std::nullopt);
    if (!first || *batch.marker != ControlRecordType::abort) return;
    Offset stable = header.last_offset().next();
    for (const auto& [id, other] : producers) {
      if (other.open) stable = std::min(stable, *other.open);
    }
    aborted.push_back({header.producer.id, *first, header.last_offset(), stable});
  }
  [[nodiscard]] bool has_aborted(const BatchHeader& header) const {
    return header.attributes.is_transactional() &&
           std::any_of(aborted.begin(), aborted.end(), [&](const Aborted& entry) {
             return entry.producer == header.producer.id && entry.first <= header.base_offset &&
                    header.base_offset <= entry.last;
           });
  }

  std::map<ProducerId, Producer> producers;
  std::vector<Aborted> aborted;
};

void Expectation::add(ByteView bytes) {
  const auto view = protocol::BatchView::parse(bytes);
  check(view.has_value(), "a batch that was appended");
  Batch batch{view->header(), {}, std::nullopt, -1};
  protocol::Decompressor decompressor;
  protocol::RecordReader reader(decompressor);
  check(reader.open(*view).has_value(), "its records can be read");
  for (protocol::RecordView record; reader.next(record);) {
    Record kept{record.offset, record.timestamp, text(record.key), text(record.value), {}};
    for (const protocol::RecordHeader& header : record.headers) {
      kept.headers += (kept.headers.empty() ? "" : ",") + std::string(header.key);
    }
    if (batch.header.attributes.is_control()) {
      const auto key = protocol::read_control_record_key(record.key);
      check(key.has_value(), "a marker");
      batch.marker = key->type;
      batch.coordinator_epoch = load_big_endian<std::int32_t>(record.value.data() + 2);
    }
    batch.records.push_back(std::move(kept));
  }
  check(reader.finish().has_value(), "its records can be read");
  batches_.push_back(std::move(batch));
}

void Expectation::cut(Offset end) {
  std::erase_if(batches_, [&](const Batch& batch) { return batch.header.last_offset() >= end; });
}

void Expectation::drop_below(Offset base) {
  base_ = base;
}

void Expectation::compact(Offset end) {
  compacted_ = true;
  const Transactions transactions(batches_);
  std::map<std::string, Offset> last;
  for (const Batch& batch : batches_) {
    if (batch.marker || transactions.has_aborted(batch.header)) continue;
    for (const Record& record : batch.records) {
      if (record.offset < end) last[record.key.value()] = record.offset;
    }
  }
  for (Batch& batch : batches_) {
    if (batch.marker || batch.header.base_offset >= end) continue;
    const bool aborted = transactions.has_aborted(batch.header);
    std::erase_if(batch.records, [&](const Record& record) {
      return aborted || last[record.key.value()] != record.offset;
    });
  }
}

void Expectation::print_batch(std::ostream& to, const BatchHeader& header) {
  to << "baseOffset: " << header.base_offset.value()
     << " lastOffset: " << header.last_offset().value() << " count: " << header.record_count
     << " baseSequence: " << header.producer.base_sequence.value()
     << " lastSequence: " << header.last_sequence().value()
     << " producerId: " << header.producer.id.value()
     << " producerEpoch: " << header.producer.epoch.value()
     << " partitionLeaderEpoch: " << header.leader_epoch.value()
     << " isTransactional: " << yes_or_no(header.attributes.is_transactional())
     << " isControl: " << yes_or_no(header.attributes.is_control())
     << " deleteHorizonMs: OptionalLong.empty " << time_of(header, header.max_timestamp)
     << " magic: 2 compresscodec: " << protocol::name_of(header.attributes.codec().value())
     << " isvalid: true\n";
}

void Expectation::print_record(std::ostream& to, const Batch& batch, const Record& record) {
  const BatchHeader& header = batch.header;
  const auto size = [](const std::optional<std::string>& bytes) {
    return bytes ? static_cast<std::int64_t>(bytes->size()) : -1;
  };
  const std::int64_t sequence =
      header.producer.base_sequence == no_sequence
          ? -1
          : header.producer.base_sequence.value() + record.offset.since(header.base_offset);
  to << "| offset: " << record.offset.value() << ' ' << time_of(header, record.timestamp)
     << " keySize: " << size(record.key) << " valueSize: " << size(record.value)
     << " sequence: " << sequence << " headerKeys: [" << record.headers << ']';
  if (batch.marker) {
    to << " endTxnMarker: " << (*batch.marker == ControlRecordType::abort ? "ABORT" : "COMMIT")
       << " coordinatorEpoch: " << batch.coordinator_epoch;
  } else {
    if (record.key) to << " key: " << *record.key;
    if (record.value) to << " payload: " << *record.value;
  }
  to << '\n';
}

void Expectation::print(std::ostream& to, const std::string& directory) const {
  to << (compacted_ ? "compacted " : "log ") << directory << '\n';
  for (const Batch& batch : batches_) {
    if (batch.header.last_offset() < base_ || (compacted_ && batch.marker)) continue;
    if (!compacted_) print_batch(to, batch.header);
    for (const Record& record : batch.records) print_record(to, batch, record);
  }
  if (compacted_) return;
  const Transactions transactions(batches_);
  for (const auto& entry : transactions.aborted) {
    to << "version: 0 producerId: " << entry.producer.value()
       << " firstOffset: " << entry.first.value() << " lastOffset: " << entry.last.value()
       << " lastStableOffset: " << entry.last_stable.value() << '\n';
  }
  for (const auto& [id, producer] : transactions.producers) {
    const std::string open =
        producer.open ? "[" + std::to_string(producer.open->value()) + "]" : ".empty";
    to << "producerId: " << id.value() << " producerEpoch: " << producer.epoch.value()
       << " coordinatorEpoch: " << producer.coordinator_epoch
       << " currentTxnFirstOffset: OptionalLong" << open
       << " lastTimestamp: " << producer.timestamp.value();
    if (producer.last != nullptr) {
      to << " firstSequence: " << producer.last->producer.base_sequence.value()
         << " lastSequence: " << producer.last->last_sequence().value()
         << " lastOffset: " << producer.last->last_offset().value()
         << " offsetDelta: " << producer.last->last_offset_delta
         << " timestamp: " << producer.timestamp.value();
    }
    to << '\n';
  }
}

}  // namespace millrace::clients
