// One session against a broker that a test plays. Also proves state_partition.cpp.
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
namespace {

using namespace coordination;

const PartitionIndex only(0);

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

TEST(Session, loads_what_it_is_told_to_lead) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  EXPECT_TRUE(played.partition().is_loading());
  played.carry_out();
  EXPECT_TRUE(played.partition().is_active());
  played.commit(1);
  played.commit(2);
  EXPECT_EQ(played.log.size(), 2u);
  Played next(executor, played.log);
  next.greet();
  next.carry_out();
  EXPECT_TRUE(next.partition().is_active());
  EXPECT_EQ(next.reads, 2u);
  protocol::ListGroupsRequest list;
  next.ask(list, 4);
  EXPECT_EQ(next.error(), ErrorCode::none);
}

TEST(Session, counts_what_it_does_and_what_there_is) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  played.commit(7);
  played.commit(8);
  EXPECT_EQ(played.metrics.loads.value(), 1U);
  EXPECT_EQ(played.metrics.commits.value(), 2U);
  EXPECT_EQ(played.metrics.appends.value(), 2U);
  played.loses = true;
  played.commit(9);
  EXPECT_EQ(played.metrics.failed_appends.value(), 1U);
  EXPECT_EQ(played.metrics.loads.value(), 2U) << "it reads anew";
  const auto figures = executor.run(played.session->figures());
  ASSERT_TRUE(figures.has_value());
  EXPECT_EQ(figures->partitions, 1);
  EXPECT_EQ(figures->loaded_partitions, 1);
  EXPECT_EQ(figures->groups[static_cast<std::size_t>(groups::GroupState::empty)], 1);
  EXPECT_EQ(figures->offsets, 1);
  EXPECT_EQ(figures->members, 0);
}

// The errors of the groups of a fetch that the session has answered.
std::vector<ErrorCode> errors_of_fetch(const Played& played) {
  protocol::Arena arena(mebibyte);
  protocol::OffsetFetchResponse response;
  EXPECT_FALSE(played.answers.back().close);
  EXPECT_TRUE(decode(response, played.answers.back().body, 8, arena).has_value());
  std::vector<ErrorCode> errors;
  for (const auto& group : response.groups) {
    errors.push_back(protocol::error_code_from(group.error_code));
    EXPECT_EQ(group.topics.size(), group.error_code == 0 ? 1u : 0u);
  }
  return errors;
}

TEST(Session, groups_whose_offsets_do_not_fit_into_one_answer_are_refused) {
  SimulatedExecutor executor;
  Played played(executor, {}, {.fetch_bytes_max = 9'000});
  played.greet();
  played.carry_out();
  using Request = protocol::OffsetFetchRequest;
  std::vector<Request::OffsetFetchRequestGroup> groups;
  for (const char* const name : {"a", "b", "c", "d"}) {
    played.commit(1, name, std::string(name[0] == 'd' ? 10 : 4'000, 'm'));
    auto& group = groups.emplace_back();
    group.group_id = name;
    group.topics = protocol::Array<Request::OffsetFetchRequestTopics>::null();
  }
  Request request;
  request.groups = std::span<const Request::OffsetFetchRequestGroup>(groups);
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played), (std::vector{ErrorCode::none, ErrorCode::none,
                                                  ErrorCode::invalid_request, ErrorCode::none}));
  request.groups = {&groups[2], 1};
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played), std::vector{ErrorCode::none}) << "by itself it fits";
}

