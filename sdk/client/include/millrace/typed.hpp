// Types instead of bytes.
#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/abi.hpp"
#include "millrace/bytes.hpp"
#include "millrace/consumer.hpp"
#include "millrace/producer.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"
#include "millrace/serializers.hpp"

namespace millrace::inline v1 {

// Sends keys and values of two types to one topic. Owns its producer; as thread-safe as that one.
// The serializers are any for these types: text(), json<Order>(), the application's own.
template <class Key, class Value>
class TypedProducer {
 public:
  template <SerializerOf<Key> KeySerializer, SerializerOf<Value> ValueSerializer>
  TypedProducer(const Config& config, std::string topic, KeySerializer keys, ValueSerializer values,
                const ClientOptions& options = {})
      : producer_(config, options),
        topic_(std::move(topic)),
        write_key_(writer_of<Key>(std::move(keys))),
        write_value_(writer_of<Value>(std::move(values))) {}

  Future<Result<Delivery>> send(const Key& key, const Value& value) {
    std::string key_bytes;
    std::string value_bytes;
    write_key_(key, key_bytes);
    write_value_(value, value_bytes);
    return producer_.send({.topic = topic_, .key = key_bytes, .value = value_bytes});
  }
  // A record without a value: in a compacted topic it deletes the key.
  Future<Result<Delivery>> send_tombstone(const Key& key) {
    std::string key_bytes;
    write_key_(key, key_bytes);
    return producer_.send({.topic = topic_, .key = key_bytes});
  }

  [[nodiscard]] Producer& producer() noexcept { return producer_; }
  [[nodiscard]] const std::string& topic() const noexcept { return topic_; }

 private:
  template <class T>
  using Writer = std::function<void(const T&, std::string&)>;

  template <class T, class Serializer>
  static Writer<T> writer_of(Serializer serializer) {
    return [serializer = std::move(serializer)](const T& value, std::string& buffer) {
      serializer.serialize(value, buffer);
    };
  }

  Producer producer_;
  std::string topic_;
  Writer<Key> write_key_;
  Writer<Value> write_value_;
};

// A received record of types. A key or value that is null, or that cannot be read, is an error.
template <class Key, class Value>
struct TypedRecord {
  RecordView record;
  Result<Key> key;
  Result<Value> value;
};

// Receives keys and values of two types. Owns its consumer, by which topics are subscribed to and
// offsets are committed: orders.consumer().subscribe({"orders"}).
template <class Key, class Value>
class TypedConsumer {
 public:
  template <SerializerOf<Key> KeySerializer, SerializerOf<Value> ValueSerializer>
  TypedConsumer(const Config& config, KeySerializer keys, ValueSerializer values,
                const ClientOptions& options = {})
      : consumer_(config, options),
        read_key_(reader_of<Key>(std::move(keys))),
        read_value_(reader_of<Value>(std::move(values))) {}

  // Calls handle(const TypedRecord<Key, Value>&) for each record; gives how many there were.
  template <class Handle>
  Result<std::size_t> poll(std::chrono::milliseconds time, Handle&& handle) {
    const Result<Records> batch = consumer_.poll(time);
    if (!batch) return batch.error();
    for (const RecordView record : *batch)
      handle(TypedRecord<Key, Value>{record, read_key_(record.key()), read_value_(record.value())});
    return batch->size();
  }

  [[nodiscard]] Consumer& consumer() noexcept { return consumer_; }

 private:
  template <class T>
  using Reader = std::function<Result<T>(BytesView)>;

  template <class T, class Serializer>
  static Reader<T> reader_of(Serializer serializer) {
    return [serializer = std::move(serializer)](BytesView bytes) {
      return serializer.deserialize(bytes);
    };
  }

  Consumer consumer_;
  Reader<Key> read_key_;
  Reader<Value> read_value_;
};

}  // namespace millrace::inline v1
