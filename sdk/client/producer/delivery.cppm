// What a program gives to a producer, and what it is told about each record.
module;
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

export module millrace.client.producer:delivery;

import millrace.base;
import millrace.client.core;
import millrace.protocol.batch;
import :memory;

export namespace millrace::client {

using HeaderView = protocol::RecordHeader;

// Nothing is kept of it after send(): the bytes are copied once, into a batch.
struct RecordToSend {
  std::string_view topic;
  std::optional<PartitionIndex> partition = {};  // none: by key, or where it suits
  std::optional<ByteView> key = {};
  std::optional<ByteView> value = {};
  std::span<const HeaderView> headers = {};
  std::optional<Timestamp> timestamp = {};  // none: now
};

// What send() does when the memory is full, or the topic not known yet.
enum class FullBuffer : std::uint8_t { wait, fail };

// The outcome of one record. Valid during the call that brings it.
struct DeliveryReport {
  std::string_view topic;
  PartitionIndex partition{0};
  // no_offset where nobody told: with acks=0, or when the record was found to be there already.
  Offset offset = no_offset;
  // The record's own, or when the broker appended it, if the topic is configured so.
  Timestamp timestamp = no_timestamp;
  const ClientError* error = nullptr;  // null: delivered
};

// Told of each accepted record exactly once, on the client's thread; of the records of a partition
// in the order in which they were accepted. Does not block and may send() without waiting. Owned by
// the program; outlives the records that it gave.
class DeliverySink {
 public:
  virtual void delivered(std::uint64_t token, const DeliveryReport& report) noexcept = 0;

 protected:
  DeliverySink() = default;
  DeliverySink(const DeliverySink&) = default;
  DeliverySink& operator=(const DeliverySink&) = default;
  ~DeliverySink() = default;
};

// Told once of each time that it asked to be, on the client's thread. Does not block and may send()
// without waiting. Owned by the program; outlives what it asked for.
class RoomSink {
 public:
  // `refused`: why there will be no room; null: there is some now.
  virtual void room(std::uint64_t token, const ClientError* refused) noexcept = 0;

 protected:
  RoomSink() = default;
  RoomSink(const RoomSink&) = default;
  RoomSink& operator=(const RoomSink&) = default;
  ~RoomSink() = default;
};

}  // namespace millrace::client
