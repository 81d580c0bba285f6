// What a producer measures of itself; the names are those of Java's producer.
module;
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

export module millrace.client.producer:producer_meters;

import millrace.base;
import millrace.client.core;

export namespace millrace::client {

// Of the records that were sent, failed or are tried again: of all, and of one topic.
struct RecordMeters {
  Meter sent;         // records of one batch
  Meter bytes;        // of one batch, as it is sent
  Meter compression;  // what became of each byte of a batch
  Meter retried;      // records of one batch
  Meter failed;       // records of one batch
};

// The time that a program spent in each call of its transactions.
struct TransactionTimes {
  Duration init{};
  Duration begin{};  // without that of init
  Duration send_offsets{};
  Duration commit{};
  Duration abort{};
};

// Adds the time until its end to `sum`, which outlives it.
class Stopwatch {
 public:
  Stopwatch(const Clock& clock, Duration& sum) : clock_(clock), sum_(sum), begun_(clock.now()) {}
  ~Stopwatch() { sum_ += clock_.now() - begun_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const Clock& clock_;
  Duration& sum_;
  MonotonicTime begun_;
};

// On the client's thread; each quantity is measured for a batch or a request, none for a record.
class ProducerMeters {
 public:
  // A batch goes out: `plain` are its bytes before it was compressed.
  struct SentBatch {
    std::string_view topic;
    std::int32_t records = 0;
    std::size_t bytes = 0;
    std::size_t plain_bytes = 0;
    std::size_t largest_record_bytes = 0;
    Duration queued{};
  };
  void sent(const SentBatch& batch, MonotonicTime now);
  void retried(std::string_view topic, std::int32_t records, MonotonicTime now);
  void failed(std::string_view topic, std::int32_t records, MonotonicTime now);

  Meter request_records;
  Meter latency;   // milliseconds of a request
  Meter throttle;  // milliseconds that a broker asked for
  Meter splits;    // batches
  Duration flushing{};

  // Of the memory and of what is under way now.
  struct Now {
    std::size_t requests_in_flight = 0;
    std::size_t waiting_threads = 0;
    std::size_t memory_bytes = 0;
    std::size_t memory_bytes_max = 0;
    std::uint64_t refused_for_memory = 0;
    Duration waited_for_memory{};
    Duration waited_for_metadata{};
    Duration metadata_age{};
    TransactionTimes transactions;
  };
  void list(const Now& state, MetricList& to) const;

 private:
  RecordMeters& of(std::string_view topic);

  RecordMeters all_;
  Meter largest_record_;  // of a batch
  Meter batch_bytes_;
  Meter queued_;  // milliseconds of a batch
  std::map<std::string, RecordMeters, std::less<>> topics_;
};

}  // namespace millrace::client
