// What Kafka's own log did with random appends of producers, held against ours. The columns of the
// traces are described in tests/golden/java-storage/README.md.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using Row = std::vector<std::string>;

std::int64_t number(const std::string& text) {
  return std::stoll(text);
}

AppendOrigin origin_of(std::string_view who) {
  if (who == "client") return AppendOrigin::client;
  return who.starts_with("follower") ? AppendOrigin::replication : AppendOrigin::coordinator;
}

ProducerVerdict verdict_of(std::string_view outcome) {
  if (outcome == "OutOfOrderSequenceException") {
    return ProducerVerdict::out_of_order_sequence_number;
  }
  if (outcome == "InvalidProducerEpochException") return ProducerVerdict::invalid_producer_epoch;
  if (outcome == "InvalidTxnStateException") return ProducerVerdict::invalid_transaction_state;
  if (outcome == "TransactionCoordinatorFencedException") {
    return ProducerVerdict::transaction_coordinator_fenced;
  }
  if (outcome.starts_with("duplicate ")) return ProducerVerdict::duplicate;
  EXPECT_TRUE(outcome.starts_with("ok ")) << outcome;
  return ProducerVerdict::accepted;
}

std::string unhex(std::string_view hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16));
  }
  return bytes;
}

class Replay {
 public:
  void step(const Row& row) {
    const std::string& what = row[0];
    if (what == "begin") {
      begin();
    } else if (what == "client" || what == "coordinator" || what == "follower") {
      data(row);
    } else if (what == "marker" || what == "follower_marker") {
      end_transaction(row);
    } else if (what == "high_watermark") {
      states_->high_watermark_moved(Offset(number(row[1])));
    } else if (what == "expire") {
      static_cast<void>(states_->remove_expired(Timestamp(number(row[1])), number(row[2])));
    } else if (what == "unstable") {
      EXPECT_EQ(states_->first_undecided_offset().value_or(no_offset), Offset(number(row[1])));
      EXPECT_EQ(states_->first_unstable_offset().value_or(no_offset), Offset(number(row[2])));
    } else if (what == "producer") {
      producer(row);
    } else if (what == "snapshot") {
      snapshot(row);
    } else if (what == "aborted") {
      aborted(row);
    } else {
      ASSERT_EQ(what, "end");
      EXPECT_EQ(aborted_seen_, aborted_.size());
    }
  }

  [[nodiscard]] const std::map<ProducerVerdict, int>& verdicts() const { return verdicts_; }

 private:
  void begin() {
    states_.emplace(budget_);
    end_ = 0;
    listed_ = 0;
    aborted_.clear();
    aborted_seen_ = 0;
  }

  void data(const Row& row) {
    const ProducerBatch sent = batch({.producer = number(row[1]),
                                      .epoch = static_cast<std::int16_t>(number(row[2])),
                                      .sequence = static_cast<std::int32_t>(number(row[3])),
                                      .count = static_cast<std::int32_t>(number(row[4])),
                                      .offset = end_,
                                      .timestamp = number(row[6]),
                                      .transactional = row[5] == "1"});
    const ProducerCheck check = states_->check(sent, origin_of(row[0]));
    compare(check, row[7], sent.first_offset, sent.last_offset);
    if (!check.accepted()) return;
    states_->update(sent);
    end_ = sent.last_offset.value() + 1;
  }

  void end_transaction(const Row& row) {
    const ProducerMarker ended =
        marker({.producer = number(row[1]),
                .epoch = static_cast<std::int16_t>(number(row[2])),
                .coordinator_epoch = static_cast<std::int32_t>(number(row[3])),
                .offset = end_,
                .timestamp = number(row[6]),
                .aborts = row[4] == "1"});
    const ProducerCheck check =
        states_->check(ended, origin_of(row[0]), static_cast<std::int16_t>(number(row[5])));
    compare(check, row[7], ended.offset, ended.offset);
    if (!check.accepted()) return;
    const auto completed = states_->update(ended);
    if (completed && completed->aborted) aborted_.push_back(*completed);
    ++end_;
  }

