// The words of consensus: nodes, terms, places in the log, entries.
module;
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.raft:types;

import millrace.base;

export namespace millrace::raft {

// A member of the group of controllers. Shares its number space with brokers.
using NodeId = Strong<struct NodeIdTag, std::int32_t>;
// A term has at most one leader. 0 is before the first election.
using Term = Strong<struct TermTag, std::int64_t>;
// The first entry has index 1; 0 is before it.
using LogIndex = Strong<struct LogIndexTag, std::int64_t>;
// Chosen by whoever asks to read; comes back with the answer.
using ReadId = Strong<struct ReadIdTag, std::uint64_t>;
// Counts the times that a leader asked all others whether it still leads.
using Round = Strong<struct RoundTag, std::uint64_t>;
// Counts the writes that a node has asked for since it started.
using WriteNumber = Strong<struct WriteNumberTag, std::uint64_t>;

inline constexpr NodeId no_node{-1};

// An entry is known by its index and its term: two logs that share them agree on all before.
struct LogPosition {
  LogIndex index;
  Term term;

  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

// Whether a log that ends at `left` holds at least what one that ends at `right` may have
// committed.
[[nodiscard]] constexpr bool up_to_date(LogPosition left, LogPosition right) {
  return left.term != right.term ? left.term > right.term : left.index >= right.index;
}

// What must survive a crash besides the log: with it a node votes once in a term, and never goes
// back to an earlier one.
struct HardState {
  Term term;
  NodeId vote = no_node;

  friend bool operator==(const HardState&, const HardState&) = default;
};

// Bytes that do not change any more, shared by the log, messages and effects. Copies are cheap.
class Payload {
 public:
  Payload() = default;
  explicit Payload(std::vector<std::byte> bytes)
      : bytes_(std::make_shared<const std::vector<std::byte>>(std::move(bytes))) {}
  explicit Payload(std::string_view text)
      : Payload(std::vector<std::byte>(as_bytes(text).begin(), as_bytes(text).end())) {}

  [[nodiscard]] inline ByteView bytes() const { return bytes_ ? ByteView(*bytes_) : ByteView(); }
  [[nodiscard]] inline std::size_t size() const { return bytes_ ? bytes_->size() : 0; }

  friend bool operator==(const Payload& left, const Payload& right) {
    return left.bytes_ == right.bytes_ || as_text(left.bytes()) == as_text(right.bytes());
  }

 private:
  std::shared_ptr<const std::vector<std::byte>> bytes_;
};

enum class EntryKind : std::uint8_t {
  command = 0,     // for the state machine
  membership = 1,  // the members from here on; see Membership
  leader = 2,      // the first of a term, empty: with it all before is committed
};

struct Entry {
  LogIndex index;
  Term term;
  EntryKind kind = EntryKind::command;
  Payload data{};

  [[nodiscard]] LogPosition position() const { return {index, term}; }
  friend bool operator==(const Entry&, const Entry&) = default;
};

// What an entry counts against limits on bytes: its data and what surrounds it.
inline constexpr std::size_t entry_overhead_bytes = 32;
[[nodiscard]] inline std::size_t bytes_of(const Entry& entry) {
  return entry.data.size() + entry_overhead_bytes;
}

enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };

[[nodiscard]] constexpr std::string_view name_of(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
      return "pre-candidate";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
  }
  return "unknown";
}

}  // namespace millrace::raft
