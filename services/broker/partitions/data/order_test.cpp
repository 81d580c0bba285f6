// Many requests of one connection under way at once, over several shards and slow disks; and a
// power cut in the middle.
#include "data_machine.hpp"

namespace millrace::broker {
namespace {

using Response = protocol::ProduceResponse;

struct Sent {
  std::int32_t partition = 0;
  std::string value;
  protocol::Codec codec = protocol::Codec::none;
};
struct Outcome {
  ErrorCode code = ErrorCode::unknown_server_error;
  std::int64_t offset = -1;
};

// One request for each entry, begun in this order without waiting for the answers.
class Connection {
 public:
  Connection(DataMachine& machine, std::uint32_t shard) : machine_(machine), shard_(shard) {}

  void send(const std::vector<Sent>& partitions) {
    std::vector<Produced> wanted;
    const std::size_t first = sent.size();
    for (const Sent& each : partitions) {
      wanted.push_back(
          {"orders", each.partition, batch_of({.values = {each.value}, .codec = each.codec})});
      sent.push_back(each);
    }
    outcomes.resize(sent.size());
    group_.start(
        take(machine_.produce_later(std::move(wanted), -1, 12, shard_), first, partitions.size()));
  }
  [[nodiscard]] auto wait() { return group_.wait(); }

  std::vector<Sent> sent;
  std::vector<Outcome> outcomes;

 private:
  Task<void> take(Task<Told<Response>> asking, std::size_t first, std::size_t count) {
    const Told<Response> told = co_await std::move(asking);
    EXPECT_FALSE(told.closed) << told.reason;
    for (std::size_t i = 0; i < count; ++i) {
      const auto& answer = told.message.responses[i].partition_responses[0];
      outcomes[first + i] = {DataMachine::code(answer), answer.base_offset};
    }
  }

  DataMachine& machine_;
  std::uint32_t shard_;
  TaskGroup group_;
};

Task<void> wait_for(Connection& connection) {
  co_await connection.wait();
}

std::vector<Sent> draw(Random& random, std::int32_t partitions, int number) {
  std::vector<Sent> sent;
  for (std::int32_t i = 0; i < partitions; ++i) {
    if (random.below(3) == 0) sent.push_back({i, std::to_string(number) + "/" + std::to_string(i)});
  }
  if (sent.empty()) sent.push_back({0, std::to_string(number) + "/0"});
  return sent;
}

TEST(ProduceOrder, appends_of_a_connection_to_a_partition_are_in_the_order_of_arrival) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    DataMachine machine(seed);
    machine.files.completion = SimulatedCompletion::mixed;
    machine.files.slow = 0.5;
    ASSERT_TRUE(machine.start().has_value());
    constexpr std::int32_t partitions = 6;
    machine.make_topic({.partitions = partitions});
    Random random(seed);
    Connection connection(machine, static_cast<std::uint32_t>(seed % 3));
    for (int i = 0; i < 60; ++i) {
      connection.send(draw(random, partitions, i));
      // Some steps, and no rest.
      if (random.below(4) == 0) machine.executor.run_until_idle();
    }
    machine.run(wait_for(connection));
    std::vector<std::vector<std::string>> expected(partitions);
    for (std::size_t i = 0; i < connection.sent.size(); ++i) {
      const Sent& sent = connection.sent[i];
      auto& of = expected[static_cast<std::size_t>(sent.partition)];
      ASSERT_EQ(connection.outcomes[i].code, ErrorCode::none);
      EXPECT_EQ(connection.outcomes[i].offset, static_cast<std::int64_t>(of.size())) << seed;
      of.push_back(sent.value);
    }
    for (std::int32_t i = 0; i < partitions; ++i) {
      EXPECT_EQ(machine.values(machine.partition("orders", i)),
                expected[static_cast<std::size_t>(i)])
          << seed;
    }
  }
}