TEST(Session, an_answer_that_there_is_no_room_for_is_to_be_asked_for_again) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  played.commit(1, "small");
  for (int i = 0; i < 20; ++i) {
    played.commit(i, ("g" + std::to_string(i)).c_str(), std::string(4'000, 'm'));
  }
  protocol::OffsetFetchRequest request;
  std::vector<protocol::OffsetFetchRequest::OffsetFetchRequestGroup> groups(20);
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) names.push_back("g" + std::to_string(i));
  for (std::size_t i = 0; i < 20; ++i) {
    groups[i].group_id = names[i];
    groups[i].topics = decltype(groups[i].topics)::null();
  }
  request.groups = std::span<const protocol::OffsetFetchRequest::OffsetFetchRequestGroup>(groups);
  played.room = 10'000;
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played),
            std::vector<ErrorCode>(20, ErrorCode::coordinator_not_available));
  groups[0].group_id = "small";
  request.groups = {groups.data(), 1};
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played), std::vector{ErrorCode::none}) << "it is no large one";
  played.room = coordination::queued_bytes_max;
  groups[0].group_id = names[0];
  request.groups = std::span<const protocol::OffsetFetchRequest::OffsetFetchRequestGroup>(groups);
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played), std::vector<ErrorCode>(20, ErrorCode::none));
}

