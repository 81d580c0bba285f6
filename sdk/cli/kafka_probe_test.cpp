#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

import millrace.cli;

namespace millrace::cli {
namespace {

using testing::HasSubstr;

std::string text_of(const std::vector<std::byte>& bytes) {
  return std::string(as_text(bytes));
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

using std::string_literals::operator""s;

TEST(KafkaProbe, asks_as_kafka_clients_do) {
  EXPECT_EQ(text_of(api_versions_request(7)),
            "\0\0\0\x18\0\x12\0\0\0\0\0\x07\0\x0emillrace-local"s);
  EXPECT_EQ(text_of(metadata_request(1)),
            "\0\0\0\x1c\0\x03\0\x01\0\0\0\x01\0\x0emillrace-local\0\0\0\0"s);
  EXPECT_EQ(text_of(find_coordinator_request(2, "ab")),
            "\0\0\0\x1c\0\x0a\0\0\0\0\0\x02\0\x0emillrace-local\0\x02"s + "ab");
  EXPECT_EQ(text_of(describe_groups_request(3, "ab")),
            "\0\0\0\x20\0\x0f\0\0\0\0\0\x03\0\x0emillrace-local\0\0\0\x01\0\x02"s + "ab");
  EXPECT_EQ(text_of(list_groups_request(4)),
            "\0\0\0\x20\0\x10\0\x04\0\0\0\x04\0\x0emillrace-local\0\x02\x05"s + "Dead\0"s);
}

TEST(KafkaProbe, understands_answers) {
  EXPECT_TRUE(check_api_versions(bytes_of("\0\0\0\0\0\x01\0\x12\0\0\0\x04"s)));
  EXPECT_EQ(brokers_in_metadata(bytes_of("\0\0\0\x03"s)).value(), 3);
  const auto place =
      place_in_find_coordinator(bytes_of("\0\0\0\0\0\x01\0\x09"s + "127.0.0.1" + "\0\0\x23\x84"s))
          .value();
  EXPECT_EQ(place.host, "127.0.0.1");
  EXPECT_EQ(place.port, 9092);
  EXPECT_TRUE(check_describe_groups(bytes_of("\0\0\0\x01\0\0\0\x02"s + "ab")));
  EXPECT_TRUE(check_list_groups(bytes_of("\0\0\0\0\0\0\0\x01\0"s)));
}

TEST(KafkaProbe, says_which_error_was_answered) {
  EXPECT_THAT(check_api_versions(bytes_of("\0\x23\0\0\0\x01"s)).error().message,
              HasSubstr("ApiVersions answers error 35"));
  EXPECT_THAT(
      place_in_find_coordinator(bytes_of("\0\x0f\0\0\0\0\0\0\xff\xff\xff\xff"s)).error().message,
      HasSubstr("FindCoordinator answers error 15"));
  EXPECT_THAT(check_describe_groups(bytes_of("\0\0\0\x01\0\x0e"s)).error().message,
              HasSubstr("DescribeGroups answers error 14"));
  EXPECT_THAT(check_list_groups(bytes_of("\0\0\0\0\0\0\x0e\x01\0"s)).error().message,
              HasSubstr("still loads groups"));
  EXPECT_THAT(check_list_groups(bytes_of("\0\0\0\0\0\0\x0f\x01\0"s)).error().message,
              HasSubstr("ListGroups answers error 15"));
}

TEST(KafkaProbe, refuses_answers_that_end_too_early) {
  const std::string whole = "\0\0\0\0\0\x01\0\x09"s + "127.0.0.1" + "\0\0\x23\x84"s;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(place_in_find_coordinator(bytes_of(whole.substr(0, size)))) << size;
  }
  EXPECT_FALSE(check_api_versions({}));
  EXPECT_FALSE(check_api_versions(bytes_of("\0\0\0\0\0\0"s))) << "no API";
  EXPECT_FALSE(brokers_in_metadata(bytes_of("\0\0"s)));
  EXPECT_FALSE(brokers_in_metadata(bytes_of("\xff\xff\xff\xff"s)));
  EXPECT_FALSE(check_describe_groups(bytes_of("\0\0\0\0\0\0"s)));
  EXPECT_FALSE(check_list_groups(bytes_of("\0\0\0\0\0\0"s)));
}

}  // namespace
}  // namespace millrace::cli
