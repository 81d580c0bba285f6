// Whatever goes wrong, each record has one outcome, and it is true: faults by chance, with brokers
// that are slower than records have time.
#include "producer_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using mock::ApiKey;
using mock::FaultKind;

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed)
      : machine({.brokers = 3, .seed = seed}, seed), random(seed * 7'919) {
    ProducerSettings& settings = machine.settings;
    settings.batch_size = 60 + random.below(600);
    settings.batch_growth = seed % 2 == 0 ? 1 : 8;
    settings.linger = some(50);
    settings.max_in_flight = 1 + static_cast<std::int32_t>(random.below(5));
    settings.delivery_timeout = 300ms + some(3'000);
    settings.common.request_timeout = 100ms + some(1'500);
    settings.buffer_memory = 64 * 1'024;
    if (random.chance(0.5)) {
      settings.compression = protocol::CompressionOptions(protocol::Codec::lz4);
    }
    check(machine.cluster->create_topic("orders", {.partitions = 2}).has_value(), "a topic");
    machine.start();
    machine.load("orders");
  }

  void step() {
    for (std::uint64_t i = random.below(20); i > 0; --i) {
      const auto partition = static_cast<std::int32_t>(random.below(2));
      const auto sent = machine.send(next, partition, random.below(100));
      if (!sent) {
        EXPECT_EQ(sent.error().failure, Failure::buffer_full) << to_string(sent.error());
        continue;
      }
      accepted.push_back(next++);
    }
    go_wrong();
    machine.executor.advance(some(200));
  }

  ProducerMachine machine;
  Random random;
  std::uint64_t next = 0;
  std::vector<std::uint64_t> accepted;

 private:
  Duration some(std::uint64_t milliseconds) {
    return std::chrono::milliseconds(random.below(milliseconds));
  }
  void go_wrong() {
    constexpr std::array codes = {
        ErrorCode::not_leader_or_follower, ErrorCode::not_enough_replicas_after_append,
        ErrorCode::invalid_record,         ErrorCode::message_too_large,
        ErrorCode::request_timed_out,      ErrorCode::topic_authorization_failed};
    constexpr std::array kinds = {FaultKind::drop_before, FaultKind::drop_after,
                                  FaultKind::silence,     FaultKind::cut_short,
                                  FaultKind::garbage,     FaultKind::wrong_id};
    const auto broker = BrokerId(1 + static_cast<std::int32_t>(random.below(3)));
    mock::Cluster& cluster = *machine.cluster;
    switch (random.below(12)) {
      case 0:
        cluster.fail_next(ApiKey::produce, codes.at(random.below(codes.size())),
                          1 + static_cast<std::uint32_t>(random.below(3)));
        break;
      case 1:
        cluster.inject({.api = ApiKey::produce, .kind = kinds.at(random.below(kinds.size()))});
        break;
      case 2:
        static_cast<void>(cluster.move_leader("orders", PartitionIndex(0), broker));
        break;
      case 3:
        cluster.drop_connections();
        break;
      case 4:
        static_cast<void>(cluster.kill(broker));
        machine.executor.advance(some(2'000));
        static_cast<void>(cluster.revive(broker));
        break;
      case 5:
      case 6:
        cluster.delay(ApiKey::produce, some(4'000),
                      1 + static_cast<std::uint32_t>(random.below(4)));
        break;
      case 7:
        cluster.delay(ApiKey::metadata, some(2'000));
        break;
      case 8:
        cluster.fail_next(ApiKey::init_producer_id, ErrorCode::coordinator_load_in_progress);
        break;
      default:
        break;
    }
  }
};

TEST(ProducerSlowChaos, outcomes_are_true_where_records_run_out_of_time) {
  std::size_t late = 0;
  for (std::uint64_t seed = 1; seed <= 60 / MILLRACE_SLOWNESS; ++seed) {
    SCOPED_TRACE(seed);
    Chaos chaos(seed);
    for (int step = 0; step < 80; ++step) chaos.step();
    chaos.machine.cluster->clear_faults();
    chaos.machine.close(chaos.random.chance(0.3) ? 1ms : Duration(1h));
    ASSERT_EQ(chaos.machine.outcomes.all.size(), chaos.accepted.size());
    for (const auto& [token, outcome] : chaos.machine.outcomes.all) {
      late += outcome.error && outcome.error->failure == Failure::timed_out ? 1u : 0u;
    }
    for (const std::int32_t partition : {0, 1}) chaos.machine.expect_truth(partition);
  }
  EXPECT_GT(late, 1'000u / MILLRACE_SLOWNESS) << "records ran out of time";
}

}  // namespace
}  // namespace millrace::client