TEST(Session, fetches_that_wait_for_an_append_hold_no_more_than_a_few_large_answers) {
  SimulatedExecutor executor;
  Played played(executor, {}, {.fetch_bytes_max = 9'000});
  played.greet();
  played.carry_out();
  played.commit(1, "g", std::string(4'000, 'm'));
  protocol::OffsetFetchRequest::OffsetFetchRequestGroup group;
  group.group_id = "g";
  group.topics = decltype(group.topics)::null();
  protocol::OffsetFetchRequest request;
  request.groups = {&group, 1};
  for (int round = 0; round < 2; ++round) {
    played.answers.clear();
    played.holds = true;
    played.commit(2, "g", std::string(4'000, 'n'));
    for (int i = 0; i < 20; ++i) played.ask(request, 8);
    EXPECT_EQ(played.answers.size(), 11u) << "nine of 4,000 bytes are as much as four of 9,000";
    EXPECT_EQ(errors_of_fetch(played), std::vector{ErrorCode::coordinator_not_available});
    played.holds = false;
    for (Append& append : std::exchange(played.held, {})) played.take(std::move(append));
    played.carry_out();
    EXPECT_EQ(played.answers.size(), 21u);
    EXPECT_EQ(errors_of_fetch(played), std::vector{ErrorCode::none});
  }
}

// A request about very many groups makes as many appends.
TEST(Session, who_deletes_very_many_groups_is_told_to_ask_again_before_an_append_is_refused) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  constexpr std::size_t count = 5'000;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back("g" + std::to_string(i));
  for (const std::string& name : names) played.commit(1, name.c_str());
  const std::vector<protocol::String> deleted(names.begin(), names.end());
  protocol::DeleteGroupsRequest request;
  request.groups_names = std::span<const protocol::String>(deleted);
  std::size_t left = count;
  for (int round = 0; round < 5 && left > 0; ++round) {
    played.holds = true;
    played.ask(request, 1);
    EXPECT_LE(played.held.size(), appends_under_way_max);
    left -= played.held.size();
    played.holds = false;
    for (Append& append : std::exchange(played.held, {})) played.take(std::move(append));
    played.carry_out();
  }
  EXPECT_EQ(left, 0u);
}

// A few bytes that name it are answered with thousands.
TEST(Session, a_partition_that_a_fetch_names_a_million_times_is_answered_once) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  played.commit(1, "g", std::string(4'000, 'm'));
  const std::vector<std::int32_t> zeros(1'000'000, 0);
  protocol::OffsetFetchRequest::OffsetFetchRequestTopics topic;
  topic.name = "orders";
  topic.partition_indexes = std::span<const std::int32_t>(zeros);
  protocol::OffsetFetchRequest::OffsetFetchRequestGroup group;
  group.group_id = "g";
  group.topics = {&topic, 1};
  protocol::OffsetFetchRequest request;
  request.groups = {&group, 1};
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played), std::vector{ErrorCode::none});
  EXPECT_LT(played.answers.back().body.size(), 5'000u);
}

// Small records take more of a batch than their keys and values.
TEST(Session, a_commit_of_very_many_partitions_is_appended_in_batches_that_the_broker_takes) {
  constexpr std::int32_t count = 60'000;
  SimulatedExecutor executor;
  Played played(executor);
  played.known_partitions = count;
  played.greet();
  played.carry_out();
  using Request = protocol::OffsetCommitRequest;
  std::vector<Request::OffsetCommitRequestPartition> partitions(count);
  for (std::int32_t i = 0; i < count; ++i) {
    partitions[static_cast<std::size_t>(i)].partition_index = i;
    partitions[static_cast<std::size_t>(i)].committed_offset = i;
  }
  Request::OffsetCommitRequestTopic topic;
  topic.name = "orders";
  topic.partitions = std::span<const Request::OffsetCommitRequestPartition>(partitions);
  Request request;
  request.group_id = "g";
  request.topics = {&topic, 1};
  played.ask(request, 6);
  ASSERT_EQ(played.answers.size(), 1u);
  EXPECT_GT(played.appends, 2u);
  const auto figures = executor.run(played.session->figures());
  ASSERT_TRUE(figures.has_value());
  EXPECT_EQ(figures->offsets, count);
}

TEST(Session, while_a_partition_is_loaded_clients_are_told_so) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  const auto reads = std::exchange(played.said, {});
  protocol::ListGroupsRequest list;
  played.ask(list, 4);
  EXPECT_EQ(played.error(), ErrorCode::coordinator_load_in_progress);
  played.said = reads;
  played.carry_out();
  played.ask(list, 4);
  EXPECT_EQ(played.error(), ErrorCode::none);
}

TEST(Session, after_an_append_that_failed_it_loads_the_partition_again) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  played.loses = true;
  played.commit(1);
  ASSERT_EQ(played.answers.size(), 1u) << "answered, though not done";
  EXPECT_EQ(played.reads, 2u);
  EXPECT_TRUE(played.partition().is_active());
  played.loses = false;
  played.commit(2);
  EXPECT_EQ(played.log.size(), 1u);
}

TEST(Session, a_partition_that_cannot_be_read_is_tried_again) {
  SimulatedExecutor executor;
  Played played(executor, {OwnedBytes(100, std::byte{1})});
  played.log.clear();
  played.greet();
  const Read read = std::get<Read>(played.said.back());
  ASSERT_TRUE(played.say(Batches{read.of, ErrorCode::kafka_storage_error, {}, {}, {}}).has_value());
  EXPECT_FALSE(played.partition().is_loading());
  played.said.clear();
  executor.advance(std::chrono::milliseconds{30});
  ASSERT_FALSE(played.said.empty());
  const Read again = std::get<Read>(played.said.back());
  EXPECT_GT(again.of.load, read.of.load);
  // Damage is no reason to go on without what is lost.
  ASSERT_TRUE(played
                  .say(Batches{again.of, ErrorCode::none, Offset(1), Offset(1),
                               OwnedBytes(100, std::byte{1})})
                  .has_value());
  EXPECT_FALSE(played.partition().is_active());
  played.said.clear();
  executor.advance(std::chrono::milliseconds{50});
  played.carry_out();
  EXPECT_TRUE(played.partition().is_active());
}

// Whoever waits until all is loaded would wait for ever.
TEST(Session, a_partition_that_cannot_be_read_for_long_has_no_coordinator_until_it_can) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  protocol::HeartbeatRequest heartbeat;
  heartbeat.group_id = "g";
  const protocol::ListGroupsRequest list;
  for (int failures = 1; failures <= 5; ++failures) {
    ASSERT_TRUE(played.session->partitions().at(only)->is_loading());
    const Read read = std::get<Read>(played.said.back());
    played.said.clear();
    ASSERT_TRUE(played
                    .say(Batches{read.of, ErrorCode::none, Offset(1), Offset(1),
                                 OwnedBytes(100, std::byte{1})})
                    .has_value());
    const bool is_told = failures >= 3;
    played.ask(heartbeat, 3);
    EXPECT_EQ(played.error(), is_told ? ErrorCode::not_coordinator : ErrorCode::none);
    played.ask(list, 4);
    EXPECT_EQ(played.error(), is_told ? ErrorCode::none : ErrorCode::coordinator_load_in_progress)
        << failures;
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(played.say(coordination::Ping{1}).has_value());
      std::erase_if(played.said, [](const ToBroker& one) { return std::get_if<Pong>(&one); });
      if (!played.said.empty()) break;
      executor.advance(std::chrono::milliseconds{100});
    }
  }
  const auto lines = played.sink->lines();
  EXPECT_EQ(std::ranges::count_if(lines, [](const auto& line) {
              return line.message.find("cannot be loaded") != std::string::npos;
            }), 3);
  played.carry_out();
  EXPECT_TRUE(played.partition().is_active());
  played.commit(1);
  EXPECT_EQ(played.log.size(), 1u);
}

TEST(Session, after_a_silence_it_decides_nothing_by_the_clock) {
  SimulatedExecutor executor;
  Played played(executor);
  played.options.initial_rebalance_delay = groups::Milliseconds(0);
  played.greet();
  played.carry_out();
  // A process that was stopped: time has passed, and no timer has run.
  executor.manual_clock().advance(std::chrono::seconds{30});
  EXPECT_FALSE(played.say(coordination::Ping{1}).has_value())
      << "what comes after the silence is not taken: others may be behind it";
  executor.run_until_idle();
  EXPECT_EQ(played.appends, 0u);
}

TEST(Session, gives_up_when_the_broker_says_nothing) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  for (int i = 0; i < 10; ++i) {
    executor.advance(ping_interval);
    ASSERT_TRUE(played.say(coordination::Ping{1}).has_value());
  }
  EXPECT_FALSE(played.given_up.has_value());
  executor.advance(silence_max + std::chrono::milliseconds{2});
  EXPECT_TRUE(played.given_up.has_value());
}

