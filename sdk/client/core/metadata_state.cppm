// What Metadata keeps and how it asks. Inside this module only.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.client.core:metadata_state;

import millrace.base;
import millrace.protocol.metadata;
import millrace.runtime;
import millrace.runtime.streams;
import :backoff;
import :brokers;
import :cluster_view;
import :error;
import :metadata;
import :settings;
import :wait_list;

namespace millrace::client {

using protocol::MetadataRequest;
using protocol::MetadataResponse;

// After a failure nothing is asked for so long, whatever retry.backoff.ms is.
inline constexpr Duration pause_after_failure_min = std::chrono::milliseconds{10};

// Belongs to the thread of its executor, but for current().
struct Metadata::State {
  State(Executor& e, Brokers& b, const CommonSettings& s, MetadataOptions o, const Logger& l,
        Random random)
      : executor(e),
        brokers(b),
        settings(s),
        options(o),
        logger(l, e.clock()),
        pace(s.retry_range(), random),
        view(std::make_shared<ClusterView>()),
        ended(e),
        wake(e) {}

  // What one request asks for.
  struct Question {
    bool is_full = false;  // of all that is wanted, not only of what is new
    bool is_for_all = false;
    std::vector<std::string> topics;
    std::uint64_t number = 0;
    std::uint64_t want_generation = 0;
  };
  // Inside a call of a user, for close() to wait for.
  struct Caller {
    explicit Caller(State& s) : state(s) { ++state.callers; }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    ~Caller() { --state.callers; }
    State& state;
  };

  [[nodiscard]] MonotonicTime now() const { return executor.clock().now(); }
  [[nodiscard]] std::shared_ptr<const ClusterView> current() const {
    const std::lock_guard lock(view_mutex);
    return view;
  }
  void publish(std::shared_ptr<ClusterView> changed);

  void start() {
    if (is_started || is_closing) return;
    is_started = true;
    tasks.start(run());
  }
  void nudge() {
    start();
    wake.set();
  }

  // When the next request is due; no_deadline: not before something changes.
  [[nodiscard]] MonotonicTime due() const;

  Task<void> run();

  [[nodiscard]] Question question();
  void forget_idle();

  Task<void> ask();

  void note_success(const Question& asked);
  void note_failure(const Question& asked, const ClientError& error);

  [[nodiscard]] ClientResult<void> apply(const Question& asked, const MetadataResponse& answer,
                                         BrokerId from);
  // Whether anything is new.
  bool take_topics(const Question& asked, const MetadataResponse& answer, const ClusterView& before,
                   ClusterView& picture);
  void tell_brokers(const ClusterView& picture);

  void want(std::string_view topic);
  void invalidate() {
    is_invalid = true;
    nudge();
  }
  // Whether a question about the topic is under way or will be asked soon.
  [[nodiscard]] bool is_asked(std::string_view topic) const;
  // A failure after that question that no other try mends.
  [[nodiscard]] bool has_failed_for_good(std::uint64_t after) const {
    return last_failed > after && last_error && !last_error->retriable;
  }
  [[nodiscard]] ClientError closed() const {
    return client_error(Failure::closed, "the client is closed");
  }
  // Why something did not come about until its deadline.
  [[nodiscard]] ClientError late(Failure kind, std::string sentence) const;

  Executor& executor;
  Brokers& brokers;
  const CommonSettings settings;
  const MetadataOptions options;
  LimitedLogger logger;
  Backoff pace;
  mutable std::mutex view_mutex;
  std::shared_ptr<const ClusterView> view;
  std::vector<Changed> listeners;

  std::map<std::string, MonotonicTime, std::less<>> wanted;  // and when last
  std::set<std::string, std::less<>> fresh;                  // wanted, and not asked for yet
  bool is_all_wanted = false;
  std::uint64_t want_generation = 0;
  // What was known before a topic had an error.
  std::map<std::string, std::shared_ptr<const TopicView>, std::less<>> last_good;

  bool is_started = false;
  bool is_closing = false;
  bool is_refresh_asked = false;
  bool is_invalid = false;
  std::optional<Question> under_way;
  std::uint64_t last_question = 0;
  std::uint64_t full_success = 0;
  std::uint64_t last_failed = 0;
  std::uint32_t failures = 0;
  std::optional<ClientError> last_error;
  MonotonicTime succeeded_at{};
  MonotonicTime not_before{};        // after failures
  MonotonicTime not_again_before{};  // of what was only said to be wrong
  std::size_t callers = 0;
  WaitList ended;
  AsyncSignal wake;
  TaskGroup tasks;
};

}  // namespace millrace::client
