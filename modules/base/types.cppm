// Strong types: an offset is not an epoch, and the compiler says so. They are the size of the
// integer that they hold and cost nothing.
module;
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

export module millrace.base:types;

import :result;

export namespace millrace {

// An integer with a meaning. Comparable with its own kind only; arithmetic is asked for by name.
template <class Tag, class Integer>
class Strong {
 public:
  using integer_type = Integer;

  constexpr Strong() = default;
  constexpr explicit Strong(Integer value) : value_(value) {}

  [[nodiscard]] constexpr Integer value() const { return value_; }
  [[nodiscard]] constexpr Strong next() const { return Strong(static_cast<Integer>(value_ + 1)); }
  [[nodiscard]] constexpr Strong plus(Integer count) const {
    return Strong(static_cast<Integer>(value_ + count));
  }
  // How far this is past `other`.
  [[nodiscard]] constexpr Integer since(Strong other) const {
    return static_cast<Integer>(value_ - other.value_);
  }

  friend constexpr auto operator<=>(Strong, Strong) = default;

 private:
  Integer value_ = 0;
};

using Offset = Strong<struct OffsetTag, std::int64_t>;
using LeaderEpoch = Strong<struct LeaderEpochTag, std::int32_t>;
using PartitionIndex = Strong<struct PartitionIndexTag, std::int32_t>;
using BrokerId = Strong<struct BrokerIdTag, std::int32_t>;
using BrokerEpoch = Strong<struct BrokerEpochTag, std::int64_t>;
using ProducerId = Strong<struct ProducerIdTag, std::int64_t>;
using ProducerEpoch = Strong<struct ProducerEpochTag, std::int16_t>;
using Sequence = Strong<struct SequenceTag, std::int32_t>;
using CorrelationId = Strong<struct CorrelationIdTag, std::int32_t>;
// Milliseconds since 1970, as Kafka counts; -1 is "none".
using Timestamp = Strong<struct TimestampTag, std::int64_t>;

inline constexpr Offset no_offset{-1};
inline constexpr LeaderEpoch no_leader_epoch{-1};
inline constexpr BrokerId no_broker{-1};
inline constexpr ProducerId no_producer_id{-1};
inline constexpr ProducerEpoch no_producer_epoch{-1};
inline constexpr Sequence no_sequence{-1};
inline constexpr Timestamp no_timestamp{-1};

// Sixteen bytes in network order, as Kafka's topic and directory ids.
struct Uuid {
  std::array<std::byte, 16> bytes{};

  [[nodiscard]] constexpr bool is_zero() const { return *this == Uuid{}; }
  friend constexpr bool operator==(const Uuid&, const Uuid&) = default;
  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
};

// Kafka writes ids as 22 characters of URL-safe base64 without padding.
[[nodiscard]] std::string to_string(const Uuid& uuid);

// Reads what to_string writes, and nothing else: an id has one spelling.
[[nodiscard]] Result<Uuid> uuid_from_string(std::string_view text);

}  // namespace millrace

export template <class Tag, class Integer>
struct std::hash<millrace::Strong<Tag, Integer>> {
  std::size_t operator()(millrace::Strong<Tag, Integer> strong) const noexcept {
    return std::hash<Integer>{}(strong.value());
  }
};
