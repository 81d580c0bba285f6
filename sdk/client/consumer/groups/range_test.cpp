// Ranges and turns as Apache Kafka gives them, by a table that Kafka made: see golden/README.md.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;

namespace millrace::client {
namespace {

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  if (text == "-") return parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, by);) parts.push_back(part);
  return parts;
}

std::optional<std::string> optional_text(const std::string& text) {
  if (text == "-") return std::nullopt;
  return text;
}

Partitions partitions_from(const std::string& text) {
  Partitions partitions;
  for (const std::string& one : split(text, ',')) {
    const auto dash = one.rfind('-');
    partitions.push_back({one.substr(0, dash), PartitionIndex(static_cast<std::int32_t>(
                                                   std::stoi(one.substr(dash + 1))))});
  }
  return partitions;
}

struct Golden {
  std::string name;
  std::vector<AssignableTopic> topics;
  std::vector<Subscriber> members;
  Assignments range;
  Assignments round_robin;
};

void read_line(const std::string& line, std::vector<Golden>& cases) {
  std::istringstream words(line);
  std::string kind;
  std::string name;
  words >> kind >> name;
  if (kind == "case") {
    cases.emplace_back().name = name;
  } else if (kind == "topic") {
    AssignableTopic topic;
    std::string racks;
    words >> topic.partitions >> racks;
    topic.name = name;
    for (const std::string& partition : split(racks, ';')) {
      topic.racks.push_back(split(partition, ','));
    }
    cases.back().topics.push_back(topic);
  } else if (kind == "member") {
    std::string instance;
    std::string rack;
    std::string topics;
    words >> instance >> rack >> topics;
    Subscriber member;
    member.member_id = name;
    member.instance_id = optional_text(instance);
    member.rack = optional_text(rack);
    member.topics = split(topics, ',');
    cases.back().members.push_back(member);
  } else {
    std::string partitions;
    words >> partitions;
    auto& expected = kind == "range" ? cases.back().range : cases.back().round_robin;
    expected[name] = partitions_from(partitions);
  }
}

std::vector<Golden> golden_cases() {
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) +
                     "/sdk/client/consumer/groups/golden/assignments.txt");
  EXPECT_TRUE(file.is_open());
  std::vector<Golden> cases;
  for (std::string line; std::getline(file, line);) read_line(line, cases);
  return cases;
}

TEST(RangeAssignor, gives_what_kafka_gives_with_and_without_racks) {
  const auto cases = golden_cases();
  EXPECT_EQ(cases.size(), 150u);
  for (const Golden& golden : cases) {
    EXPECT_EQ(assign(AssignorKind::range, golden.topics, golden.members), golden.range)
        << "case " << golden.name;
  }
}

TEST(RoundRobinAssignor, gives_what_kafka_gives) {
  for (const Golden& golden : golden_cases()) {
    EXPECT_EQ(assign(AssignorKind::round_robin, golden.topics, golden.members), golden.round_robin)
        << "case " << golden.name;
  }
}

}  // namespace
}  // namespace millrace::client
