module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.batch;
import millrace.protocol.compression;

namespace millrace::client {

void Sealer::seal(Batch& batch, const protocol::ProducerState& producer) {
  if (!batch.is_sealed() && compression_.codec() != protocol::Codec::none) compress(batch);
  batch.write_header(producer, is_transactional_);
}

void Sealer::compress(Batch& batch) {
  pieces_.clear();
  batch.add_record_pieces(pieces_);
  const std::size_t records = batch.bytes() - record_batch_header_bytes;
  const std::size_t most = protocol::compressed_bytes_max(compression_, records);
  if (scratch_.size() < most) scratch_.resize(most);
  const auto written = compressor_.compress(compression_, pieces_, scratch_);
  // Without memory for the codec, or without a gain, the records go as they are.
  if (written && *written < records) {
    batch.replace_records(ByteView(scratch_).first(*written), compression_.codec());
  }
  if (scratch_.size() > sealing_scratch_kept_bytes_max) std::vector<std::byte>().swap(scratch_);
}

namespace {

// Walks the receipts of a batch in step with its records.
class Receipts {
 public:
  explicit Receipts(const Batch& batch) {
    batch.for_each_receipt([&](const Receipt& receipt) { all_.push_back(receipt); });
  }
  [[nodiscard]] Receipt of(std::int32_t record_index) {
    if (next_ == all_.size() || all_[next_].record_index != record_index) return {};
    return all_[next_++];
  }

 private:
  std::vector<Receipt> all_;
  std::size_t next_ = 0;
};

void inherit(const Batch& from, Batch& to) {
  to.attempts = from.attempts;
  to.may_be_persisted = from.may_be_persisted;
  to.last_broker = from.last_broker;
  if (from.error != nullptr) to.error = std::make_unique<ClientError>(*from.error);
}

// Parts of one range of sequences follow one another.
void share_sequences(const Batch& from, BatchList& parts) {
  if (!from.has_sequence) return;
  auto base = static_cast<std::uint32_t>(from.assigned.base_sequence.value());
  for (Batch* part = parts.first(); part != nullptr; part = part->next) {
    part->has_sequence = true;
    part->assigned = from.assigned;
    part->assigned.base_sequence = Sequence(static_cast<std::int32_t>(base));
    base = (base + static_cast<std::uint32_t>(part->record_count())) & 0x7fff'ffff;
  }
}

}  // namespace

BatchList Sealer::split(Batch* batch, ChunkPool& pool) {
  const std::vector<std::byte> bytes = batch->contiguous();
  const auto view = protocol::BatchView::parse(bytes);
  check(view.has_value(), "a sealed batch can be read");
  protocol::RecordReader reader(decompressor_);
  const auto opened = reader.open(*view);
  check(opened.has_value(), "a sealed batch can be opened");

  Receipts receipts(*batch);
  BatchList parts;
  ChunkList spare;
  Batch* part = nullptr;
  const std::int32_t half = (batch->record_count() + 1) / 2;
  std::vector<HeaderView> headers;
  for (protocol::RecordView record; reader.next(record);) {
    headers.assign(record.headers.begin(), record.headers.end());
    const auto optional = [](ByteView field) {
      return protocol::is_null(field) ? std::nullopt : std::optional(field);
    };
    const RecordParts fields =
        parts_of(optional(record.key), optional(record.value), headers, record.timestamp);
    const Receipt receipt = receipts.of(record.offset_delta);
    const auto append = [&] {
      if (part == nullptr || part->record_count() == half) {
        pool.take_for_split(Batch::chunks_for_first(fields), spare);
        part = Batch::make(spare, batch->created());
        inherit(*batch, *part);
        parts.push(part);
      }
      std::size_t needed = 0;
      const auto put = [&] {
        return part->append(fields, receipt.sink, receipt.token, protocol::batch_bytes_format_max,
                            spare, needed);
      };
      if (put() == Appended::done) return true;
      if (needed > spare.size()) pool.take_for_split(needed - spare.size(), spare);
      return put() == Appended::done;
    };
    check(append(), "a part of a batch takes what the batch took");
  }
  const auto finished = reader.finish();
  check(finished.has_value(), "a sealed batch is whole");
  share_sequences(*batch, parts);
  pool.give_back(spare);
  ChunkList chunks;
  Batch::end(batch, chunks);
  pool.give_back(chunks);
  return parts;
}

}  // namespace millrace::client
