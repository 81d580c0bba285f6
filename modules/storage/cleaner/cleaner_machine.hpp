// A log of keyed records on a simulated disk, and its cleaner. Included after all standard headers,
// because it imports modules.
#pragma once
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../log/log_machine.hpp"
// After all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage::cleaner_test {

// What a reader of committed records knows in the end.
using LastValues = std::map<std::string, std::pair<std::int64_t, std::string>>;

class CleanerMachine {
 public:
  explicit CleanerMachine(std::uint64_t seed, SimulatedFileOptions options = {})
      : machine(seed, options) {
    machine.config.compacts = true;
    machine.config.deletes = false;
    machine.config.dirty_ratio_min = 0;
    machine.config.delete_retention = std::chrono::milliseconds(1000);
    machine.config.index_interval_bytes = 200;
  }
  ~CleanerMachine() {
    if (cleaner) machine.run(part());
    if (machine.log && machine.log->offline()) machine.end_of_process();
  }

  LogMachine machine;
  MemoryLog made;  // makes the batches
  CleanerOptions options;
  std::unique_ptr<CleanerCheckpoint> checkpoint;
  std::unique_ptr<Cleaner> cleaner;

  [[nodiscard]] Log& log() { return *machine.log; }

  void open(bool clean = false) {
    const auto opened = machine.open(clean);
    ASSERT_TRUE(opened) << opened.error().message;
    log().set_high_watermark(log().end());
    checkpoint =
        std::make_unique<CleanerCheckpoint>(machine.process->files, std::string(test_root));
    const auto loaded = machine.wait(checkpoint->load());
    ASSERT_TRUE(loaded) << loaded.error().message;
    cleaner =
        std::make_unique<Cleaner>(machine.process->segments, compressor_, *checkpoint, options);
    cleaner->add(log(), checkpoint->cleaned_end(log().partition()));
  }
  // A stop in order and a start.
  void reopen() {
    part_now();
    const auto closed = machine.close();
    ASSERT_TRUE(closed) << closed.error().message;
    machine.restart();
    open(true);
  }

  void append(std::vector<Item> items, BatchOptions batch_options = {}) {
    batch_options.leader_epoch = LeaderEpoch(0);
    replicate(made.append(std::move(items), batch_options));
  }
  void replicate(const Bytes& batch) {
    const auto appended = machine.replicate(batch);
    ASSERT_TRUE(appended) << appended.error().message;
    log().set_high_watermark(log().end());
  }
  // All that was appended is in closed segments and durable.
  void settle() {
    const auto rolled = machine.wait(log().roll());
    ASSERT_TRUE(rolled) << rolled.error().message;
    const auto flushed = machine.wait(log().flush());
    ASSERT_TRUE(flushed) << flushed.error().message;
    machine.executor.run_until_idle();
  }
  bool clean() { return machine.wait(cleaner->clean_dirtiest()); }

  // Every batch from the beginning of the log.
  std::vector<Taken> batches() {
    std::vector<Taken> found;
    machine.run(read(found));
    return found;
  }
  std::vector<Item> items() {
    std::vector<Item> all;
    for (const Taken& batch : batches()) {
      if (batch.header.attributes.is_control()) continue;
      all.insert(all.end(), batch.items.begin(), batch.items.end());
    }
    return all;
  }
  // As read_committed sees it, with the transaction indexes of the log.
  LastValues last_values() {
    const auto aborted = machine.wait(log().aborted(log().start(), log().end()));
    EXPECT_TRUE(aborted);
    LastValues values;
    for (const Taken& batch : batches()) {
      if (batch.header.attributes.is_control() || is_aborted(batch.header, *aborted)) continue;
      for (const Item& item : batch.items) {
        if (!item.key) continue;
        if (item.value) {
          values[*item.key] = {item.offset, *item.value};
        } else {
          values.erase(*item.key);
        }
      }
    }
    return values;
  }
  std::vector<std::string> file_names() {
    std::vector<std::string> names;
    machine.run(list(names));
    return names;
  }
  std::size_t files_with(std::string_view part) {
    std::size_t count = 0;
    for (const std::string& name : file_names()) {
      if (name.find(part) != std::string::npos) ++count;
    }
    return count;
  }

  void part_now() { machine.run(part()); }

 private:
  static bool is_aborted(const BatchHeader& header,
                         const std::vector<AbortedTransaction>& aborted) {
    for (const AbortedTransaction& transaction : aborted) {
      if (header.attributes.is_transactional() && transaction.producer == header.producer.id &&
          transaction.first_offset <= header.base_offset &&
          header.base_offset <= transaction.last_offset) {
        return true;
      }
    }
    return false;
  }
  Task<void> part() {
    if (machine.log) co_await cleaner->remove(*machine.log);
    cleaner.reset();
    checkpoint.reset();
  }
  Task<void> read(std::vector<Taken>& found) {
    Offset from = log().start();
    while (from < log().end()) {
      const auto slice = co_await log().read({from, log().end(), 700, true});
      EXPECT_TRUE(slice) << slice.error().storage.message;
      if (!slice || slice->empty()) break;
      const auto bytes = co_await log().load_verified(*slice);
      EXPECT_TRUE(bytes) << bytes.error().storage.message;
      if (!bytes) break;
      protocol::BatchSplitter splitter(bytes->bytes());
      for (BatchView batch; splitter.next(batch);) {
        found.push_back(taken(Bytes(batch.bytes().begin(), batch.bytes().end())));
        from = batch.header().last_offset().next();
      }
    }
  }
  Task<void> list(std::vector<std::string>& names) {
    const auto entries = co_await machine.process->files.list(test_directory);
    EXPECT_TRUE(entries.has_value());
    for (const DirectoryEntry& entry : *entries) names.push_back(entry.name);
  }

  protocol::Compressor compressor_;
};

}  // namespace millrace::storage::cleaner_test
