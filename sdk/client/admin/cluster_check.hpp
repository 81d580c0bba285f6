// What the checks against a real cluster share. Included last: it imports.
#pragma once
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

import millrace.base;
import millrace.client.admin;
import millrace.client.core;
import millrace.protocol.api;
import millrace.runtime;

namespace millrace::client {

// Counts what is not as it should be, and says it.
class Expectations {
 public:
  [[nodiscard]] int failures() const { return failures_; }

 protected:
  void expect(bool holds, std::string_view what) {
    if (holds) return;
    ++failures_;
    std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  }
  template <class T>
  void expect(const ClientResult<T>& result, std::string_view what) {
    expect(result.has_value(),
           result ? std::string() : formatted("{}: {}", what, to_string(result.error())));
  }
  template <class T>
  void expect(const ClientResult<T>& result, std::string_view what, ErrorCode code) {
    const ErrorCode got = result ? ErrorCode::none : result.error().code;
    expect(got == code, formatted("{}: {} instead of {}", what,
                                  result ? std::string("done") : to_string(result.error()),
                                  protocol::name_of(code)));
  }
  template <class Key, class Value>
  void expect(const Outcomes<Key, Value>& outcomes, std::string_view what,
              const std::vector<ErrorCode>& codes) {
    expect(outcomes.size() == codes.size(), formatted("{}: other outcomes than items", what));
    for (std::size_t i = 0; i < std::min(outcomes.size(), codes.size()); ++i) {
      expect(outcomes[i].second, formatted("{} [{}]", what, i), codes[i]);
    }
  }

  // By minutes: what a broker has been told counts a moment later on the broker that is asked.
  // `last` is then why it did not hold.
  template <class IsSo>
  Task<void> wait_until(Executor& executor, IsSo is_so, std::string_view what,
                        const std::string& last) {
    constexpr int tries_max = 3'600;
    constexpr Duration pause = std::chrono::milliseconds{50};
    for (int tries = 0; tries < tries_max; ++tries) {
      if (co_await is_so()) co_return;
      co_await sleep_until(executor, executor.clock().now() + pause);
    }
    expect(false, formatted("{}: {}", what, last));
  }

 private:
  int failures_ = 0;
};

// What operators do on Apache Kafka with an authoriser, on a topic that is there. Gives how much
// went wrong.
[[nodiscard]] Task<int> check_operations(AdminClient& admin, Executor& executor,
                                         const std::string& topic);
// What a controller of Apache Kafka is asked, of a cluster of one node.
[[nodiscard]] Task<int> check_controllers(AdminClient& admin);
// On a broker that collects metrics of clients.
[[nodiscard]] Task<int> check_telemetry(AdminClient& admin);
// Of an application of Kafka Streams on Apache Kafka, that runs or has ended.
[[nodiscard]] Task<int> check_streams(AdminClient& admin, Executor& executor, bool has_ended);
// On a broker that offers none of that: each call says so.
[[nodiscard]] Task<int> check_refusals(AdminClient& admin);

}  // namespace millrace::client