TEST(Session, what_breaks_the_protocol_is_an_error) {
  SimulatedExecutor executor;
  Played early(executor);
  EXPECT_FALSE(early.say(coordination::Ping{1}).has_value()) << "before the greeting";
  Played twice(executor);
  twice.greet();
  EXPECT_FALSE(twice.say(Hello{protocol_version, BrokerId(1), Uuid{}, SessionId(6)}).has_value());
  Played newer(executor);
  EXPECT_FALSE(
      newer.say(Hello{protocol_version + 1, BrokerId(1), Uuid{}, SessionId(6)}).has_value());
  Played invented(executor);
  invented.greet();
  invented.carry_out();
  EXPECT_FALSE(
      invented.say(Committed{{only, LeaderEpoch(3), LoadId(1)}, groups::Ticket(7)}).has_value())
      << "an append that nobody made";
  EXPECT_TRUE(
      invented.say(Committed{{only, LeaderEpoch(3), LoadId(99)}, groups::Ticket(7)}).has_value())
      << "of another load: dropped";
  EXPECT_FALSE(invented.session->take(OwnedBytes(8, std::byte{7})).has_value());
}

TEST(Session, a_lost_partition_answers_what_is_open) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  protocol::JoinGroupRequest join;
  join.group_id = "g";
  join.session_timeout_ms = 10'000;
  join.rebalance_timeout_ms = 10'000;
  join.protocol_type = "consumer";
  protocol::JoinGroupRequest::JoinGroupRequestProtocol range{"range", protocol::empty_bytes};
  join.protocols = {&range, 1};
  played.ask(join, 3);
  EXPECT_EQ(played.session->open_requests(), 1u);
  ASSERT_TRUE(played.say(Lost{only}).has_value());
  played.carry_out();
  EXPECT_EQ(played.session->open_requests(), 0u);
  EXPECT_EQ(played.error(), ErrorCode::not_coordinator);
}

}  // namespace
}  // namespace millrace::coordinator
