#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

import millrace.base;
import millrace.runtime;
import millrace.runtime.process;
import millrace.runtime.streams;
import millrace.telemetry;

namespace millrace {
namespace {

using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view scrape = "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n";

class Silent final : public LogSink {
 public:
  void write(LogLevel, std::string_view, std::string_view) override {}
};

// A server and those who ask it, on a network that splits and delays.
class MetricsServerTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  [[nodiscard]] SocketAddress at() const {
    return address_from_string("127.0.0.1", Port(9644)).value();
  }

  Task<std::string> ask(std::string_view request) {
    auto stream = co_await network_.connect(at());
    EXPECT_TRUE(stream.has_value());
    if (!stream) co_return "";
    const ByteView piece = std::as_bytes(std::span(request.data(), request.size()));
    EXPECT_TRUE((co_await (*stream)->write(std::span(&piece, 1))).has_value());
    std::string answer;
    std::array<std::byte, 1000> buffer{};
    for (;;) {
      const auto count = co_await (*stream)->read(buffer);
      if (!count || *count == 0) break;
      for (std::size_t i = 0; i < *count; ++i) answer.push_back(static_cast<char>(buffer[i]));
    }
    (*stream)->close();
    co_return answer;
  }
  Task<std::string> ask_and_stop(std::string_view request) {
    std::string answer = co_await ask(request);
    co_await server_.stop();
    co_return answer;
  }
  std::string answer_to(std::string_view request) {
    EXPECT_TRUE(server_.start(at()).has_value());
    return executor_.run(ask_and_stop(request)).value();
  }

  SimulatedExecutor executor_{GetParam()};
  SimulatedNetwork network_{executor_, {.seed = GetParam()}};
  telemetry::Registry registry_{1};
  MetricsServer server_{executor_, network_, registry_, telemetry::ShardIndex(0),
                        Logger(std::make_shared<Silent>(), "test")};
};

TEST_P(MetricsServerTest, shows_the_metrics_of_the_process) {
  const std::string answer = answer_to(scrape);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer, HasSubstr("\nprocess_resident_memory_bytes "));
  EXPECT_THAT(answer, EndsWith("\n"));
}

TEST_P(MetricsServerTest, shows_more_than_fits_into_one_slice) {
  const auto family = registry_.add<telemetry::Counter>(
      {.name = "test_total", .help = "For a test.", .labels = {"number"}});
  ASSERT_TRUE(family.has_value());
  std::vector<telemetry::Counter> counters;
  for (int i = 0; i < 900; ++i) {
    counters.push_back(family->of(telemetry::ShardIndex(0), {std::to_string(i)}));
  }
  const std::string answer = answer_to(scrape);
  EXPECT_GT(answer.size(), scrape_slice_bytes);
  EXPECT_THAT(answer, HasSubstr("\ntest_total{number=\"899\"} 0\n"));
  EXPECT_THAT(answer, HasSubstr("\nprocess_resident_memory_bytes "));
}

TEST_P(MetricsServerTest, refuses_other_paths_and_methods) {
  EXPECT_THAT(answer_to("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
}

TEST_P(MetricsServerTest, ends_what_never_becomes_a_request) {
  const std::string endless(3 * scrape_request_bytes_max, 'x');
  const std::string answer = answer_to(endless);
  // What was sent and not read may break the connection before the answer is read.
  EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 400 ")) << answer;
}

// Whoever says nothing is left alone until the deadline, and others are served meanwhile.
TEST_P(MetricsServerTest, serves_beside_those_who_say_nothing) {
  ASSERT_TRUE(server_.start(at()).has_value());
  const auto all = [this]() -> Task<std::string> {
    auto silent = co_await network_.connect(at());
    EXPECT_TRUE(silent.has_value());
    std::string answer = co_await ask(scrape);
    std::array<std::byte, 1> buffer{};
    const auto ended = co_await (*silent)->read(buffer);
    EXPECT_TRUE(!ended || *ended == 0) << "it is turned away in the end";
    (*silent)->close();
    co_await server_.stop();
    co_return answer;
  };
  EXPECT_THAT(executor_.run(all()).value(), StartsWith("HTTP/1.1 200 "));
}

TEST_P(MetricsServerTest, stops_with_a_scrape_under_way) {
  ASSERT_TRUE(server_.start(at()).has_value());
  const auto all = [this]() -> Task<bool> {
    auto silent = co_await network_.connect(at());
    co_await sleep_until(executor_, executor_.clock().now() + seconds(1));
    co_await server_.stop();
    (*silent)->close();
    co_return true;
  };
  EXPECT_TRUE(executor_.run(all()).value());
}

INSTANTIATE_TEST_SUITE_P(Seeds, MetricsServerTest, testing::Range<std::uint64_t>(0, 20));

TEST(ScrapeStatus, knows_what_is_asked_for) {
  EXPECT_EQ(scrape_status(scrape), 200);
  EXPECT_EQ(scrape_status("GET /metrics?name[]=x HTTP/1.0\r\n\r\n"), 200);
  EXPECT_EQ(scrape_status("GET /metricsx HTTP/1.1\r\n\r\n"), 404);
  EXPECT_EQ(scrape_status("POST /metrics HTTP/1.1\r\n\r\n"), 405);
  for (const std::string_view bad :
       {"", "GET", "GET /metrics", "GET /metrics HTTP/2\r\n", "\r\n"}) {
    EXPECT_EQ(scrape_status(bad), 400) << bad;
  }
}

}  // namespace
}  // namespace millrace
