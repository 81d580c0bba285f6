// write_log DIRECTORY: writes logs of every kind below a directory that is there, for Kafka's tools
// to read, and prints what they must show. Ends with 1 and a sentence where anything fails.
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "expectation.hpp"

import millrace.runtime.files;
import millrace.runtime.shard;
import millrace.storage.cleaner;

namespace {

using namespace millrace;
using namespace millrace::storage;
using protocol::Codec;

void must(bool succeeded, std::string_view what) {
  if (succeeded) return;
  std::fprintf(stderr, "write_log: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

class NoKeeper final : public DirectoryKeeper, public CleanerKeeper {
 public:
  Task<StorageResult<void>> save_recovery_point(const Log&) override {
    co_return StorageResult<void>();
  }
  Task<StorageResult<void>> save_log_start(const Log&) override { co_return StorageResult<void>(); }
  Task<StorageResult<void>> save_cleaned_end(const Log&, Offset) override {
    co_return StorageResult<void>();
  }
  void went_offline(const Log&, const StorageError& error) override { must(false, error.message); }
};

class StandardError final : public LogSink {
 public:
  void write(LogLevel level, std::string_view, std::string_view message) override {
    if (level >= LogLevel::warning) must(false, message);
  }
};

struct Batch {
  int records = 5;
  Codec codec = Codec::none;
  protocol::ProducerState producer{};
  bool transactional = false;
  std::optional<protocol::ControlRecordType> marker = std::nullopt;
  protocol::TimestampType timestamp_type = protocol::TimestampType::create_time;
  std::size_t value_bytes = 20;
  bool all_have_keys = false;
};

// Keys, values, headers and timestamps of every kind.
std::vector<std::byte> encode(const Batch& batch, int number) {
  BufferPool pool;
  protocol::BatchStorage storage(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(storage, compressed, compressor);
  protocol::BatchOptions options;
  options.compression = protocol::CompressionOptions(batch.codec);
  options.producer = batch.producer;
  options.transactional = batch.transactional || batch.marker;
  options.control = batch.marker.has_value();
  options.timestamp_type = batch.timestamp_type;
  const Timestamp start(1'700'000'000'000 + 1'000 * number - (number % 5 == 3 ? 2'500 : 0));
  options.log_append_time = start;
  builder.start(options);
  if (batch.marker) {
    must(builder.append_end_transaction_marker(*batch.marker, protocol::CoordinatorEpoch(3), start)
             .has_value(),
         "a marker");
  }
  for (int i = 0; i < batch.records && !batch.marker; ++i) {
    const std::string key = i % 5 == 4 ? "" : "key " + std::to_string((number + i) % 7);
    const auto repeated = static_cast<std::size_t>(1 + (number + i) % 6);
    const std::string value(i % 7 == 6 ? 0 : batch.value_bytes * repeated,
                            static_cast<char>('a' + number % 26));
    const protocol::RecordHeader headers[] = {{"trace", as_bytes("abc")}, {"none", ByteView()}};
    protocol::RecordInput record;
    if (i % 3 != 0 || batch.all_have_keys) record.key = as_bytes(key);
    if (i % 4 != 3) record.value = as_bytes(value);
    record.timestamp = start.plus(i % 3);
    if (i % 2 == 1) record.headers = headers;
    must(builder.append(record).has_value(), "a record");
  }
  const auto finished = builder.finish();
  must(finished.has_value(), "a batch");
  return {finished->begin(), finished->end()};
}

class Writer {
 public:
  explicit Writer(std::string root) : root_(std::move(root)) {}
  ~Writer() {
    loop_->run(open_files_.close_all());
    pool_->stop();
  }

  Log& open(const std::string& name, const LogConfig& config) {
    expected_ = {};
    name_ = name;
    std::filesystem::create_directories(root_ + "/" + name);
    LogOpening opening;
    opening.config = config;
    return open(std::move(opening));
  }
  // As after an orderly stop: all is durable.
  Log& reopen() {
    LogOpening opening;
    opening.config = log_->config();
    opening.log_start = log_->start();
    opening.recovery_point = log_->end();
    opening.clean = true;
    close();
    return open(std::move(opening));
  }
  void append(const Batch& batch) {
    auto bytes = encode(batch, number_++);
    loop_->run(append_bytes(bytes, batch));
    expected_.add(bytes);
  }
  void run(Task<StorageResult<void>> task, std::string_view what) {
    const auto done = loop_->run(std::move(task));
    must(done.has_value(), done ? what : done.error().message);
  }
  void truncate(Offset end) {
    run(log_->truncate(end), "truncate");
    expected_.cut(log_->end());
  }
  void delete_below(Offset offset) {
    log_->set_high_watermark(log_->end());
    run(log_->delete_below(offset), "delete");
    expected_.drop_below(log_->segments().front()->base());
  }
  // All but the segment that is written to.
  void compact() {
    reopen();
    log_->set_high_watermark(log_->end());
    protocol::Compressor compressor;
    Cleaner cleaner(segments_, compressor, keeper_, {});
    cleaner.add(*log_, no_offset);
    must(loop_->run(cleaner.clean_dirtiest()), "the log was dirty");
    must(cleaner.counters().records_kept < cleaner.counters().records_read, "records are gone");
    must(cleaner.cleaned_end(*log_) == log_->segments().back()->base(), "all is cleaned");
    expected_.compact(log_->segments().back()->base());
    loop_->run(cleaner.remove(*log_));
  }
  void close() {
    run(log_->close(), "close");
    log_.reset();
  }
  void close_and_print() {
    close();
    expected_.print(std::cout, name_);
  }

  LeaderEpoch epoch{0};

 private:
  Log& open(LogOpening opening) {
    opening.directory = root_ + "/" + name_;
    opening.partition = {name_.substr(0, name_.size() - 2), PartitionIndex(0)};
    auto opened = loop_->run(Log::open(context_, std::move(opening)));
    must(opened.has_value(), opened ? "" : opened.error().message);
    log_ = std::move(*opened);
    return *log_;
  }
  Task<void> append_bytes(std::vector<std::byte>& bytes, Batch batch) {
    LeaderAppend append;
    append.batch = bytes;
    append.epoch = epoch;
    append.origin = batch.marker ? AppendOrigin::coordinator : AppendOrigin::client;
    const auto appended = co_await log_->append(append);
    must(appended.has_value(), appended ? "" : appended.error().message);
  }
  static std::unique_ptr<PosixFileSystem> make_files(ShardLoop& loop, FilePool& pool) {
    return std::move(make_file_system(FileSystemKind::thread_pool, loop, pool).value());
  }

  std::string root_;
  SystemClock clock_;
  std::unique_ptr<ShardLoop> loop_ = std::move(ShardLoop::make(clock_).value());
  std::unique_ptr<FilePool> pool_ = std::move(FilePool::start(clock_).value());
  std::unique_ptr<PosixFileSystem> files_ = make_files(*loop_, *pool_);
  OpenFiles open_files_{*files_};
  IndexCache index_cache_{*files_, open_files_};
  BufferPool buffers_;
  protocol::Decompressor decompressor_;
  ProducerBudget producers_;
  NoKeeper keeper_;
  SegmentContext segments_{*loop_,
                           *files_,
                           open_files_,
                           index_cache_,
                           buffers_,
                           decompressor_,
                           Logger(std::make_shared<StandardError>(), "write_log")};
  LogContext context_{segments_, producers_, keeper_};
  std::unique_ptr<Log> log_;
  std::string name_;
  clients::Expectation expected_;
  int number_ = 0;
};

LogConfig small() {
  LogConfig config;
  config.segment_bytes = 3'000;
  config.index_interval_bytes = 300;
  config.file_delete_delay = std::chrono::milliseconds(0);
  config.producer_expiration = std::chrono::hours(24 * 365 * 100);
  config.retention.reset();
  return config;
}

void write_codecs(Writer& writer) {
  writer.open("codecs-0", small());
  for (int round = 0; round < 12; ++round) {
    for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
      writer.append({.records = 1 + round, .codec = codec});
    }
    writer.epoch = LeaderEpoch(round / 4);
  }
  writer.close_and_print();
}

constexpr auto abort_marker = protocol::ControlRecordType::abort;
constexpr auto commit_marker = protocol::ControlRecordType::commit;

// Transactions of three producers, which lie within each other, and an idempotent one.
void write_transactions(Writer& writer) {
  writer.open("transactions-0", small());
  std::int32_t sequences[4] = {};
  for (int round = 0; round < 60; ++round) {
    const auto who = static_cast<std::size_t>(round % 4);
    const ProducerId id(static_cast<std::int64_t>(1'000 + who));
    const ProducerEpoch epoch(static_cast<std::int16_t>(who));
    writer.append({.records = 4,
                   .producer = {id, epoch, Sequence(sequences[who])},
                   .transactional = who > 0});
    sequences[who] += 4;
    if (who > 0 && round % 3 == 1) {
      writer.append({.producer = {id, epoch, no_sequence},
                     .marker = round % 2 == 1 ? abort_marker : commit_marker});
    }
  }
  // One that ended is open again, and goes on.
  writer.truncate(Offset(200));
  writer.append({.records = 3});
  writer.close_and_print();
}

// Truncated, and deleted up to the middle of a segment; then opened again.
void write_cut(Writer& writer) {
  Log& log = writer.open("cut-0", small());
  for (int i = 0; i < 60; ++i) writer.append({.records = 6});
  writer.truncate(Offset(301));
  for (int i = 0; i < 10; ++i) writer.append({.records = 2});
  writer.run(log.roll(), "roll");
  writer.delete_below(Offset(155));
  writer.reopen();
  for (int i = 0; i < 20; ++i) writer.append({.records = 3});
  writer.close_and_print();
}

void write_append_time(Writer& writer) {
  writer.open("append-time-0", small());
  for (int i = 0; i < 50; ++i) {
    writer.append({.records = 5,
                   .codec = i % 2 == 0 ? Codec::none : Codec::lz4,
                   .timestamp_type = protocol::TimestampType::log_append_time});
  }
  writer.close_and_print();
}

// A segment as large as it gets by default, with Kafka's interval of index entries.
void write_large(Writer& writer) {
  LogConfig config;
  config.retention.reset();
  writer.open("large-0", config);
  for (int i = 0; i < 400; ++i) writer.append({.records = 30});
  for (int i = 0; i < 4; ++i) writer.append({.records = 3, .value_bytes = 40'000});
  writer.close_and_print();
}

void write_compacted(Writer& writer) {
  LogConfig config = small();
  config.compacts = true;
  config.deletes = false;
  config.dirty_ratio_min = 0;
  writer.open("compacted-0", config);
  const ProducerId id(7);
  for (int i = 0; i < 60; ++i) {
    const bool transactional = i % 4 == 1;
    const protocol::ProducerState producer{id, ProducerEpoch(0), Sequence(i / 4 * 6)};
    writer.append({.records = 6,
                   .codec = i % 3 == 0 ? Codec::zstd : Codec::none,
                   .producer = transactional ? producer : protocol::ProducerState{},
                   .transactional = transactional,
                   .all_have_keys = true});
    if (transactional) {
      writer.append({.producer = {id, ProducerEpoch(0), no_sequence},
                     .marker = i % 8 == 1 ? abort_marker : commit_marker});
    }
  }
  writer.compact();
  for (int i = 0; i < 5; ++i) writer.append({.records = 6, .all_have_keys = true});
  writer.close_and_print();
}

}  // namespace

int main(int count, char** arguments) {
  must(count == 2, "usage: write_log DIRECTORY");
  Writer writer(arguments[1]);
  write_codecs(writer);
  write_transactions(writer);
  write_cut(writer);
  write_append_time(writer);
  write_large(writer);
  write_compacted(writer);
  return 0;
}
