// The small files and the names of a log directory, from a disk that may have damaged them. The
// first byte of the input chooses what the others are. Whatever is accepted is written again as the
// same bytes: nothing is read that no writer wrote.
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

import millrace.storage.files;
import millrace.storage.producers;

namespace {

using namespace millrace;
using namespace millrace::storage;

constexpr std::string_view path = "/log/file";

template <class T>
bool accepted(const StorageResult<T>& parsed) {
  if (parsed) return true;
  check(parsed.error().fault == StorageFault::corrupt ||
            parsed.error().fault == StorageFault::invalid,
        "damage is reported as damage");
  check(!parsed.error().message.empty(), "a refusal has a sentence");
  return false;
}

void offsets(std::string_view text) {
  const auto parsed = parse_offset_checkpoint(text, path);
  if (!accepted(parsed) || text.empty()) return;
  check(format_offset_checkpoint(*parsed) == text, "a checkpoint has one spelling");
}

void epochs(std::string_view text) {
  const auto parsed = parse_leader_epoch_checkpoint(text, path);
  if (!accepted(parsed) || text.empty()) return;
  check(format_leader_epoch_checkpoint(*parsed) == text, "a checkpoint of epochs has one spelling");
  const LeaderEpochCache cache(*parsed);
  for (const EpochEntry& entry : *parsed) {
    check(cache.epoch_for_offset(entry.start_offset) == entry.epoch,
          "an epoch begins where it does");
  }
}

void metadata(std::string_view text) {
  const auto parsed = parse_partition_metadata(text, path);
  if (!accepted(parsed)) return;
  if (text.ends_with('\n')) text.remove_suffix(1);
  check(format_partition_metadata(*parsed) == text, "a topic id has one spelling");
}

void properties(std::string_view text) {
  const auto parsed = parse_meta_properties(text, path);
  if (!accepted(parsed)) return;
  const auto again =
      parse_meta_properties(format_meta_properties(*parsed, Timestamp(1'751'360'707'123)), path);
  check(again && *again == *parsed, "properties come back as they were");
}

void clean_shutdown(std::string_view text) {
  const CleanShutdown parsed = parse_clean_shutdown(text);
  if (!parsed.broker_epoch) return;
  check(format_clean_shutdown(*parsed.broker_epoch) == text, "a broker epoch has one spelling");
}

void snapshot(std::string_view text) {
  const auto parsed = parse_producer_snapshot(as_bytes(text), path);
  if (!accepted(parsed)) return;
  check(as_text(format_producer_snapshot(*parsed)) == text, "a snapshot has one spelling");
  ProducerBudget budget;
  ProducerStates states(budget);
  states.restore(*parsed, Timestamp(0), 1'000'000);
  for (const ProducerSnapshotEntry& entry : *parsed) {
    ProducerBatch next;
    next.producer = entry.producer;
    next.epoch = entry.epoch;
    next.first_sequence = next.last_sequence = entry.last_sequence;
    next.transactional = true;
    if (states.check(next, AppendOrigin::client).accepted()) states.update(next);
  }
  static_cast<void>(states.first_unstable_offset());
  static_cast<void>(states.remove_expired(Timestamp(1'700'000'000'000), 1000));
}

// Count and checksum are put right, so that the entries are looked at.
void resealed_snapshot(std::string_view text) {
  constexpr std::size_t header_bytes = 10;
  constexpr std::size_t entry_bytes = 46;
  std::vector<ProducerSnapshotEntry> none;
  std::vector<std::byte> bytes = format_producer_snapshot(none);
  const ByteView entries = as_bytes(text).first(text.size() / entry_bytes * entry_bytes);
  bytes.insert(bytes.end(), entries.begin(), entries.end());
  store_big_endian(bytes.data() + 6, static_cast<std::int32_t>(entries.size() / entry_bytes));
  store_big_endian(bytes.data() + 2, crc32c(ByteView(bytes).subspan(6)));
  check(bytes.size() == header_bytes + entries.size(), "a header and whole entries");
  snapshot(as_text(bytes));
}

void names(std::string_view text) {
  if (const auto parsed = parse_segment_file_name(text)) {
    check(segment_file_name(*parsed) == text, "the name of a segment file has one spelling");
  }
  const auto parsed = parse_partition_directory_name(text);
  if (!accepted(parsed)) return;
  check(is_topic_name(parsed->partition.topic), "a directory names a legal topic");
  if (parsed->kind != PartitionDirectoryKind::current) return;
  const auto made = partition_directory_name(parsed->partition);
  check(made && *made == text, "the name of a directory has one spelling");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr void (*parsers[])(std::string_view) = {
      offsets, epochs, metadata, properties, clean_shutdown, snapshot, resealed_snapshot, names};
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  parsers[data[0] % std::size(parsers)](text);
  return 0;
}
