// Functions of the application that see records and outcomes pass. What they throw is logged, and
// changes nothing.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/bytes.hpp"
#include "millrace/record.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1 {

struct Delivery;

// A record on its way into a producer. Copies what it is given, and keeps it until the record was
// taken.
class MILLRACE_API OutgoingRecord {
 public:
  explicit OutgoingRecord(const Record& record);
  ~OutgoingRecord();
  OutgoingRecord(const OutgoingRecord&) = delete;
  OutgoingRecord& operator=(const OutgoingRecord&) = delete;

  [[nodiscard]] const Record& record() const noexcept { return record_; }
  OutgoingRecord& set_topic(std::string_view topic);
  OutgoingRecord& set_key(BytesView key);
  OutgoingRecord& set_value(BytesView value);
  // After those that are there.
  OutgoingRecord& add_header(std::string_view key, BytesView value);
  OutgoingRecord& remove_headers(std::string_view key);
  OutgoingRecord& set_partition(std::optional<std::int32_t> partition);
  OutgoingRecord& set_timestamp(std::optional<Timestamp> timestamp);

 private:
  std::string_view keep(std::string_view text);
  BytesView keep(BytesView bytes);
  void own_headers();

  Record record_;
  std::deque<std::string> kept_;
  std::vector<Header> headers_;
};

// What became of a record.
struct Acknowledgement {
  std::string_view topic;
  std::int32_t partition = -1;  // -1: it did not come so far
  const Result<Delivery>& outcome;
};

// Owned by the application and the producers that it was added to. Called by several threads.
class MILLRACE_API ProducerInterceptor {
 public:
  virtual ~ProducerInterceptor();
  // On the thread that sends, before a partition is chosen.
  virtual void on_send(OutgoingRecord& record);
  // Before the application is told: on the producer's thread; on the one that sent where the record
  // was not taken. Must not block.
  virtual void on_acknowledgement(const Acknowledgement& acknowledgement);
};

// Owned by the application and the consumers that it was added to.
class MILLRACE_API ConsumerInterceptor {
 public:
  virtual ~ConsumerInterceptor();
  // Before poll() or next() gives them. They are views of what brokers sent: none can be changed.
  virtual void on_consume(const Records& records);
  // After a commit, by whomever it was asked for. On the consumer's thread; must not block.
  virtual void on_commit(const std::map<TopicPartition, std::int64_t>& offsets);
};

}  // namespace millrace::inline v1
