#include <gtest/gtest.h>

#include <fstream>
#include <string>

import millrace.base;

namespace millrace {
namespace {

// From Kafka's own definitions: the columns begin with set, name, type and default.
std::string default_of(const std::string& name) {
  const std::string path =
      std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/data/kafka_configs.tsv";
  std::ifstream in(path);
  EXPECT_TRUE(in.is_open()) << path;
  const std::string start = "broker\t" + name + "\tINT\t";
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(start)) {
      return line.substr(start.size(), line.find('\t', start.size()) - start.size());
    }
  }
  return "not defined";
}

TEST(Limits, defaults_are_those_of_kafka) {
  EXPECT_EQ(default_of("socket.request.max.bytes"),
            std::to_string(socket_request_bytes_max_default));
  EXPECT_EQ(default_of("message.max.bytes"), std::to_string(message_bytes_max_default));
}

}  // namespace
}  // namespace millrace
