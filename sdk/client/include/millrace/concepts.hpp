// What code must have to take the place of a producer or a consumer: functions written over these
// take the real ones, those of the library millrace_mock, and the application's own.
#pragma once
#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/consumer.hpp"
#include "millrace/future.hpp"
#include "millrace/producer.hpp"
#include "millrace/record.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1 {

// Sends as Producer does: `template <ProducerLike Sender> void bill(Sender& producer)`.
template <class P>
concept ProducerLike =
    requires(P& producer, const Record& record, WhenFull when_full, std::chrono::milliseconds time,
             void (*told)(const Result<Delivery>&), DeliveryHandler handler, std::string_view topic,
             std::uint64_t tag) {
      { producer.send(record) } -> std::same_as<Future<Result<Delivery>>>;
      { producer.send(record, when_full) } -> std::same_as<Future<Result<Delivery>>>;
      producer.send(record, told);
      { producer.post(record) } -> std::same_as<Result<void>>;
      { producer.post(record, tag, when_full) } -> std::same_as<Result<void>>;
      { producer.when_room(record) } -> std::same_as<Future<Result<void>>>;
      producer.on_delivery(handler);
      { producer.flush(time) } -> std::same_as<Result<void>>;
      { producer.close() } -> std::same_as<Result<void>>;
      { producer.close(time) } -> std::same_as<Result<void>>;
      { producer.partition_count(topic, time) } -> std::same_as<Result<std::int32_t>>;
    };

namespace detail {

template <class C>
concept Subscribes =
    requires(C& consumer, const C& fixed, std::vector<std::string> topics, std::string_view pattern,
             const std::vector<TopicPartition>& some, RebalanceHandler handler) {
      { consumer.subscribe(topics) } -> std::same_as<Result<void>>;
      { consumer.subscribe_pattern(pattern) } -> std::same_as<Result<void>>;
      { consumer.subscribe_broker_pattern(pattern) } -> std::same_as<Result<void>>;
      { consumer.assign(some) } -> std::same_as<Result<void>>;
      { consumer.unsubscribe() } -> std::same_as<Result<void>>;
      { fixed.assignment() } -> std::same_as<Result<std::vector<TopicPartition>>>;
      { consumer.on_assigned(handler) } -> std::same_as<C&>;
      { consumer.on_revoked(handler) } -> std::same_as<C&>;
      { consumer.on_lost(handler) } -> std::same_as<C&>;
    };

template <class C>
concept HasPlaces =
    requires(C& consumer, const C& fixed, const TopicPartition& one, std::int64_t offset,
             const std::vector<TopicPartition>& some, Timestamp timestamp) {
      { consumer.pause(some) } -> std::same_as<Result<void>>;
      { consumer.resume(some) } -> std::same_as<Result<void>>;
      { fixed.paused() } -> std::same_as<Result<std::vector<TopicPartition>>>;
      { consumer.seek(one, offset) } -> std::same_as<Result<void>>;
      { consumer.seek_to_beginning(one) } -> std::same_as<Result<void>>;
      { consumer.seek_to_end(one) } -> std::same_as<Result<void>>;
      { consumer.seek_to_time(one, timestamp) } -> std::same_as<Result<void>>;
      { fixed.position(one) } -> std::same_as<Result<std::int64_t>>;
      { fixed.lag() } -> std::same_as<Result<std::map<TopicPartition, Lag>>>;
      { fixed.stalled() } -> std::same_as<Result<std::vector<StalledPartition>>>;
    };

template <class C>
concept Commits = requires(
    C& consumer, const C& fixed, const Offsets& offsets, const std::vector<TopicPartition>& some,
    const std::map<TopicPartition, Timestamp>& times, void (*done)(const Result<void>&)) {
  { consumer.commit() } -> std::same_as<Result<void>>;
  { consumer.commit(offsets) } -> std::same_as<Result<void>>;
  consumer.commit_async();
  consumer.commit_async(done);
  { fixed.committed(some) } -> std::same_as<Result<Offsets>>;
  { fixed.beginning_offsets(some) } -> std::same_as<Result<Offsets>>;
  { fixed.end_offsets(some) } -> std::same_as<Result<Offsets>>;
  { fixed.offsets_for_times(times) } -> std::same_as<Result<std::map<TopicPartition, FoundOffset>>>;
};

}  // namespace detail

// Receives as Consumer does: `template <ConsumerLike Receiver> void run(Receiver& consumer)`.
template <class C>
concept ConsumerLike = detail::Subscribes<C> && detail::HasPlaces<C> && detail::Commits<C> &&
                       requires(C& consumer, std::chrono::milliseconds time) {
                         { consumer.poll(time) } -> std::same_as<Result<Records>>;
                         { consumer.next() } -> std::same_as<Future<Result<Records>>>;
                         { consumer.wake() } -> std::same_as<Result<void>>;
                         { consumer.close() } -> std::same_as<Result<void>>;
                         { consumer.close(time) } -> std::same_as<Result<void>>;
                       };

static_assert(ProducerLike<Producer> && ConsumerLike<Consumer>);

}  // namespace millrace::inline v1
