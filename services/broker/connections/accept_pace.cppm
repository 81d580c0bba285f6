// How fast connections are taken.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

export module millrace.broker.connections:accept_pace;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;
import :options;

export namespace millrace::broker {

// max.connection.creation.rate, of the broker and of each listener: so many connections in a second
// at once, and then one after the other. Who comes faster waits in the system's queue, and is not
// refused. Counts nothing and looks at no clock; lives with the listeners.
class AcceptPace {
 public:
  explicit AcceptPace(const ListenersPlan& plan)
      : broker_(plan.connections_per_second_max), of_listener_(plan.listeners.size()) {
    set(plan);
  }

  // What was taken counts on.
  void set(const ListenersPlan& plan);
  // When the next connection may be taken: now or earlier, later, or no_deadline for never.
  [[nodiscard]] MonotonicTime next(std::size_t listener) const;
  void took(std::size_t listener, MonotonicTime now);

 private:
  struct Rate {
    explicit Rate(std::uint32_t per_second = 0) : per_second_max(per_second) {}
    [[nodiscard]] MonotonicTime next() const;
    void took(MonotonicTime now);

    std::uint32_t per_second_max;
    MonotonicTime paid_until{};  // each connection takes its share of a second
  };

  Rate broker_;
  std::vector<Rate> of_listener_;
};

}  // namespace millrace::broker
