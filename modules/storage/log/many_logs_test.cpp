#include "test_batches.hpp"

namespace millrace::storage {
namespace {

// Keeps what is asked of it in memory.
class NoKeeper final : public DirectoryKeeper {
 public:
  Task<StorageResult<void>> save_recovery_point(const Log&) override {
    co_return StorageResult<void>();
  }
  Task<StorageResult<void>> save_log_start(const Log&) override { co_return StorageResult<void>(); }
  void went_offline(const Log&, const StorageError& error) override {
    ADD_FAILURE() << error.message;
  }
};

constexpr int log_count = 1'000;

LogOpening opening_of(int number, Offset recovery_point, bool clean) {
  LogOpening opening;
  opening.directory = "/data/many-" + std::to_string(number);
  opening.partition = {"many", PartitionIndex(number)};
  opening.config.segment_bytes = 300;
  opening.config.index_interval_bytes = 50;
  opening.recovery_point = recovery_point;
  opening.clean = clean;
  return opening;
}

Task<bool> use(LogMachine& machine, LogContext& context, bool first_time) {
  std::vector<std::unique_ptr<Log>> logs;
  for (int i = 0; i < log_count; ++i) {
    if (first_time) {
      EXPECT_TRUE(
          co_await machine.process->files.make_directory("/data/many-" + std::to_string(i)));
    }
    auto log =
        co_await Log::open(context, opening_of(i, first_time ? Offset(0) : Offset(8), !first_time));
    EXPECT_TRUE(log) << log.error().message;
    if (!log) co_return false;
    logs.push_back(std::move(*log));
  }
  for (int round = 0; first_time && round < 8; ++round) {
    for (const auto& log : logs) {
      std::vector<std::byte> bytes =
          encode({{std::to_string(round) + std::string(20, 'v')}, Timestamp(round)});
      LeaderAppend append;
      append.batch = bytes;
      append.epoch = LeaderEpoch(0);
      EXPECT_TRUE(co_await log->append(append));
    }
  }
  for (const auto& log : logs) {
    EXPECT_EQ(log->end(), Offset(8));
    const auto slice = co_await log->read({Offset(5), Offset(8), 10'000, true});
    EXPECT_TRUE(slice && slice->base_offset == Offset(5));
    const auto found = co_await log->find_timestamp(Timestamp(3), Offset(8));
    EXPECT_TRUE(found && *found && (*found)->offset == Offset(3));
    EXPECT_LE(machine.process->files.open_files(), 16u);
    EXPECT_LE(machine.process->index_cache.bytes(), 32 * kibibyte);
  }
  for (const auto& log : logs) EXPECT_TRUE(co_await log->close());
  co_return true;
}

TEST(ManyLogs, a_thousand_work_with_eight_open_files_and_few_pages_of_indexes) {
  LogMachine machine(1);
  NoKeeper keeper;
  for (const bool first_time : {true, false}) {
    LogContext context{machine.process->segments, machine.process->producers, keeper};
    EXPECT_TRUE(machine.wait(use(machine, context, first_time)));
    EXPECT_LE(machine.process->open_files.open(), 8u);
    machine.restart();
  }
}

// One more than the cache holds, for the small files.
TEST(ManyLogs, a_process_needs_few_more_descriptors_than_the_cache) {
  LogMachine machine(2, {.open_files_max = 9});
  machine.config.segment_bytes = 300;
  machine.config.index_interval_bytes = 50;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(machine.append({{std::string(30, 'v')}, Timestamp(i)}));
  EXPECT_EQ(machine.records().size(), 40u);
  machine.reopen();
  EXPECT_EQ(machine.records().size(), 40u);
  for (std::int64_t i = 0; i < 40; ++i) {
    const auto found = machine.wait(machine.log->find_timestamp(Timestamp(i), Offset(40)));
    ASSERT_TRUE(found && *found) << i;
    EXPECT_EQ((*found)->offset, Offset(i));
  }
  ASSERT_TRUE(machine.close());
}

}  // namespace
}  // namespace millrace::storage
