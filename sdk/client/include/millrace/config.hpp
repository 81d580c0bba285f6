// Settings by their names in Kafka.
#pragma once
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"

namespace millrace::inline v1 {

// Names and values, as Kafka's clients take them. Nothing is checked here: a client that is made of
// it refuses names that it does not know, naming the nearest one, and tells all problems at once.
class MILLRACE_API Config {
 public:
  using Entry = std::pair<std::string, std::string>;

  Config();
  Config(std::initializer_list<std::pair<std::string_view, std::string_view>> entries);
  Config(const Config&);
  Config(Config&&) noexcept;
  Config& operator=(const Config&);
  Config& operator=(Config&&) noexcept;
  ~Config();

  // The last value of a name counts.
  Config& set(std::string_view name, std::string_view value);
  Config& set(std::string_view name, const char* value);
  Config& set(std::string_view name, bool value);
  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  Config& set(std::string_view name, Number value) {
    return set(name, std::string_view(std::to_string(value)));
  }
  // In milliseconds, as all times in Kafka's settings are.
  template <class Rep, class Period>
  Config& set(std::string_view name, std::chrono::duration<Rep, Period> value) {
    return set(name, std::chrono::ceil<std::chrono::milliseconds>(value).count());
  }

  [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept;
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }

  // What `right` says counts.
  [[nodiscard]] friend Config operator+(Config left, const Config& right) {
    for (const Entry& entry : right.entries_) left.set(entry.first, entry.second);
    return left;
  }

 private:
  std::vector<Entry> entries_;
};

enum class Acks : std::uint8_t { none, leader, all };
enum class Compression : std::uint8_t { none, gzip, snappy, lz4, zstd };
enum class OffsetReset : std::uint8_t { earliest, latest, none };
enum class Isolation : std::uint8_t { read_uncommitted, read_committed };

// The same settings with types, for completion and for the compiler's eyes:
// ProducerConfig("localhost:9092").acks(Acks::all).linger(5ms). What has no function here is set by
// its name.
class MILLRACE_API ProducerConfig : public Config {
 public:
  explicit ProducerConfig(std::string_view bootstrap_servers);
  ProducerConfig& client_id(std::string_view name);
  ProducerConfig& acks(Acks acks);
  ProducerConfig& linger(std::chrono::milliseconds time);
  ProducerConfig& batch_size(std::size_t bytes);
  ProducerConfig& buffer_memory(std::size_t bytes);
  ProducerConfig& max_block(std::chrono::milliseconds time);
  ProducerConfig& delivery_timeout(std::chrono::milliseconds time);
  ProducerConfig& compression(Compression codec);
  ProducerConfig& idempotence(bool wanted);
};

class MILLRACE_API ConsumerConfig : public Config {
 public:
  explicit ConsumerConfig(std::string_view bootstrap_servers);
  ConsumerConfig& client_id(std::string_view name);
  ConsumerConfig& group_id(std::string_view group);
  ConsumerConfig& group_instance_id(std::string_view instance);
  ConsumerConfig& auto_offset_reset(OffsetReset to);
  ConsumerConfig& auto_commit(bool wanted);
  ConsumerConfig& max_poll_records(std::size_t count);
  ConsumerConfig& max_poll_interval(std::chrono::milliseconds time);
  ConsumerConfig& isolation(Isolation level);
};

}  // namespace millrace::inline v1
