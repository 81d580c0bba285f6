module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.partitions.data;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.protocol.admin;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.security;
import millrace.storage.manager;
import :arena_lease;
import :data_requests;

// DescribeLogDirs.
namespace millrace::broker {

namespace {

using Message = protocol::DescribeLogDirsRequest;
using Answer = protocol::DescribeLogDirsResponse;
using Logs = std::vector<storage::LogDescription>;

// What the request asks for; all, if it says so.
class Asked {
 public:
  explicit Asked(const Message& message) : all_(message.topics.is_null()) {
    for (const auto& topic : message.topics) {
      auto& partitions = topics_[topic.topic];
      partitions.insert(topic.partitions.begin(), topic.partitions.end());
    }
  }
  [[nodiscard]] bool includes(const storage::TopicPartition& partition) const {
    if (all_) return true;
    const auto topic = topics_.find(partition.topic);
    return topic != topics_.end() && topic->second.contains(partition.partition.value());
  }

 private:
  bool all_;
  std::map<std::string_view, std::set<std::int32_t>> topics_;
};

// The topics of one directory, of logs that are in their order.
class DirectoryTopics {
 public:
  void add(const storage::LogDescription& log) {
    if (names_.empty() || *names_.back() != log.partition.topic) {
      names_.push_back(&log.partition.topic);
      partitions_.emplace_back();
    }
    Answer::DescribeLogDirsPartition& partition = partitions_.back().emplace_back();
    partition.partition_index = log.partition.partition.value();
    partition.partition_size = static_cast<std::int64_t>(log.bytes);
  }
  [[nodiscard]] std::span<const Answer::DescribeLogDirsTopic> topics() {
    topics_.resize(names_.size());
    for (std::size_t i = 0; i < names_.size(); ++i) {
      topics_[i].name = *names_[i];
      topics_[i].partitions = std::span<const Answer::DescribeLogDirsPartition>(partitions_[i]);
    }
    return topics_;
  }

 private:
  std::vector<const std::string*> names_;
  std::vector<std::vector<Answer::DescribeLogDirsPartition>> partitions_;
  std::vector<Answer::DescribeLogDirsTopic> topics_;
};

}  // namespace

Task<Response> DataRequests::describe_log_dirs(Request request) {
  ArenaLease arena(*this);
  Message message;
  if (const auto read = decode(message, request.body, request.context.version, *arena); !read) {
    co_return unreadable(request, read.error());
  }
  Answer answer;
  if (!context_.authorizer.authorize(*request.context.session, security::Operation::describe,
                                     security::ResourceType::cluster, security::cluster_name)) {
    answer.error_code = static_cast<std::int16_t>(ErrorCode::cluster_authorization_failed);
    co_return respond(request.context, context_.buffers, answer);
  }
  const auto directories = co_await context_.here.call(
      context_.home, [this](Shard&) { return context_.directories.describe(); });
  const Asked asked(message);
  Logs logs;
  for (std::uint32_t shard = 0; shard < context_.all.size(); ++shard) {
    const Logs part = co_await context_.here.call(ShardIndex(shard), [this](Shard& there) {
      return context_.all[there.index().value()]->context().partitions.manager().describe();
    });
    std::ranges::copy_if(part, std::back_inserter(logs),
                         [&](const auto& log) { return asked.includes(log.partition); });
  }
  std::ranges::sort(logs, {}, &storage::LogDescription::partition);
  std::vector<DirectoryTopics> topics(directories.size());
  for (const storage::LogDescription& log : logs) topics[log.directory.value()].add(log);
  std::vector<Answer::DescribeLogDirsResult> results(directories.size());
  for (std::size_t i = 0; i < directories.size(); ++i) {
    results[i].log_dir = directories[i].path;
    if (directories[i].failed) {
      results[i].error_code = static_cast<std::int16_t>(ErrorCode::kafka_storage_error);
      continue;
    }
    results[i].topics = topics[i].topics();
    results[i].usable_bytes = static_cast<std::int64_t>(directories[i].free_bytes);
  }
  answer.results = std::span<const Answer::DescribeLogDirsResult>(results);
  co_return respond(request.context, context_.buffers, answer);
}

}  // namespace millrace::broker
