// Logs in memory for the tests of the cleaner: made batch by batch, cleaned, and taken apart.
// Included after all standard headers, because it imports modules.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.runtime;
import millrace.storage.cleaner;

namespace millrace::storage::cleaner_test {

using protocol::BatchError;
using protocol::BatchHeader;
using protocol::BatchOptions;
using protocol::BatchView;
using protocol::Codec;
using protocol::CompressionOptions;
using protocol::ControlRecordType;

using Bytes = std::vector<std::byte>;
using NullableText = std::optional<std::string>;

inline NullableText text_of(ByteView bytes) {
  if (protocol::is_null(bytes)) return std::nullopt;
  return std::string(as_text(bytes));
}

inline ByteView view_of(const NullableText& text) {
  return text ? as_bytes(std::string_view(*text)) : ByteView{};
}

// A record as it is read.
struct Item {
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;
  NullableText key{};
  NullableText value{};
  std::string header{};  // the value of its one header; empty where there is none

  friend bool operator==(const Item&, const Item&) = default;
};

struct Taken {
  BatchHeader header;
  std::vector<Item> items;
};

inline BatchView parsed(const Bytes& bytes) {
  const auto view = BatchView::parse(bytes);
  check(view.has_value() && view->bytes().size() == bytes.size(), "the bytes are one batch");
  check(view->crc_matches(), "the CRC is right");
  return *view;
}

inline Taken taken(const Bytes& bytes) {
  protocol::Decompressor decompressor;
  RecordWalk walk(decompressor);
  const BatchView view = parsed(bytes);
  Taken result{view.header(), {}};
  check(walk.open(view).has_value(), "the batch is readable");
  for (protocol::RecordView record; walk.next(record);) {
    std::string header;
    for (const auto& each : record.headers) header += as_text(each.value);
    result.items.push_back({record.offset.value(), record.timestamp.value(), text_of(record.key),
                            text_of(record.value), header});
  }
  check(walk.finish().has_value(), "the batch is whole");
  return result;
}

// A log and what it knows of its producers; appends as a partition does.
class MemoryLog {
 public:
  std::vector<Bytes> batches;
  std::vector<AbortedTransaction> aborted;
  std::int64_t end = 0;

  // Offsets of the items are set; a gap may follow each.
  const Bytes& append(std::vector<Item> items, BatchOptions options = {},
                      std::int32_t gap_after_each = 0) {
    options.base_offset = Offset(end);
    builder_.start(options);
    std::int32_t delta = 0;
    for (const Item& item : items) {
      const std::vector<protocol::RecordHeader> headers(
          item.header.empty() ? 0 : 1, {.key = "h", .value = as_bytes(item.header)});
      const auto appended = builder_.append_at(delta, {.key = view_of(item.key),
                                                       .value = view_of(item.value),
                                                       .timestamp = Timestamp(item.timestamp),
                                                       .headers = headers});
      check(appended.has_value(), "the record fits");
      delta += 1 + gap_after_each;
    }
    builder_.set_last_offset_delta(delta - 1);
    return finish();
  }

  const Bytes& end_transaction(ProducerId producer, ProducerEpoch epoch, ControlRecordType type,
                               Timestamp timestamp) {
    BatchOptions options;
    options.base_offset = Offset(end);
    options.leader_epoch = LeaderEpoch(0);
    options.producer = {producer, epoch, no_sequence};
    options.transactional = options.control = true;
    builder_.start(options);
    check(builder_.append_end_transaction_marker(type, protocol::CoordinatorEpoch(3), timestamp)
              .has_value(),
          "the marker fits");
    return finish();
  }

  // Offsets that no batch has.
  void skip(std::int64_t offsets) { end += offsets; }

  ProducerStates& producers() { return producers_; }

 private:
  const Bytes& finish() {
    const auto built = builder_.finish();
    check(built.has_value(), "the batch is built");
    batches.emplace_back(built->begin(), built->end());
    const BatchHeader header = parsed(batches.back()).header();
    end = header.last_offset().next().value();
    if (header.has_producer_id()) note(header);
    return batches.back();
  }

