// A consumer, alone or in a group of either protocol: offsets rise, values are what was written.
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string_view>

#include "client_calls.hpp"

// The imports come after all that includes standard headers.
import millrace.client.consumer;

namespace millrace::fuzz {
namespace {

using namespace client;
using std::literals::chrono_literals::operator""s;

constexpr std::int64_t records_each = 12;

TopicPartition place(std::int32_t partition) {
  return {"orders", PartitionIndex(partition)};
}
std::string value_of(std::int32_t partition, std::int64_t offset) {
  return "order " + std::to_string(partition) + ":" + std::to_string(offset);
}

// Nothing is given twice, nor taken that was not given.
class Holding final : public RebalanceListener {
 public:
  Task<void> assigned(Partitions partitions) override {
    for (const TopicPartition& partition : partitions) {
      check(held.insert(partition).second, "what is assigned was not held");
    }
    co_return;
  }
  Task<void> revoked(Partitions partitions) override {
    release(partitions);
    co_return;
  }
  Task<void> lost(Partitions partitions) override {
    release(partitions);
    co_return;
  }

  std::set<TopicPartition> held;

 private:
  void release(const Partitions& partitions) {
    for (const TopicPartition& partition : partitions) {
      check(held.erase(partition) == 1, "what goes was held");
    }
  }
};

class Reading {
 public:
  explicit Reading(Input& input) : around_(input), choices_(input.byte()) {
    around_.damage.versions_too = is_chosen(7);
    for (std::int32_t partition = 0; partition < partition_count; ++partition) append(partition);
    ConsumerSettings settings;
    around_.prepare(settings.common);
    settings.auto_offset_reset = is_chosen(4) ? OffsetReset::none : OffsetReset::earliest;
    settings.isolation_level =
        is_chosen(2) ? IsolationLevel::read_committed : IsolationLevel::read_uncommitted;
    settings.group_id = is_chosen(0) || is_chosen(3) ? "group" : "";
    settings.group_protocol = is_chosen(1) ? GroupProtocol::consumer : GroupProtocol::classic;
    settings.session_timeout = 6s;
    // As long as the answer to a JoinGroup is waited for.
    settings.max_poll_interval = 10s;
    settings.max_poll_records = 5;
    settings.enable_auto_commit = is_chosen(5);
    settings.auto_commit_interval = 1s;
    settings.prefetch_memory = 64 * kibibyte;
    client_.emplace(settings, around_.executor, around_.damaging, around_.resolver, around_.log(),
                    Random(around_.seed));
  }

  void go() {
    if (is_chosen(0)) {
      check(client_->subscribe({"orders"}, &listener_).has_value(), "a topic is a subscription");
    } else {
      check(client_->assign({place(0), place(1)}).has_value(), "partitions can be assigned");
      // None is at hand to begin at.
      if (is_chosen(4)) {
        for (const std::int32_t partition : {0, 1}) {
          check(client_->seek(place(partition), Offset(0)).has_value(), "an offset can be sought");
        }
      }
    }
    around_.run(use());
    around_.run(client_->close(around_.now() + 10s));
    check(listener_.held.empty(), "what was held is given back");
    check(client_->buffered_bytes() == 0, "no fetched memory is left");
    client_.reset();
  }

 private:
  [[nodiscard]] bool is_chosen(unsigned bit) const { return ((choices_ >> bit) & 1U) != 0; }
  void append(std::int32_t partition) {
    std::vector<mock::StoredRecord> records;
    for (std::int64_t offset = 0; offset < records_each; ++offset) {
      records.push_back({.offset = no_offset,
                         .timestamp = Timestamp(1'000 + offset),
                         .key = std::nullopt,
                         .value = value_of(partition, offset),
                         .headers = {}});
      if (records.size() < 4) continue;
      check(around_.cluster->append("orders", PartitionIndex(partition), records).has_value(),
            "records are appended");
      records.clear();
    }
  }
  Task<void> use() {
    const MonotonicTime end = around_.now() + 90s;
    // A group whose commits, or the want of any, leave no offset to begin at reads nothing.
    const bool reads_all = !(is_chosen(4) && is_chosen(0));
    while (!(reads_all && read_ == partition_count * records_each) && around_.now() < end) {
      auto polled = co_await client_->poll(std::min(end, around_.now() + 1s));
      if (polled) {
        take(*polled);
        continue;
      }
      if (polled.error().fatal) break;
      co_await sleep_until(around_.executor, around_.now() + std::chrono::milliseconds{100});
    }
    if (!around_.damage.has_changed && reads_all) {
      check(read_ == partition_count * records_each, "what was sound in the end is read");
    }
    co_await ask();
  }
  void take(const FetchedRecords& records) {
    for (const ConsumedRecord& record : records) {
      const TopicPartition name{std::string(record.topic), record.partition};
      const std::string value(as_text(record.value));
      if (!around_.damage.has_forged) {
        check(values_.contains({name, value}) || is_written(name, value), "a value is as written");
      }
      if (!around_.damage.has_changed) {
        check(value == value_of(name.partition.value(), record.offset.value()),
              "a record is where it was written");
      }
      ++read_;
    }
    for (const FetchedRecords::Range& range : records.ranges()) check_range(records, range);
  }
  static void check_range(const FetchedRecords& records, const FetchedRecords::Range& range) {
    const auto of = records.records().subspan(range.first, range.count);
    check(std::ranges::is_sorted(of, std::ranges::less_equal{}, &ConsumedRecord::offset) ||
              of.size() < 2,
          "offsets rise");
    check(of.empty() || of.back().offset < range.next_offset, "reading goes on behind what was");
  }
  // Remembers it.
  bool is_written(const TopicPartition& name, const std::string& value) {
    for (std::int64_t offset = 0; offset < records_each; ++offset) {
      if (value == value_of(name.partition.value(), offset)) {
        values_.emplace(name, value);
        return true;
      }
    }
    return false;
  }
  // What else is asked of brokers.
  Task<void> ask() {
    const MonotonicTime soon = around_.now() + 5s;
    static_cast<void>(co_await client_->offsets(
        {{place(0), earliest_timestamp}, {place(1), Timestamp(1'003)}}, soon));
    static_cast<void>(co_await client_->topic("orders", soon));
    if (is_chosen(0) || is_chosen(3)) {
      static_cast<void>(co_await client_->commit(soon));
      static_cast<void>(co_await client_->committed({place(0), place(1)}, soon));
    }
    if (is_chosen(6)) {
      static_cast<void>(co_await client_->client_instance_id(soon));
      co_await client_->unsubscribe(around_.now() + 5s);
      check(client_->assignment().empty(), "nothing is read any more");
    }
  }

  Surroundings around_;
  std::uint8_t choices_;
  Holding listener_;
  std::optional<ConsumerClient> client_;
  std::set<std::pair<TopicPartition, std::string>> values_;
  std::int64_t read_ = 0;
};

}  // namespace

void consume(Input& input) {
  Reading(input).go();
}

}  // namespace millrace::fuzz