// What others send meanwhile for the same partition waits until such a batch is checked.
TEST(ProduceOrder, is_kept_where_small_batches_become_large_and_are_checked_in_slices) {
  constexpr std::int32_t partitions = 4;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    DataMachine machine(seed);
    machine.files.completion = SimulatedCompletion::mixed;
    ASSERT_TRUE(machine.start().has_value());
    machine.make_topic({.partitions = partitions});
    Random random(seed);
    Connection connection(machine, static_cast<std::uint32_t>(seed % 3));
    std::uint64_t large = 0;
    for (int i = 0; i < 40; ++i) {
      std::vector<Sent> sent = draw(random, partitions, i);
      for (Sent& each : sent) {
        if (random.below(8) != 0) continue;
        ++large;
        each.codec = random.chance(0.5) ? protocol::Codec::lz4 : protocol::Codec::gzip;
        each.value.append(checked_bytes_per_turn + 128 * kibibyte + random.below(mebibyte), 'x');
      }
      connection.send(sent);
      if (random.below(4) == 0) machine.executor.run_until_idle();
    }
    machine.run(wait_for(connection));
    std::vector<std::vector<std::string>> expected(partitions);
    for (std::size_t i = 0; i < connection.sent.size(); ++i) {
      auto& of = expected[static_cast<std::size_t>(connection.sent[i].partition)];
      ASSERT_EQ(connection.outcomes[i].code, ErrorCode::none);
      EXPECT_EQ(connection.outcomes[i].offset, static_cast<std::int64_t>(of.size())) << seed;
      of.push_back(connection.sent[i].value);
    }
    for (std::int32_t i = 0; i < partitions; ++i) {
      EXPECT_TRUE(machine.values(machine.partition("orders", i)) ==
                  expected[static_cast<std::size_t>(i)])
          << "seed " << seed << ", partition " << i;
    }
    std::uint64_t pauses = 0;
    for (const auto& data : machine.data) pauses += data->metrics().check_pauses.value();
    EXPECT_GE(pauses, large) << seed;
    EXPECT_GT(large, 0U);
  }
}

TEST(ProduceOrder, what_was_acknowledged_with_a_flush_is_there_after_a_power_cut) {
  std::size_t acknowledged_all = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    DataMachine machine(seed);
    machine.files.completion = SimulatedCompletion::mixed;
    machine.files.slow = 0.3;
    ASSERT_TRUE(machine.start().has_value());
    constexpr std::int32_t partitions = 6;
    machine.make_topic({.partitions = partitions,
                        .settings = {{"flush.messages", "1"}, {"segment.bytes", "1048576"}}});
    Random random(seed);
    Connection connection(machine, static_cast<std::uint32_t>(seed % 3));
    machine.disk.cut_power_at(machine.disk.steps() + 1 + random.below(150), seed);
    for (int i = 0; i < 200 && machine.life->files.alive(); ++i) {
      connection.send(draw(random, partitions, i));
      if (random.below(3) == 0) machine.executor.run_until_idle();
    }
    machine.run(wait_for(connection));
    if (machine.life->files.alive())
      machine.power_cut(seed);
    else
      machine.kill();
    ASSERT_TRUE(machine.start().has_value());
    std::vector<std::vector<std::string>> found;
    for (std::int32_t i = 0; i < partitions; ++i) {
      found.push_back(machine.values(machine.partition("orders", i)));
    }
    for (std::size_t i = 0; i < connection.sent.size(); ++i) {
      if (connection.outcomes[i].code != ErrorCode::none) continue;
      ++acknowledged_all;
      const auto& of = found[static_cast<std::size_t>(connection.sent[i].partition)];
      const auto at = static_cast<std::size_t>(connection.outcomes[i].offset);
      ASSERT_LT(at, of.size()) << seed;
      EXPECT_EQ(of[at], connection.sent[i].value) << seed;
    }
  }
  EXPECT_GT(acknowledged_all, 1000U);
}

}  // namespace
}  // namespace millrace::broker
