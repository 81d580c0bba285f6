// A session, and the broker that it talks to, which a test plays.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

import millrace.base;
import millrace.coordinator;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.groups;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.telemetry;

namespace millrace::coordinator {

using coordination::Append;
using coordination::AppendFailed;
using coordination::Batches;
using coordination::ClientAnswer;
using coordination::ClientRequest;
using coordination::Committed;
using coordination::Hello;
using coordination::Lead;
using coordination::OwnedBytes;
using coordination::protocol_version;
using coordination::Read;
using coordination::RequestNumber;
using coordination::SessionId;
using coordination::ToBroker;
using coordination::ToCoordinator;
using protocol::ErrorCode;

inline const PartitionIndex only(0);

// A session, and a broker with one partition, whose log is a list of batches.
class Played {
 public:
  explicit Played(SimulatedExecutor& at, std::vector<OwnedBytes> written = {},
                  const groups::Options& set = {})
      : executor(at), options(set), log(std::move(written)) {
    session.emplace(
        executor, random, buffers, options, metrics, logger,
        SessionLink{.send = [this](const ToBroker& message) { said.push_back(message); },
                    .has_room = [this](std::size_t bytes) { return bytes <= room; },
                    .give_up = [this](std::string why) { given_up = std::move(why); }});
  }

  Result<void> say(const ToCoordinator& message) { return session->take(encode(message)); }
  void greet() {
    ASSERT_TRUE(say(Hello{protocol_version, BrokerId(1), Uuid{}, SessionId(5)}).has_value());
    ASSERT_TRUE(say(Lead{only, LeaderEpoch(3)}).has_value());
  }
  // Carries out reads and appends until there are no more.
  void carry_out() {
    for (std::size_t i = 0; i < said.size(); ++i) {
      if (const auto* const read = std::get_if<Read>(&said[i])) {
        give(Read(*read));
      } else if (const auto* const append = std::get_if<Append>(&said[i])) {
        take(Append(*append));
      } else if (const auto* const answer = std::get_if<ClientAnswer>(&said[i])) {
        answers.push_back(*answer);
      }
    }
    said.clear();
  }
  void give(const Read& read) {
    Batches batches{read.of, ErrorCode::none, read.from, Offset(end()), {}};
    std::int64_t position = 0;
    for (const OwnedBytes& batch : log) {
      const auto header = protocol::read_batch_header(batch);
      position = header->base_offset.value() + header->last_offset_delta + 1;
      if (position <= read.from.value()) continue;
      batches.batches = batch;  // one at a time
      batches.next = Offset(position);
      break;
    }
    ++reads;
    EXPECT_TRUE(say(batches).has_value());
  }
  void take(Append append) {
    ++appends;
    EXPECT_LE(append.batch.size(), message_bytes_max_default) << "the broker takes no larger one";
    EXPECT_EQ(append.session, SessionId(5));
    if (loses) {
      EXPECT_TRUE(say(AppendFailed{append.of, ErrorCode::not_leader_or_follower}).has_value());
      return;
    }
    if (holds) {
      held.push_back(std::move(append));
      return;
    }
    protocol::rewrite_base_offset_and_epoch(append.batch, Offset(end()), LeaderEpoch(3));
    log.push_back(append.batch);
    EXPECT_TRUE(say(Committed{append.of, append.ticket}).has_value());
  }
  [[nodiscard]] std::int64_t end() const {
    if (log.empty()) return 0;
    const auto header = protocol::read_batch_header(log.back());
    return header->base_offset.value() + header->last_offset_delta + 1;
  }
  template <class Request>
  void ask(const Request& request, std::int16_t version) {
    const auto size = measure(request, version);
    OwnedBytes body(size->inline_bytes);
    protocol::Writer writer(body, {});
    write(request, version, writer);
    ClientRequest asked;
    asked.number = last = last.next();
    asked.api = Request::api_key;
    asked.version = version;
    asked.state_partitions = 1;
    asked.topics = {{"orders", Uuid{}, known_partitions}};
    asked.body = std::move(body);
    EXPECT_TRUE(say(asked).has_value());
    carry_out();
  }
  // Of the last answer, in a version whose body begins with throttle time and error.
  [[nodiscard]] ErrorCode error() const {
    const ByteView body(answers.back().body);
    return protocol::error_code_from(load_big_endian<std::int16_t>(body.data() + 4));
  }
  void commit(std::int64_t offset, const char* group = "g", std::string metadata = {}) {
    protocol::OffsetCommitRequest::OffsetCommitRequestPartition partition;
    partition.committed_offset = offset;
    partition.committed_metadata = metadata;
    protocol::OffsetCommitRequest::OffsetCommitRequestTopic topic;
    topic.name = "orders";
    topic.partitions = {&partition, 1};
    protocol::OffsetCommitRequest request;
    request.group_id = group;
    request.topics = {&topic, 1};
    ask(request, 6);
  }
  [[nodiscard]] const StatePartition& partition() const { return *session->partitions().at(only); }

  SimulatedExecutor& executor;
  Random random{1};
  BufferPool buffers;
  groups::Options options;
  std::shared_ptr<MemoryLogSink> sink = std::make_shared<MemoryLogSink>();
  Logger logger{sink, "test"};
  telemetry::Registry registry{1};
  Metrics metrics{registry, telemetry::ShardIndex(0)};
  std::deque<ToBroker> said;
  std::vector<OwnedBytes> log;
  std::vector<ClientAnswer> answers;
  std::optional<std::string> given_up;
  bool loses = false;
  bool holds = false;
  std::vector<Append> held;
  std::int32_t known_partitions = 1;
  std::size_t room = coordination::queued_bytes_max;
  std::uint64_t reads = 0;
  std::uint64_t appends = 0;
  RequestNumber last;
  std::optional<Session> session;
};

}  // namespace millrace::coordinator
