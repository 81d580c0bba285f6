module;
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/config.hpp"
#include "millrace/metrics.hpp"
#include "millrace/options.hpp"
#include "millrace/result.hpp"

module millrace.client.bridge;

import millrace.base;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {

namespace {

v1::Origin origin_of(Failure failure) {
  switch (failure) {
    case Failure::broker_said:
    case Failure::unknown_topic:
    case Failure::fenced:
    case Failure::not_in_group:
      return v1::Origin::broker;
    case Failure::timed_out:
      return v1::Origin::timeout;
    case Failure::disconnected:
    case Failure::unresolved_address:
    case Failure::malformed_answer:
    case Failure::unsupported_version:
    case Failure::unknown_broker:
      return v1::Origin::network;
    case Failure::bad_argument:
      return v1::Origin::configuration;
    case Failure::closed:
    case Failure::buffer_full:
    case Failure::record_too_large:
    case Failure::aborted:
    case Failure::wakened:
      return v1::Origin::client;
  }
  check(false, "a failure is one of its enumeration");
  return v1::Origin::client;
}

v1::Persisted persisted_of(Persistence persistence) {
  switch (persistence) {
    case Persistence::not_persisted:
      return v1::Persisted::no;
    case Persistence::persisted:
      return v1::Persisted::yes;
    case Persistence::unknown:
      return v1::Persisted::unknown;
  }
  check(false, "persistence is one of its enumeration");
  return v1::Persisted::unknown;
}

std::atomic<std::uint64_t>& forks_of_this_process() {
  static std::atomic<std::uint64_t> forks = 0;
  // For each record that is sent a call to the system would be dear.
  static const int watched = ::pthread_atfork(nullptr, nullptr, [] { ++forks_of_this_process(); });
  check(watched == 0, "forks can be watched");
  return forks;
}

// The name alone would also be that of the public type.
using LineLevel = decltype(MemoryLogSink::Line::level);

// Gives the lines to a function of the application.
class HandlerSink final : public LogSink {
 public:
  explicit HandlerSink(v1::LogHandler handler) : handler_(std::move(handler)) {}

  void write(LineLevel level, std::string_view component, std::string_view message) override {
    handler_(static_cast<v1::LogLevel>(level), component, message);
  }

 private:
  v1::LogHandler handler_;
};

v1::Error::Details details_of(const ClientError& error) {
  // A closed client has no code of Kafka's, and an error without one would look like success.
  const auto code = error.code == ErrorCode::none ? ErrorCode::unknown_server_error : error.code;
  return {.code = static_cast<v1::ErrorCode>(code),
          .origin = origin_of(error.failure),
          .is_retriable = error.retriable,
          .is_fatal = error.fatal,
          .needs_abort = error.needs_abort,
          .persisted = persisted_of(error.persistence),
          .broker = error.broker.value()};
}

}  // namespace

v1::Error public_error(const ClientError& error) {
  return v1::Error(details_of(error), to_string(error));
}

v1::Error public_delivery_error(const ClientError& error) {
  return v1::Error(details_of(error), error.message);
}

v1::Error settings_error(std::string_view whose, const SettingsProblems& problems) {
  std::string message = "the settings of the " + std::string(whose) + " cannot be: ";
  bool is_first = true;
  for (const std::string& problem : problems) {
    if (!std::exchange(is_first, false)) message += "; ";
    message += problem;
  }
  return v1::Error({.code = v1::ErrorCode::invalid_config,
                    .origin = v1::Origin::configuration,
                    .is_fatal = true},
                   std::move(message));
}

Properties properties_of(const v1::Config& config) {
  return config.entries();
}

Logger logger_for(const v1::ClientOptions& options, std::string_view component) {
  std::shared_ptr<LogSink> sink;
  if (options.log)
    sink = std::make_shared<HandlerSink>(options.log);
  else
    sink = make_stderr_log_sink(LogFormat::plain);
  sink->set_threshold(static_cast<LineLevel>(options.log_level));
  return Logger(std::move(sink), component);
}

v1::Metrics public_metrics(MetricList list) {
  v1::Metrics metrics;
  for (MetricRow& row : list.take())
    metrics.push_back({std::move(row.name), std::move(row.group), std::move(row.description),
                       std::move(row.tags), row.value});
  return metrics;
}

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

MonotonicTime deadline_after(const Clock& clock, std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 365);
  return clock.now() + std::clamp(time, std::chrono::milliseconds::zero(), longest);
}

ClientHost::ClientHost(std::string name, const v1::ClientOptions& options)
    : forks_(forks_of_this_process()),
      logger_(logger_for(options, name)),
      events_(options.events),
      thread_(std::move(name), logger_) {}

ClientHost::~ClientHost() {
  // At the fork some may have run, of which nobody hears any more.
  if (cannot_ask()) static_cast<void>(tasks_.release());
}

ClientResult<void> ClientHost::start() {
  const auto started = thread_.start();
  if (!started) return failure(client_error(Failure::closed, started.error().message));
  return {};
}

std::optional<ClientError> ClientHost::cannot_ask() const {
  if (forks_of_this_process() == forks_) return std::nullopt;
  return client_error(Failure::closed,
                      "this process was forked off the one that made the client: its thread is "
                      "not here; make another client");
}

std::optional<ClientError> ClientHost::cannot_wait() const {
  if (thread_.is_own_thread())
    return client_error(Failure::bad_argument,
                        "called on the client's own thread, which would wait for itself");
  return cannot_ask();
}

void ClientHost::wait_for_all() {
  if (cannot_wait()) return;
  thread_.run([this]() -> Task<void> { co_await tasks_->wait(); });
}

}  // namespace millrace::client