  void compare(const ProducerCheck& check, const std::string& outcome, Offset first, Offset last) {
    EXPECT_EQ(name_of(check.verdict), name_of(verdict_of(outcome)));
    ++verdicts_[check.verdict];
    std::istringstream words(outcome);
    std::string word;
    std::int64_t begin = -1;
    std::int64_t end = -1;
    if (!(words >> word >> begin >> end)) return;
    const bool is_duplicate = check.verdict == ProducerVerdict::duplicate;
    EXPECT_EQ(is_duplicate ? check.original.first_offset() : first, Offset(begin));
    EXPECT_EQ(is_duplicate ? check.original.last_offset : last, Offset(end));
  }

  void producer(const Row& row) {
    ++listed_;
    const ProducerState* const state = states_->find(ProducerId(number(row[1])));
    ASSERT_NE(state, nullptr) << row[1];
    EXPECT_EQ(state->epoch().value(), number(row[2]));
    EXPECT_EQ(state->coordinator_epoch().value(), number(row[3]));
    EXPECT_EQ(state->last_timestamp().value(), number(row[4]));
    EXPECT_EQ(state->transaction_start().value_or(no_offset).value(), number(row[5]));
    ASSERT_EQ(state->batch_count(), row.size() - 6);
    for (std::size_t at = 0; at < state->batch_count(); ++at) {
      const RememberedBatch& remembered = state->batch(at);
      std::ostringstream text;
      text << remembered.last_sequence.value() << ' ' << remembered.offset_delta << ' '
           << remembered.last_offset.value() << ' ' << remembered.timestamp.value();
      EXPECT_EQ(text.str(), row[6 + at]);
    }
  }

  void snapshot(const Row& row) {
    EXPECT_EQ(states_->size(), listed_);
    listed_ = 0;
    const std::string theirs = unhex(row[1]);
    const auto bytes = format_producer_snapshot(states_->snapshot_entries());
    EXPECT_EQ(as_text(bytes), theirs);
    const auto entries = parse_producer_snapshot(as_bytes(theirs), "snapshot");
    ASSERT_TRUE(entries) << entries.error().message;
    EXPECT_EQ(*entries, states_->snapshot_entries());
  }

  void aborted(const Row& row) {
    ASSERT_LT(aborted_seen_, aborted_.size());
    const CompletedTransaction& ours = aborted_[aborted_seen_++];
    EXPECT_EQ(ours.producer, ProducerId(number(row[1])));
    EXPECT_EQ(ours.first_offset, Offset(number(row[2])));
    EXPECT_EQ(ours.last_offset, Offset(number(row[3])));
    EXPECT_EQ(ours.last_stable_offset, Offset(number(row[4])));
  }

  ProducerBudget budget_;
  std::optional<ProducerStates> states_;
  std::int64_t end_ = 0;
  std::size_t listed_ = 0;
  std::vector<CompletedTransaction> aborted_;
  std::size_t aborted_seen_ = 0;
  std::map<ProducerVerdict, int> verdicts_;
};

TEST(ProducerTrace, our_log_does_with_producers_what_kafka_does) {
  Replay replay;
  std::size_t line = 0;
  for (const Row& row : golden_table("producer_traces.tsv")) {
    ++line;
    replay.step(row);
    ASSERT_FALSE(testing::Test::HasFailure()) << "line " << line;
  }
  for (const ProducerVerdict verdict :
       {ProducerVerdict::accepted, ProducerVerdict::duplicate,
        ProducerVerdict::out_of_order_sequence_number, ProducerVerdict::invalid_producer_epoch,
        ProducerVerdict::transaction_coordinator_fenced,
        ProducerVerdict::invalid_transaction_state}) {
    EXPECT_TRUE(replay.verdicts().contains(verdict)) << name_of(verdict) << " did not occur";
  }
}

}  // namespace
}  // namespace millrace::storage