  void note(const BatchHeader& header) {
    if (!header.attributes.is_control()) {
      producers_.update(producer_batch(header));
      return;
    }
    protocol::Decompressor decompressor;
    RecordWalk walk(decompressor);
    const auto type = control_type_of(parsed(batches.back()), walk);
    const auto ended = producers_.update({.producer = header.producer.id,
                                          .epoch = header.producer.epoch,
                                          .coordinator_epoch = protocol::CoordinatorEpoch(3),
                                          .offset = header.base_offset,
                                          .timestamp = header.max_timestamp,
                                          .aborts = **type == ControlRecordType::abort});
    if (ended && ended->aborted) {
      aborted.push_back(
          {ended->producer, ended->first_offset, ended->last_offset, ended->last_stable_offset});
    }
  }

  BufferPool pool_;
  protocol::BatchStorage records_{pool_};
  protocol::BatchStorage compressed_{pool_};
  protocol::Compressor compressor_;
  protocol::BatchBuilder builder_{records_, compressed_, compressor_};
  ProducerBudget budget_;
  ProducerStates producers_{budget_};
};

struct PassOptions {
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t now = 0;
  std::int64_t delete_retention_ms = 1000;
  std::size_t table_bytes_max = mebibyte;
};

struct PassResult {
  std::vector<Bytes> batches;
  std::vector<BatchFate> fates;  // of each batch before
  std::vector<AbortedTransaction> aborted;
  std::int64_t mapped_end = 0;
  CleaningCounts counts;
};

// Cleans as a pass over segments does. Failures of batches become the error.
inline protocol::BatchResult<PassResult> clean(MemoryLog& log, const PassOptions& options) {
  protocol::Decompressor decompressor;
  protocol::Compressor compressor;
  BufferPool pool;
  RecordWalk walk(decompressor);
  KeyOffsets keys(7, options.table_bytes_max);
  keys.start(static_cast<std::uint64_t>(options.to - options.from + 1));
  CleanedTransactions seen;
  std::vector<AbortedTransaction> in_range;
  for (const AbortedTransaction& transaction : log.aborted) {
    if (transaction.last_offset >= Offset(options.from)) in_range.push_back(transaction);
  }
  seen.expect(in_range);
  KeyMapper mapper(keys, seen, walk, Offset(options.from), Offset(options.to));
  bool all = true;
  for (const Bytes& batch : log.batches) {
    if (parsed(batch).header().last_offset() < Offset(options.from)) continue;
    if (parsed(batch).header().base_offset >= Offset(options.to)) break;
    const auto added = mapper.add(parsed(batch));
    if (!added) return failure(added.error());
    all = *added;
    if (!all) break;
  }
  if (all) mapper.finish();

  CleanedTransactions transactions;
  transactions.expect(log.aborted);
  const CleaningRules rules{mapper.mapped_end(), Offset(options.to), Timestamp(options.now),
                            options.delete_retention_ms};
  BatchFilter filter(keys, transactions, log.producers(), rules, walk, pool, compressor);
  PassResult result;
  for (const Bytes& batch : log.batches) {
    const auto filtered = filter.filter(parsed(batch));
    if (!filtered) return failure(filtered.error());
    result.fates.push_back(filtered->fate);
    if (filtered->bytes.empty()) continue;
    result.batches.emplace_back(filtered->bytes.begin(), filtered->bytes.end());
    check(parsed(result.batches.back()).header() == filtered->header, "the header is that written");
  }
  result.aborted = transactions.take_needed();
  result.mapped_end = mapper.mapped_end().value();
  result.counts = filter.counts();
  return result;
}

// Cleans the log in place.
inline PassResult clean_in_place(MemoryLog& log, const PassOptions& options) {
  auto result = clean(log, options);
  check(result.has_value(), "the log can be cleaned");
  log.batches = result->batches;
  log.aborted = result->aborted;
  return std::move(*result);
}

}  // namespace millrace::storage::cleaner_test
