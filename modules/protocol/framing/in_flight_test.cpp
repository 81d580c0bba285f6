#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

import millrace.protocol.framing;

namespace millrace::protocol {
namespace {

TEST(RequestsInFlight, answers_belong_to_requests_in_their_order) {
  RequestsInFlight requests(5);
  const auto first = requests.begin(ApiKey::produce, 9);
  const auto second = requests.begin(ApiKey::fetch, 16);
  ASSERT_TRUE(first && second);
  const auto answer = requests.finish(*first);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->api, ApiKey::produce);
  EXPECT_EQ(answer->version, 9);
  EXPECT_EQ(requests.finish(*second)->api, ApiKey::fetch);
  EXPECT_EQ(requests.size(), 0u);
}

TEST(RequestsInFlight, an_answer_out_of_order_is_an_error_that_names_both_numbers) {
  RequestsInFlight requests(5);
  static_cast<void>(requests.begin(ApiKey::produce, 9));
  const auto second = requests.begin(ApiKey::produce, 9);
  const auto answer = requests.finish(*second);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().message, "response number 1 came where 0 was awaited");
  EXPECT_EQ(requests.size(), 2u);
}

TEST(RequestsInFlight, an_answer_that_nobody_awaits_is_an_error) {
  RequestsInFlight requests(5);
  EXPECT_FALSE(requests.finish(CorrelationId(0)).has_value());
}

TEST(RequestsInFlight, takes_no_more_than_its_limit) {
  RequestsInFlight requests(2);
  const auto first = requests.begin(ApiKey::produce, 9);
  static_cast<void>(requests.begin(ApiKey::produce, 9));
  EXPECT_TRUE(requests.full());
  EXPECT_EQ(requests.begin(ApiKey::produce, 9), std::nullopt);
  ASSERT_TRUE(requests.finish(*first).has_value());
  EXPECT_EQ(requests.begin(ApiKey::produce, 9), CorrelationId(2));
}

TEST(RequestsInFlight, a_request_without_answer_takes_a_number_and_no_place) {
  RequestsInFlight requests(1);
  EXPECT_EQ(requests.begin_without_response(), CorrelationId(0));
  const auto next = requests.begin(ApiKey::metadata, 12);
  EXPECT_EQ(next, CorrelationId(1));
  EXPECT_TRUE(requests.finish(*next).has_value());
}

TEST(RequestsInFlight, gives_up_the_oldest_first_when_the_connection_breaks) {
  RequestsInFlight requests(3);
  static_cast<void>(requests.begin(ApiKey::produce, 9));
  static_cast<void>(requests.begin(ApiKey::fetch, 16));
  EXPECT_EQ(requests.abandon_oldest()->api, ApiKey::produce);
  EXPECT_EQ(requests.abandon_oldest()->api, ApiKey::fetch);
  EXPECT_FALSE(requests.abandon_oldest().has_value());
}

}  // namespace
}  // namespace millrace::protocol
