// The directory of a partition that something has damaged: log files, indexes, snapshots and
// checkpoints of a small log are changed as the input says, then the log is opened and used. It may
// be refused or lack records, but never is anything read that is no whole batch, and what was
// recovered is the same after the next start.
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz_input.hpp"

import millrace.storage.log;

namespace {

using namespace millrace;
using namespace millrace::storage;
using fuzz::Input;

constexpr std::string_view directory = "/data/orders-0";
using Files = std::map<std::string, std::string>;

class Keeper final : public DirectoryKeeper {
 public:
  Task<StorageResult<void>> save_recovery_point(const Log&) override {
    co_return StorageResult<void>();
  }
  Task<StorageResult<void>> save_log_start(const Log&) override { co_return StorageResult<void>(); }
  void went_offline(const Log&, const StorageError&) override {
    check(false, "no device fails here");
  }
};

class NoLines final : public LogSink {
 public:
  void write(LogLevel, std::string_view, std::string_view) override {}
};

std::vector<std::byte> batch_of(Offset base, int number) {
  BufferPool pool;
  protocol::BatchStorage records(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(records, compressed, compressor);
  protocol::BatchOptions options;
  options.base_offset = base;
  options.leader_epoch = LeaderEpoch(number / 8);
  const bool marker = number % 5 == 4;
  if (number % 2 == 0) {
    options.producer = {ProducerId(3), ProducerEpoch(0), marker ? no_sequence : Sequence(number)};
    options.transactional = true;
    options.control = marker;
  }
  if (number % 7 == 3) options.compression = protocol::CompressionOptions(protocol::Codec::lz4);
  builder.start(options);
  const auto key = protocol::encode_control_record_key(protocol::ControlRecordType::abort);
  const auto value = protocol::encode_end_transaction_marker(protocol::CoordinatorEpoch(0));
  const std::string text(static_cast<std::size_t>(20 + number), 'v');
  protocol::RecordInput record;
  record.timestamp = Timestamp(1'000 + number * 13 % 50);
  record.key = options.control ? ByteView(key) : ByteView();
  record.value = options.control ? ByteView(value) : as_bytes(text);
  check(builder.append(record).has_value(), "a record fits");
  const auto bytes = builder.finish();
  check(bytes.has_value(), "a batch is built");
  return {bytes->begin(), bytes->end()};
}

struct World {
  World() : disk(1), files(disk, executor, {.completion = SimulatedCompletion::immediate}) {}

  template <class T>
  T wait(Task<T> task) {
    auto ended = executor.run(std::move(task));
    check(ended.has_value(), "every operation ends");
    return std::move(ended.value());
  }
  void wait(Task<void> task) {
    check(executor.run(std::move(task)).has_value(), "every operation ends");
  }

  SimulatedExecutor executor;
  SimulatedDisk disk;
  SimulatedFileSystem files;
  OpenFiles open_files{files, 8};
  IndexCache index_cache{files, open_files, 8 * kibibyte};
  BufferPool buffers;
  protocol::Decompressor decompressor;
  ProducerBudget producers;
  Keeper keeper;
  SegmentContext segments{executor,
                          files,
                          open_files,
                          index_cache,
                          buffers,
                          decompressor,
                          Logger(std::make_shared<NoLines>(), "fuzz")};
  LogContext context{segments, producers, keeper};
};

LogOpening opening_of(Offset log_start, Offset recovery_point, bool clean) {
  LogOpening opening;
  opening.directory = std::string(directory);
  opening.partition = {"orders", PartitionIndex(0)};
  opening.config.segment_bytes = 700;
  opening.config.index_interval_bytes = 150;
  opening.log_start = log_start;
  opening.recovery_point = recovery_point;
  opening.clean = clean;
  return opening;
}

constexpr int batch_count = 30;

// What a stop in order leaves of a log.
Task<Files> make_files(World& world) {
  check((co_await world.files.make_directory("/data")).has_value(), "a directory");
  check((co_await world.files.make_directory(directory)).has_value(), "a directory");
  auto log = co_await Log::open(world.context, opening_of(Offset(0), Offset(0), false));
  check(log.has_value(), "a new log opens");
  for (int i = 0; i < batch_count; ++i) {
    auto bytes = batch_of((*log)->end(), i);
    check((co_await (*log)->replicate(bytes)).has_value(), "a batch is appended");
  }
  check((co_await (*log)->close()).has_value(), "the log closes");
  Files all;
  const auto entries = co_await world.files.list(directory);
  check(entries.has_value(), "the directory is listed");
  for (const DirectoryEntry& entry : *entries) {
    all.emplace(entry.name, world.disk.contents(path_in(directory, entry.name)).value());
  }
  co_await world.open_files.close_all();
  co_return all;
}

const Files& sound_files() {
  static const Files files = [] {
    World world;
    return world.wait(make_files(world));
  }();
  return files;
}

// A byte of one batch is changed, and its CRC put right.
void change_batch(std::string& text, Input& input) {
  std::vector<std::byte> bytes(as_bytes(text).begin(), as_bytes(text).end());
  protocol::BatchSplitter splitter(bytes);
  protocol::BatchView batch;
  for (int skipped = input.byte() % 6; skipped >= 0; --skipped) {
    if (!splitter.next(batch)) return;
  }
  const auto begin = static_cast<std::size_t>(batch.bytes().data() - bytes.data());
  const MutableBytes whole = MutableBytes(bytes).subspan(begin, batch.bytes().size());
  const std::size_t at = input.number() % whole.size();
  // The length stays: it says where the CRC ends.
  if (at >= protocol::batch_layout::batch_length && at < protocol::batch_layout::leader_epoch)
    return;
  whole[at] = std::byte{input.byte()};
  store_big_endian(whole.data() + protocol::batch_layout::crc, protocol::compute_batch_crc(whole));
  text = as_text(bytes);
}

void damage(Files& files, Input& input) {
  if (files.empty()) return;
  auto file = files.begin();
  std::advance(file, static_cast<std::ptrdiff_t>(input.byte() % files.size()));
  std::string& text = file->second;
  const std::uint8_t what = input.byte() % 9;
  const std::size_t at = text.empty() ? 0 : input.number() % text.size();
  switch (what) {
    case 0:
      if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << (input.byte() % 8)));
      return;
    case 1:
      if (!text.empty()) text[at] = static_cast<char>(input.byte());
      return;
    case 2:
      text.resize(at);
      return;
    case 3:
      text.append(input.number() % 3'000, '\0');
      return;
    case 4:
      text.append(text, 0, at);
      return;
    case 5:
      files.erase(file);
      return;
    case 6: {
      // Another file's bytes, or another name.
      auto other = files.begin();
      std::advance(other, static_cast<std::ptrdiff_t>(input.byte() % files.size()));
      text = other->second;
      return;
    }
    case 7:
      change_batch(text, input);
      return;
    default: {
      constexpr std::array suffixes = {".swap", ".cleaned", ".deleted", ".tmp"};
      files.insert_or_assign(file->first + suffixes[input.byte() % suffixes.size()],
                             std::string(text));
      if (input.byte() % 2 == 0) files.erase(file->first);
    }
  }
}

Task<void> write_files(World& world, const Files& files) {
  check((co_await world.files.make_directory("/data")).has_value(), "a directory");
  check((co_await world.files.make_directory(directory)).has_value(), "a directory");
  for (const auto& [name, text] : files) {
    const auto file = co_await world.files.open(path_in(directory, name), OpenMode::create);
    check(file.has_value(), "a file is made");
    const std::array pieces{as_bytes(text)};
    check((co_await world.files.write(*file, 0, pieces)).has_value(), "a file is written");
    check((co_await world.files.close(*file)).has_value(), "a file is closed");
  }
}

// All batches from the start to the end; nothing where damage is met.
Task<std::optional<std::string>> read_all(Log& log) {
  std::string all;
  Offset next = log.start();
  while (next < log.end()) {
    const auto slice = co_await log.read({next, log.end(), 500, true});
    if (!slice) {
      check(slice.error().storage.fault == StorageFault::corrupt, "damage is told as damage");
      co_return std::nullopt;
    }
    if (slice->empty()) break;
    const auto bytes = co_await log.load_verified(*slice);
    if (!bytes) {
      check(bytes.error().storage.fault == StorageFault::corrupt, "damage is told as damage");
      co_return std::nullopt;
    }
    protocol::BatchSplitter splitter(bytes->bytes());
    const Offset before = next;
    for (protocol::BatchView batch; splitter.next(batch);) {
      next = batch.header().last_offset().next();
      all += as_text(batch.bytes());
    }
    check(next > before, "reading goes on");
  }
  co_return all;
}

Task<void> look_around(Log& log, Input& input) {
  for (int i = 0; i < 3; ++i) {
    const Timestamp wanted(1'000 + input.byte() % 60);
    const auto found = co_await log.find_timestamp(wanted, log.end());
    if (found && *found) check((*found)->timestamp >= wanted, "a record is young enough");
  }
  static_cast<void>(co_await log.find_max_timestamp());
  static_cast<void>(co_await log.aborted(log.start(), log.end()));
  const Offset somewhere = log.start().plus(input.byte() % 32);
  static_cast<void>(co_await log.read({somewhere, log.end(), input.number(), true}));
}

Task<void> change(Log& log, Input& input) {
  for (int i = 0; i < 4; ++i) {
    const Offset somewhere = log.start().plus(input.byte() % 32);
    switch (input.byte() % 6) {
      case 0:
        static_cast<void>(co_await log.truncate(somewhere));
        break;
      case 1:
        log.set_high_watermark(log.end());
        static_cast<void>(co_await log.delete_below(somewhere));
        break;
      case 2:
        static_cast<void>(co_await log.apply_retention());
        break;
      case 3:
        static_cast<void>(co_await log.roll());
        break;
      default: {
        auto bytes = batch_of(log.end(), 63);
        static_cast<void>(co_await log.replicate(bytes));
      }
    }
  }
}

Task<void> use(World& world, Input& input) {
  const std::uint8_t how = input.byte();
  const bool clean = how % 2 == 1;
  const bool believed = how % 4 >= 1;
  const Offset recovery_point(believed ? input.byte() % 40 : 0);
  const Offset log_start(how % 8 >= 4 ? input.byte() % 40 : 0);
  auto opened = co_await Log::open(world.context, opening_of(log_start, recovery_point, clean));
  if (!opened) {
    check(opened.error().fault == StorageFault::corrupt, "only damage keeps a log from opening");
    co_return;
  }
  Log& log = **opened;
  check(log.start() <= log.end(), "a log begins before it ends");
  const auto records = co_await read_all(log);
  // Nothing was believed: all that is there was checked.
  if (!believed) check(records.has_value(), "what was recovered can be read");
  co_await look_around(log, input);
  if (how % 16 >= 8) co_await change(log, input);
  const auto now = co_await read_all(log);
  const Offset start = log.start();
  const Offset end = log.end();
  const auto closed = co_await log.close();
  opened->reset();
  if (believed || !closed) co_return;
  check(now.has_value(), "what was recovered can be read");
  for (const bool in_order : {true, false}) {
    auto again =
        co_await Log::open(world.context, opening_of(start, in_order ? end : Offset(0), in_order));
    check(again.has_value(), "what was closed is opened again");
    check((*again)->start() == start, "the start stays");
    check(co_await read_all(**again) == now, "the records stay");
    check((co_await (*again)->close()).has_value(), "it closes again");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Files files = sound_files();
  Input input(data, size);
  const std::size_t damages = input.byte() % 8;
  for (std::size_t i = 0; i < damages && input.more(); ++i) damage(files, input);
  World world;
  world.wait(write_files(world, files));
  world.wait(use(world, input));
  world.executor.run_until_idle();
  world.wait(world.open_files.close_all());
  return 0;
}
