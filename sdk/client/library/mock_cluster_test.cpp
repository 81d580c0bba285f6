// The shared cluster of the tests, and that it is what they need.
#include "mock_cluster.hpp"

#include <gtest/gtest.h>

#include <coroutine>
#include <memory>
#include <string>
#include <utility>

import millrace.client.core;
import millrace.mock;

struct MockCluster::Insides {
  template <class Work>
  auto on_thread(Work work) {
    return thread.run([&]() -> millrace::Task<decltype(work())> { co_return work(); });
  }

  millrace::client::ClientThread thread{
      "mock", millrace::Logger(std::make_shared<millrace::MemoryLogSink>(), "mock")};
  std::unique_ptr<millrace::mock::Cluster> cluster;
};

MockCluster::MockCluster() : insides_(std::make_unique<Insides>()) {
  const bool is_started = insides_->thread.start().has_value();
  millrace::check(is_started, "the thread of the mock starts");
  bootstrap_ = insides_->on_thread([&] {
    auto& thread = insides_->thread;
    auto started = millrace::mock::Cluster::start(thread.executor(), thread.network(), {});
    millrace::check(started.has_value(), "the mock listens");
    insides_->cluster = *std::move(started);
    return insides_->cluster->bootstrap();
  });
}

MockCluster::~MockCluster() {
  insides_->thread.run([this]() -> millrace::Task<void> {
    co_await insides_->cluster->close();
    insides_->cluster.reset();
  });
}

void MockCluster::create_topic(std::string_view name, int partitions) {
  millrace::check(insides_->on_thread([&] {
    return insides_->cluster->create_topic(name, {.partitions = partitions}).has_value();
  }),
                  "the mock takes a topic");
}

std::vector<MockCluster::Stored> MockCluster::records(std::string_view topic, int partition) {
  return insides_->on_thread([&] {
    std::vector<Stored> found;
    const auto stored = insides_->cluster->records(topic, millrace::PartitionIndex(partition));
    millrace::check(stored.has_value(), "the mock has the partition");
    for (const auto& record : *stored) {
      Stored& into = found.emplace_back();
      into.key = record.key.value_or("null");
      into.value = record.value.value_or("null");
      for (const auto& [key, value] : record.headers)
        into.headers.push_back(key + "=" + value.value_or("null"));
    }
    return found;
  });
}

void MockCluster::refuse_produce(int error_code, unsigned times) {
  insides_->on_thread([&] {
    insides_->cluster->fail_next(millrace::protocol::ApiKey::produce,
                                 static_cast<millrace::protocol::ErrorCode>(error_code), times);
    return true;
  });
}

void MockCluster::silence_produce() {
  insides_->on_thread([&] {
    insides_->cluster->inject({.api = millrace::protocol::ApiKey::produce,
                               .kind = millrace::mock::FaultKind::silence,
                               .times = millrace::mock::always});
    return true;
  });
}

TEST(MockCluster, has_topics_without_records) {
  MockCluster cluster;
  cluster.create_topic("orders", 2);
  EXPECT_TRUE(cluster.records("orders", 1).empty());
  EXPECT_NE(cluster.bootstrap().find("127.0.0.1:"), std::string::npos);
}
