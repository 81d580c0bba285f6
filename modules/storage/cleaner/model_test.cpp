// Random logs, cleaned again and again at random bounds while they grow, held against a model that
// looks through the whole log for each record.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using namespace cleaner_test;

constexpr std::int64_t retention_ms = 400;

// What a log is made of, taken apart.
struct Entry {
  Taken batch;
  bool aborted = false;
  std::optional<ControlRecordType> control;
};

std::vector<Entry> entries_of(const MemoryLog& log) {
  protocol::Decompressor decompressor;
  RecordWalk walk(decompressor);
  std::vector<Entry> entries;
  std::map<ProducerId, std::vector<std::size_t>> open;
  for (const Bytes& bytes : log.batches) {
    Entry entry{taken(bytes), false, std::nullopt};
    const BatchHeader& header = entry.batch.header;
    if (header.attributes.is_control()) {
      entry.control = *control_type_of(parsed(bytes), walk);
      for (const std::size_t index : open[header.producer.id]) {
        entries[index].aborted = entry.control == ControlRecordType::abort;
      }
      open.erase(header.producer.id);
    } else if (header.attributes.is_transactional()) {
      open[header.producer.id].push_back(entries.size());
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

// What a reader of committed records knows in the end: keys whose last record is a tombstone are
// not in it.
std::map<std::string, std::pair<std::int64_t, std::string>> view_of(
    const std::vector<Entry>& entries) {
  std::map<std::string, std::pair<std::int64_t, std::string>> view;
  for (const Entry& entry : entries) {
    if (entry.aborted || entry.batch.header.attributes.is_control()) continue;
    for (const Item& item : entry.batch.items) {
      if (!item.key) continue;
      if (item.value) {
        view[*item.key] = {item.offset, *item.value};
      } else {
        view.erase(*item.key);
      }
    }
  }
  return view;
}

class Model {
 public:
  Model(const std::vector<Entry>& entries, const PassOptions& options, std::int64_t mapped_end)
      : entries_(entries), options_(options), mapped_end_(mapped_end) {}

  [[nodiscard]] std::vector<Item> kept(const Entry& entry) const {
    std::vector<Item> items;
    const bool is_mapped = entry.batch.header.last_offset().value() < mapped_end_;
    if (entry.control && spent(entry) && is_mapped && horizon(entry) <= options_.now) return items;
    if (entry.aborted && is_mapped) return items;
    for (const Item& item : entry.batch.items) {
      if (entry.control || item.offset >= mapped_end_ || stays(entry, item)) items.push_back(item);
    }
    return items;
  }

  // Whether the batch gets the time of its end in this pass.
  [[nodiscard]] bool stamps(const Entry& entry) const {
    const BatchHeader& header = entry.batch.header;
    if (header.last_offset().value() >= mapped_end_) return false;
    if (header.attributes.has_delete_horizon()) return false;
    const auto items = kept(entry);
    if (entry.control) return spent(entry);
    return std::any_of(items.begin(), items.end(), [](const Item& item) { return !item.value; });
  }

  // Whether the marker's transaction had no batch left.
  [[nodiscard]] bool spent(const Entry& marker) const {
    const BatchHeader& end = marker.batch.header;
    bool batches = false;
    for (const Entry& entry : entries_) {
      const BatchHeader& header = entry.batch.header;
      if (header.base_offset >= end.base_offset) break;
      if (header.producer.id != end.producer.id) continue;
      if (header.attributes.is_control()) {
        batches = false;
      } else if (header.attributes.is_transactional()) {
        batches = true;
      }
    }
    return !batches;
  }

 private:
  [[nodiscard]] static std::int64_t horizon(const Entry& entry) {
    const BatchHeader& header = entry.batch.header;
    return header.attributes.has_delete_horizon() ? header.base_timestamp.value()
                                                  : std::int64_t{1} << 60;
  }

  [[nodiscard]] bool stays(const Entry& entry, const Item& item) const {
    if (!item.key) return false;
    for (const Entry& other : entries_) {
      if (other.aborted || other.control) continue;
      for (const Item& later : other.batch.items) {
        if (later.offset > item.offset && later.offset >= options_.from &&
            later.offset < mapped_end_ && later.key == item.key) {
          return false;
        }
      }
    }
    return item.value || options_.now < horizon(entry);
  }

  const std::vector<Entry>& entries_;
  PassOptions options_;
  std::int64_t mapped_end_;
};

class RandomLog {
 public:
  explicit RandomLog(std::uint64_t seed) : random_(seed) {}

  MemoryLog log;
  std::int64_t now = 1000;

  void grow(std::uint64_t batches) {
    for (std::uint64_t i = 0; i < batches; ++i) {
      now += static_cast<std::int64_t>(random_.below(20));
      if (random_.chance(0.1)) log.skip(static_cast<std::int64_t>(random_.below(4)));
      const auto producer = static_cast<std::int64_t>(random_.below(3));
      if (open_.contains(producer) && random_.chance(0.4)) {
        end(producer);
      } else {
        append(producer);
      }
    }
  }

  // Up to where everything is decided.
  [[nodiscard]] std::int64_t stable_end() {
    std::int64_t first = log.end;
    for (const auto& [producer, offset] : open_) first = std::min(first, offset);
    return first;
  }

  // Where a batch begins at or before the stable end, or inside one.
  [[nodiscard]] std::int64_t some_end(std::int64_t from) {
    const std::int64_t stable = stable_end();
    if (stable <= from || random_.chance(0.5)) return std::max(from, stable);
    return from +
           static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(stable - from) + 1));
  }

  Random& random() { return random_; }

 private:
  void end(std::int64_t producer) {
    open_.erase(producer);
    log.end_transaction(ProducerId(producer), ProducerEpoch(0),
                        random_.chance(0.5) ? ControlRecordType::abort : ControlRecordType::commit,
                        Timestamp(now));
  }

  // Every second producer has transactions; some batches have none at all.
  void append(std::int64_t producer) {
    std::vector<Item> items(1 + random_.below(5));
    for (Item& item : items) {
      item.timestamp = now - static_cast<std::int64_t>(random_.below(30));
      if (!random_.chance(0.1)) item.key = "k" + std::to_string(random_.below(6));
      if (!random_.chance(0.3)) item.value = "v" + std::to_string(++values_);
      if (random_.chance(0.3)) item.header = "h" + std::to_string(values_);
    }
    BatchOptions options;
    options.compression = CompressionOptions(static_cast<Codec>(random_.below(5)));
    options.leader_epoch = LeaderEpoch(static_cast<std::int32_t>(log.end / 50));
    if (random_.chance(0.2)) {
      options.timestamp_type = protocol::TimestampType::log_append_time;
      options.log_append_time = Timestamp(now);
    }
    if (open_.contains(producer) || random_.chance(0.6)) {
      auto& sequence = sequences_[producer];
      options.producer = {ProducerId(producer), ProducerEpoch(0), Sequence(sequence)};
      sequence += static_cast<std::int32_t>(items.size());
      options.transactional = open_.contains(producer) || producer != 0;
      if (options.transactional) open_.emplace(producer, log.end);
    }
    log.append(std::move(items), options, random_.chance(0.1) ? 2 : 0);
  }

  Random random_;
  std::map<std::int64_t, std::int64_t> open_;
  std::map<std::int64_t, std::int32_t> sequences_;
  int values_ = 0;
};

bool keeps_header(MemoryLog& log, const BatchHeader& header, const PassOptions& options) {
  if (header.last_offset().value() + 1 == options.to) return true;
  const ProducerState* state = log.producers().find(header.producer.id);
  if (!header.has_producer_id() || state == nullptr) return false;
  return state->last_batch() ? state->last_batch()->last_offset == header.last_offset()
                             : header.attributes.is_control();
}

// What one pass did, batch by batch.
void compare(MemoryLog& log, const std::vector<Entry>& before,
             const std::vector<Bytes>& bytes_before, const PassOptions& options,
             const PassResult& result) {
  const Model model(before, options, result.mapped_end);
  std::size_t next = 0;
  for (std::size_t index = 0; index < before.size(); ++index) {
    const Entry& entry = before[index];
    const BatchHeader& header = entry.batch.header;
    const auto expected = model.kept(entry);
    const bool is_mapped = header.last_offset().value() < result.mapped_end;
    const bool reaches_beyond = header.base_offset.value() >= result.mapped_end;
    const bool stays_empty =
        expected.empty() && (keeps_header(log, header, options) || reaches_beyond ||
                             (!is_mapped && entry.batch.items.empty()));
    if (expected.empty() && !stays_empty) {
      ASSERT_EQ(result.fates[index], BatchFate::dropped) << header.base_offset.value();
      continue;
    }
    ASSERT_LT(next, result.batches.size());
    const Bytes& bytes = result.batches[next++];
    const Taken after = taken(bytes);
    ASSERT_EQ(after.items, expected) << header.base_offset.value();
    ASSERT_EQ(after.header.base_offset, header.base_offset);
    ASSERT_EQ(after.header.last_offset_delta, header.last_offset_delta);
    ASSERT_EQ(after.header.producer, header.producer);
    ASSERT_EQ(after.header.leader_epoch, header.leader_epoch);
    ASSERT_EQ(after.header.attributes.is_control(), header.attributes.is_control());
    ASSERT_EQ(after.header.attributes.is_transactional(), header.attributes.is_transactional());
    ASSERT_EQ(after.header.attributes.timestamp_type(), header.attributes.timestamp_type());
    if (expected.empty()) continue;
    ASSERT_EQ(after.header.attributes.codec(), header.attributes.codec());
    std::int64_t youngest = expected[0].timestamp;
    for (const Item& item : expected) youngest = std::max(youngest, item.timestamp);
    ASSERT_EQ(after.header.max_timestamp.value(), youngest);
    if (model.stamps(entry)) {
      ASSERT_TRUE(after.header.attributes.has_delete_horizon());
      ASSERT_EQ(after.header.base_timestamp.value(), options.now + options.delete_retention_ms);
    } else if (expected.size() == entry.batch.items.size()) {
      ASSERT_EQ(bytes, bytes_before[index]) << "what loses nothing stays as it is";
    }
  }
  ASSERT_EQ(next, result.batches.size());
}

// Every producer that the log knows finds its last batch, or its last marker.
void producers_are_found(MemoryLog& log) {
  for (const auto& [producer, state] : log.producers().all()) {
    const auto last = state.last_batch();
    if (!last) continue;
    const bool found = std::any_of(log.batches.begin(), log.batches.end(), [&](const Bytes& batch) {
      const BatchHeader header = parsed(batch).header();
      return header.producer.id == producer && header.last_offset() == last->last_offset &&
             header.last_sequence() == last->last_sequence;
    });
    ASSERT_TRUE(found) << "producer " << producer.value();
  }
}

void clean_again_and_again(std::uint64_t seed) {
  RandomLog random_log(seed);
  MemoryLog& log = random_log.log;
  Random& random = random_log.random();
  std::int64_t cleaned_end = 0;
  for (int pass = 0; pass < 12; ++pass) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", pass " + std::to_string(pass));
    random_log.grow(random.below(25));
    random_log.now += static_cast<std::int64_t>(random.below(300));
    PassOptions options{cleaned_end, random_log.some_end(cleaned_end), random_log.now,
                        retention_ms};
    if (random.chance(0.3)) options.table_bytes_max = 24 * (3 + random.below(6));
    const std::vector<Entry> before = entries_of(log);
    const std::vector<Bytes> bytes_before = log.batches;
    const auto view_before = view_of(before);

    const PassResult result = clean_in_place(log, options);
    ASSERT_GE(result.mapped_end, cleaned_end);
    ASSERT_TRUE(result.mapped_end > cleaned_end || options.to <= cleaned_end);
    compare(log, before, bytes_before, options, result);
    ASSERT_EQ(view_of(entries_of(log)), view_before);
    producers_are_found(log);

    // At the same time nothing is left to do but what needs a second look: batches that were
    // emptied leave markers spent.
    options.from = result.mapped_end;
    options.to = result.mapped_end;
    clean_in_place(log, options);
    ASSERT_EQ(view_of(entries_of(log)), view_before);
    cleaned_end = result.mapped_end;
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(CleaningModel, random_logs_keep_what_the_model_keeps) {
  for (std::uint64_t seed = 1; seed <= 1000 / MILLRACE_SLOWNESS && !HasFatalFailure(); ++seed) {
    clean_again_and_again(seed);
  }
}

}  // namespace
}  // namespace millrace::storage
