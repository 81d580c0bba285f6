// What connections measure, and what docs/metrics.md says of it.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <fstream>
#include <string>

#include "../../../modules/telemetry/documented.hpp"
#include "connection_machine.hpp"

namespace millrace::broker {
namespace {

TEST(ConnectionMetrics, are_those_of_the_documentation) {
  telemetry::Registry registry(1);
  const auto metrics = ConnectionMetrics::create(registry, ShardIndex(0));
  ASSERT_TRUE(metrics.has_value());
  ASSERT_TRUE(registry.add<telemetry::Counter>(refused_connections_definition()).has_value());
  EXPECT_EQ(telemetry::documented_rows(registry), 9U);
}

TEST(ConnectionMetrics, tell_of_requests_bytes_and_ends) {
  ConnectionMachine machine;
  machine.handler.delay = [](const RequestContext&) -> Duration {
    return std::chrono::milliseconds(30);
  };
  std::size_t sent = 0;
  machine.run([](ConnectionMachine& m, std::size_t& bytes) -> Task<void> {
    const auto stream = co_await m.connect();
    for (std::int32_t i = 0; i < 3; ++i) {
      const auto request = heartbeat_bytes(i);
      bytes += request.size();
      EXPECT_TRUE(co_await send_bytes(*stream, request));
      EXPECT_EQ(co_await receive_correlation(*stream), i);
    }
    co_await sleep_until(m.executor, m.executor.clock().now() + std::chrono::seconds(1));
    EXPECT_NE(telemetry::exposition_text(m.registry).find("millrace_connections 1\n"),
              std::string::npos);
    stream->close();
    co_await sleep_until(m.executor, m.executor.clock().now() + std::chrono::seconds(1));
  }(machine, sent));
  const std::string text = telemetry::exposition_text(machine.registry);
  for (const std::string& line :
       {std::string("millrace_connections 0\n"),
        std::string("millrace_connections_accepted_total 1\n"),
        std::string("millrace_connections_closed_total{reason=\"peer\"} 1\n"),
        std::string("millrace_connections_closed_total{reason=\"bad_input\"} 0\n"),
        std::string("millrace_requests_total{api=\"Heartbeat\"} 3\n"),
        std::string("millrace_request_phase_seconds_bucket{api=\"Heartbeat\",phase=\"handle\","
                    "le=\"0.02\"} 0\n"),
        std::string("millrace_request_phase_seconds_count{api=\"Heartbeat\",phase=\"handle\"} 3\n"),
        std::string("millrace_request_phase_seconds_count{api=\"Heartbeat\",phase=\"send\"} 3\n"),
        "millrace_connections_received_bytes_total " + std::to_string(sent) + "\n",
        "millrace_connections_sent_bytes_total " + std::to_string(3 * answer_bytes) + "\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

}  // namespace
}  // namespace millrace::broker
