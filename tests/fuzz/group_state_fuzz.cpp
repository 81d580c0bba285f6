// What lies in a partition of __consumer_offsets when a coordinator loads it: any records, in sound
// batches or in damaged ones. The load ends, well or not; a group that was read can be written and
// read again; what is appended after that is a sound batch.
//
// An input is a row of records, each a byte that says what is null and which bytes follow: the
// lengths of key and value in two bytes each, the key, the value. A byte of 0xff begins with raw
// batches, which are all that is left.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fuzz_input.hpp"

import millrace.base;
import millrace.coordinator;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import millrace.telemetry;

namespace {

using namespace millrace;
using namespace millrace::coordination;

constexpr std::size_t records_max = 64;
constexpr std::uint8_t raw_batches = 0xff;
constexpr PartitionIndex only{0};

struct Record {
  std::optional<ByteView> key;
  std::optional<ByteView> value;
};

// Of a session with one partition, whose log is what the fuzzer gives.
class Load {
 public:
  explicit Load(OwnedBytes batches, Offset end) : batches_(std::move(batches)), end_(end) {}

  void run() {
    say(Hello{protocol_version, BrokerId(1), Uuid{}, SessionId(5)});
    say(Lead{only, LeaderEpoch(3)});
    carry_out();
    // Members and offsets expire, loads are tried again.
    for (int i = 0; i < 60; ++i) {
      executor_.advance(ping_interval);
      say(Ping{1});
      carry_out();
    }
  }

 private:
  void say(const ToCoordinator& message) {
    check(session_.take(encode(message)).has_value(), "what a broker says is taken");
  }
  void carry_out() {
    for (int i = 0; i < 100 && !said_.empty(); ++i) {
      const ToBroker message = std::move(said_.front());
      said_.pop_front();
      if (const auto* const read = std::get_if<Read>(&message)) {
        const bool is_begin = read->from < end_;
        say(Batches{read->of, protocol::ErrorCode::none, end_, end_,
                    is_begin ? batches_ : OwnedBytes()});
      } else if (const auto* const append = std::get_if<Append>(&message)) {
        protocol::RecordReader reader(decompressor_);
        check(protocol::validate_batch(append->batch, {.batch_bytes_max = batch_bytes_max}, reader)
                  .has_value(),
              "what a coordinator appends is a sound batch");
        say(Committed{append->of, append->ticket});
      }
    }
  }

  OwnedBytes batches_;
  Offset end_;
  SimulatedExecutor executor_;
  Random random_{1};
  BufferPool buffers_;
  groups::Options options_;
  Logger logger_{std::make_shared<MemoryLogSink>(), "fuzz"};
  telemetry::Registry registry_{1};
  coordinator::Metrics metrics_{registry_, telemetry::ShardIndex(0)};
  protocol::Decompressor decompressor_;
  std::deque<ToBroker> said_;
  coordinator::Session session_{
      executor_,
      random_,
      buffers_,
      options_,
      metrics_,
      logger_,
      coordinator::SessionLink{
          .send = [this](const ToBroker& message) { said_.push_back(message); },
          .has_room = [](std::size_t) { return true; },
          .give_up = [](const std::string&) { check(false, "no record ends a session"); }}};
};

void check_group(const Record& record) {
  const auto read = groups::read_record(*record.key, record.value);
  if (!read) return;
  const auto* const stored = std::get_if<groups::StoredGroup>(&*read);
  if (stored == nullptr || !stored->group) return;
  const auto written = groups::group_record(*stored->group);
  if (!written) return;  // a text that was read is not longer than one that can be written
  const auto again = groups::read_record(written->key, ByteView(*written->value));
  check(again.has_value(), "a group that was read can be written and read again");
  const auto& group = std::get<groups::StoredGroup>(*again).group;
  check(group && group->members().size() == stored->group->members().size(),
        "and has its members then");
}

OwnedBytes batch_of(const std::vector<Record>& records) {
  BufferPool pool;
  protocol::BatchStorage plain(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(plain, compressed, compressor);
  builder.start({.batch_bytes_max = batch_bytes_max});
  for (const Record& record : records) {
    protocol::RecordInput input;
    if (record.key) input.key = record.key->empty() ? as_bytes("") : *record.key;
    if (record.value) input.value = record.value->empty() ? as_bytes("") : *record.value;
    input.timestamp = Timestamp(1'000);
    check(builder.append(input).has_value(), "an input is smaller than a batch may be");
  }
  const auto batch = builder.finish();
  check(batch.has_value(), "there are records");
  return {batch->begin(), batch->end()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  fuzz::Input input(data, size);
  if (data[0] == raw_batches) {
    static_cast<void>(input.byte());
    const ByteView rest = input.bytes(size);
    Load(OwnedBytes(rest.begin(), rest.end()), Offset(1'000)).run();
    return 0;
  }
  std::vector<Record> records;
  while (input.more() && records.size() < records_max) {
    const std::uint8_t kind = input.byte();
    const std::size_t key_bytes = input.number();
    const std::size_t value_bytes = input.number();
    Record& record = records.emplace_back();
    const ByteView key = input.bytes(key_bytes);
    const ByteView value = input.bytes(value_bytes);
    if ((kind & 1) == 0) record.key = key;
    if ((kind & 2) == 0) record.value = value;
    if (record.key) check_group(record);
  }
  Load(batch_of(records), Offset(static_cast<std::int64_t>(records.size()))).run();
  return 0;
}
