module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.storage.dump;

namespace millrace::storage {

namespace {

// Read of an index at once.
constexpr std::size_t index_block_bytes = 64 * kibibyte;

}  // namespace

// Kafka makes its indexes at their full size and cuts them when the segment is closed: after a
// crash an index ends in zeros, which are no entries.
Task<StorageResult<void>> Dumper::entries(FileHandle file, std::string path, std::uint64_t bytes,
                                          std::size_t entry_bytes, Entry print) {
  Buffer block = context_.buffers.acquire(index_block_bytes / entry_bytes * entry_bytes);
  std::uint64_t index = 0;
  std::uint64_t zeros = 0;
  for (std::uint64_t position = 0; position < bytes && printer_.wanted();) {
    const auto read = co_await context_.files.read(file, position, block.bytes());
    if (!read) co_return storage_failure(read.error(), path);
    if (*read == 0) break;
    ByteView rest = ByteView(block.bytes()).first(static_cast<std::size_t>(*read));
    for (; rest.size() >= entry_bytes; rest = rest.subspan(entry_bytes), ++index) {
      const ByteView entry = rest.first(entry_bytes);
      if (are_zeros(entry)) {
        zeros += entry_bytes;
        continue;
      }
      if (zeros > 0) {
        problem(index * entry_bytes - zeros, zeros, "zeros before an entry");
        zeros = 0;
      }
      print(entry, index);
      ++totals_.entries;
    }
    position += *read;
    if (!rest.empty() && position >= bytes) {
      problem(index * entry_bytes, rest.size(), "a part of an entry");
    }
    co_await yield(context_.executor);
  }
  if (zeros > 0) {
    printer_.begin("unused");
    printer_.field("position", index * entry_bytes - zeros);
    printer_.field("bytes", zeros);
    printer_.end();
  }
  co_return StorageResult<void>();
}

Dumper::Entry Dumper::entry_printer(const SegmentFileName& name) {
  const Offset base = name.base_offset;
  switch (name.kind) {
    case SegmentFileKind::offset_index:
      return [this, base](ByteView bytes, std::uint64_t) {
        const OffsetPosition entry = OffsetIndexView(bytes, base).entry(0);
        printer_.begin("offset_entry");
        printer_.field("offset", entry.offset);
        printer_.field("position", entry.position);
        printer_.end();
      };
    case SegmentFileKind::time_index:
      return [this, base](ByteView bytes, std::uint64_t) {
        const TimestampOffset entry = TimeIndexView(bytes, base).entry(0);
        printer_.begin("time_entry");
        printer_.field("timestamp", entry.timestamp);
        printer_.field("offset", entry.offset);
        printer_.end();
      };
    case SegmentFileKind::transaction_index:
    case SegmentFileKind::log:
    case SegmentFileKind::producer_snapshot:
      break;
  }
  return [this](ByteView bytes, std::uint64_t index) {
    const auto version = load_big_endian<std::int16_t>(bytes.data());
    const AbortedTransaction entry = TransactionIndexView(bytes).entry(0);
    printer_.begin("aborted_transaction");
    printer_.field("version", version);
    printer_.field("producer_id", entry.producer);
    printer_.field("first_offset", entry.first_offset);
    printer_.field("last_offset", entry.last_offset);
    printer_.field("last_stable_offset", entry.last_stable_offset);
    printer_.end();
    if (version != 0) {
      problem(index * transaction_index_entry_bytes, bytes.size(), "an unknown version");
    }
  };
}

void Dumper::snapshot(const std::vector<ProducerSnapshotEntry>& producers) {
  for (const ProducerSnapshotEntry& entry : producers) {
    printer_.begin("producer");
    printer_.field("producer_id", entry.producer);
    printer_.field("producer_epoch", entry.epoch);
    printer_.field("last_sequence", entry.last_sequence);
    printer_.field("last_offset", entry.last_offset);
    printer_.field("offset_delta", entry.offset_delta);
    printer_.field("timestamp", entry.timestamp);
    printer_.field("coordinator_epoch", entry.coordinator_epoch);
    printer_.field("transaction_start", entry.transaction_start);
    printer_.end();
    ++totals_.entries;
  }
}

void Dumper::checkpoint(const std::vector<PartitionOffset>& entries) {
  for (const PartitionOffset& entry : entries) {
    printer_.begin("partition_offset");
    printer_.field("topic", entry.partition.topic);
    printer_.field("partition", entry.partition.partition);
    printer_.field("offset", entry.offset);
    printer_.end();
    ++totals_.entries;
  }
}

}  // namespace millrace::storage
