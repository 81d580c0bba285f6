// When something is due that no request brings.
module;
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

export module millrace.groups:timers;

import millrace.base;

export namespace millrace::groups {

enum class TimerKind : std::uint8_t {
  expiry,  // the search for expired offsets goes on; belongs to no group
  join,    // members have had their time to join
  sync,    // members have had their time to fetch their assignment
  member,  // a session ends
};

struct TimerKey {
  std::string group;
  TimerKind kind = TimerKind::expiry;
  std::string member;  // for sessions only

  friend auto operator<=>(const TimerKey&, const TimerKey&) = default;
};

// The timers of one state partition, each set at most once. Those of the same time are due in the
// order in which they were set, so that the same events have the same effects. Belongs to its
// coordinator; cannot fail.
class Timers {
 public:
  Timers() = default;
  Timers(Timers&&) = default;
  Timers& operator=(Timers&&) = default;

  void set(const TimerKey& key, MonotonicTime at);
  void cancel(const TimerKey& key);
  void cancel_all_of(std::string_view group);
  [[nodiscard]] bool is_set(const TimerKey& key) const { return by_key_.contains(key); }
  [[nodiscard]] std::size_t size() const { return by_key_.size(); }
  [[nodiscard]] std::optional<MonotonicTime> next() const;
  // Takes out the one that is due first, if one is due.
  [[nodiscard]] std::optional<TimerKey> take_due(MonotonicTime now);

 private:
  struct Place {
    MonotonicTime at;
    std::uint64_t order = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  using ByKey = std::map<TimerKey, Place>;

  ByKey by_key_;
  std::map<Place, ByKey::iterator> by_time_;
  std::uint64_t order_ = 0;
};

}  // namespace millrace::groups
