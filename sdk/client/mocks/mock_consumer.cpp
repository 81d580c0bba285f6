#include "millrace/mock/mock_consumer.hpp"

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mock_consumer_core.hpp"
#include "owned_record.hpp"

namespace millrace::inline v1 {

MockConsumer::MockConsumer(MockConsumerOptions options)
    : implementation_(std::make_unique<Implementation>(options)) {}

MockConsumer::MockConsumer(MockConsumer&&) noexcept = default;

MockConsumer& MockConsumer::operator=(MockConsumer&& other) noexcept {
  std::swap(implementation_, other.implementation_);
  return *this;
}

MockConsumer::~MockConsumer() {
  if (!implementation_) return;
  if (const auto closed = implementation_->close(); !closed)
    std::cerr << "mock consumer: closing: " << closed.error() << '\n';
}

Result<void> MockConsumer::subscribe(std::vector<std::string> topics) {
  return implementation_->subscribe(std::move(topics), false);
}

Result<void> MockConsumer::subscribe_pattern(std::string_view pattern) {
  return implementation_->subscribe({std::string(pattern)}, true);
}

Result<void> MockConsumer::subscribe_broker_pattern(std::string_view pattern) {
  return implementation_->subscribe({std::string(pattern)}, true);
}

Result<void> MockConsumer::assign(const std::vector<TopicPartition>& partitions) {
  return implementation_->assign(partitions);
}

Result<void> MockConsumer::unsubscribe(std::chrono::milliseconds) {
  return implementation_->unsubscribe();
}

Result<std::vector<TopicPartition>> MockConsumer::assignment() const {
  return implementation_->assignment();
}

MockConsumer& MockConsumer::on_assigned(RebalanceHandler handler) {
  implementation_->set_handler(&Implementation::on_assigned, std::move(handler));
  return *this;
}

MockConsumer& MockConsumer::on_revoked(RebalanceHandler handler) {
  implementation_->set_handler(&Implementation::on_revoked, std::move(handler));
  return *this;
}

MockConsumer& MockConsumer::on_lost(RebalanceHandler handler) {
  implementation_->set_handler(&Implementation::on_lost, std::move(handler));
  return *this;
}

Result<Records> MockConsumer::poll(std::chrono::milliseconds time) {
  return implementation_->poll(time);
}

Future<Result<Records>> MockConsumer::next() {
  return implementation_->next();
}

Result<void> MockConsumer::wake() {
  return implementation_->wake();
}

Result<void> MockConsumer::pause(const std::vector<TopicPartition>& partitions) {
  return implementation_->set_paused(partitions, true);
}

Result<void> MockConsumer::resume(const std::vector<TopicPartition>& partitions) {
  return implementation_->set_paused(partitions, false);
}

Result<std::vector<TopicPartition>> MockConsumer::paused() const {
  return implementation_->paused();
}

Result<void> MockConsumer::seek(const TopicPartition& partition, std::int64_t offset) {
  return implementation_->seek(partition, offset);
}

Result<void> MockConsumer::rewind(const Records& batch) {
  return implementation_->rewind(batch.first_offsets());
}

Result<void> MockConsumer::seek_to_beginning(const TopicPartition& partition) {
  return implementation_->seek_to(partition, [](const auto& log) { return log.begin; });
}

Result<void> MockConsumer::seek_to_end(const TopicPartition& partition) {
  return implementation_->seek_to(partition, [](const auto& log) { return log.end; });
}

Result<void> MockConsumer::seek_to_time(const TopicPartition& partition, Timestamp time) {
  return implementation_->seek_to(partition, [time](const auto& log) {
    const FoundOffset found = log.find(time);
    return found.offset < 0 ? log.end : found.offset;
  });
}

Result<std::int64_t> MockConsumer::position(const TopicPartition& partition,
                                            std::chrono::milliseconds) const {
  return implementation_->position(partition);
}

Result<std::map<TopicPartition, Lag>> MockConsumer::lag() const {
  return implementation_->lag();
}

Result<std::vector<StalledPartition>> MockConsumer::stalled() const {
  return implementation_->stalled();
}

Result<void> MockConsumer::commit(std::chrono::milliseconds) {
  return implementation_->commit(nullptr);
}

Result<void> MockConsumer::commit(const Offsets& offsets, std::chrono::milliseconds) {
  return implementation_->commit(&offsets);
}

void MockConsumer::commit_async() {
  commit_async([](const Result<void>& committed) {
    if (!committed) std::cerr << "mock consumer: commit: " << committed.error() << '\n';
  });
}

void MockConsumer::commit_async(std::function<void(const Result<void>&)> done) {
  done(implementation_->commit(nullptr));
}

Result<GroupMembership> MockConsumer::membership() const {
  return implementation_->membership();
}

Result<Offsets> MockConsumer::committed(const std::vector<TopicPartition>& partitions,
                                        std::chrono::milliseconds) const {
  return implementation_->committed(partitions);
}

Result<Offsets> MockConsumer::beginning_offsets(const std::vector<TopicPartition>& partitions,
                                                std::chrono::milliseconds) const {
  return implementation_->offsets(partitions, [](const auto& log) { return log.begin; });
}

Result<Offsets> MockConsumer::end_offsets(const std::vector<TopicPartition>& partitions,
                                          std::chrono::milliseconds) const {
  return implementation_->offsets(partitions, [](const auto& log) { return log.end; });
}

Result<std::map<TopicPartition, FoundOffset>> MockConsumer::offsets_for_times(
    const std::map<TopicPartition, Timestamp>& times, std::chrono::milliseconds) const {
  return implementation_->offsets_for_times(times);
}

Result<void> MockConsumer::close(std::chrono::milliseconds) {
  return implementation_->close();
}

std::int64_t MockConsumer::add_record(const Record& record) {
  return implementation_->add(detail::owned_record(record), true);
}

void MockConsumer::add_record_at(OwnedRecord record) {
  implementation_->add(std::move(record), false);
}

void MockConsumer::set_beginning(const TopicPartition& partition, std::int64_t offset) {
  implementation_->set_beginning(partition, offset);
}

void MockConsumer::rebalance(std::vector<TopicPartition> partitions) {
  implementation_->plan(std::move(partitions));
}

void MockConsumer::lose() {
  implementation_->plan(std::nullopt);
}

void MockConsumer::set_stalled(std::vector<StalledPartition> stalled) {
  implementation_->set_stalled(std::move(stalled));
}

void MockConsumer::fail_next_poll(Error error) {
  implementation_->fail_next_poll(std::move(error));
}

void MockConsumer::fail_next_commit(Error error) {
  implementation_->fail_next_commit(std::move(error));
}

void MockConsumer::at_next_poll(std::function<void()> function) {
  implementation_->at_next_poll(std::move(function));
}

std::vector<std::string> MockConsumer::subscription() const {
  return implementation_->subscription();
}

Offsets MockConsumer::committed_offsets() const {
  return implementation_->committed_offsets();
}

std::vector<Offsets> MockConsumer::commits() const {
  return implementation_->commits();
}

bool MockConsumer::is_closed() const {
  return implementation_->is_closed();
}

}  // namespace millrace::inline v1
