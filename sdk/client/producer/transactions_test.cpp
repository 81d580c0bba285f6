// Transactions against a mock cluster, in both of Kafka's protocols. Also proves transactor.cpp,
// transactor_asking.cpp, transactor_calls.cpp, coordinators.cpp.
#include "producer_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using mock::ApiKey;
using mock::FaultKind;
using Tokens = std::vector<std::uint64_t>;

class TransactionMachine : public ProducerMachine {
 public:
  explicit TransactionMachine(std::int16_t version, std::int32_t brokers = 1,
                              std::uint64_t seed = 1)
      : ProducerMachine({.brokers = brokers, .transaction_version = version}, seed) {
    settings.transactional_id = "copy";
    settings.linger = {};
    EXPECT_TRUE(cluster->create_topic("orders", {.partitions = 2}));
  }
  void begin_work() {
    start();
    load("orders");
  }

  ClientResult<void> begin(Duration within = long_time) {
    return wish([&](Transactor& t) { return t.begin(now() + within); });
  }
  ClientResult<void> commit(Duration within = long_time) {
    return wish([&](Transactor& t) { return t.commit(now() + within); });
  }
  ClientResult<void> abort(Duration within = long_time) {
    return wish([&](Transactor& t) { return t.abort(now() + within); });
  }
  ClientResult<void> send_offsets(std::int32_t generation = -1) {
    GroupOffsets offsets{.group = "copiers", .generation = generation, .member = {}, .items = {}};
    offsets.items.push_back({{"orders", PartitionIndex(1)}, Offset(5)});
    return wish(
        [&](Transactor& t) { return t.send_offsets(std::move(offsets), now() + long_time); });
  }

  void pass(Duration time) {
    run([](SimulatedExecutor& on, Duration wait) -> Task<void> {
      co_await sleep_until(on, on.clock().now() + wait);
    }(executor, time));
  }

  // Some requests of the next transactions are late.
  void slow_down(Random& chance) {
    const ApiKey slow = chance.next() % 2 == 0 ? ApiKey::produce : ApiKey::end_txn;
    cluster->delay(slow, std::chrono::milliseconds(chance.next() % 6'000),
                   1 + static_cast<std::uint32_t>(chance.next() % 3));
  }

  // What a reader of committed records sees.
  [[nodiscard]] Tokens committed(std::int32_t partition = 0) const {
    Tokens tokens;
    const auto records = cluster->committed_records("orders", PartitionIndex(partition));
    for (const auto& record : *records) tokens.push_back(std::stoull(*record.value));
    return tokens;
  }
  [[nodiscard]] Tokens range(std::uint64_t from, std::uint64_t to) const {
    Tokens tokens;
    for (std::uint64_t token = from; token < to; ++token) tokens.push_back(token);
    return tokens;
  }

 private:
  template <class Wish>
  ClientResult<void> wish(Wish make) {
    ClientResult<void> outcome;
    run([](Transactor& transactor, Wish& wanted, ClientResult<void>& out) -> Task<void> {
      out = co_await wanted(transactor);
    }(*producer->transactor(), make, outcome));
    return outcome;
  }
};

class Transactions : public testing::TestWithParam<std::int16_t> {
 protected:
  [[nodiscard]] bool is_implicit() const { return GetParam() >= 2; }
};

TEST_P(Transactions, records_are_seen_when_they_are_committed) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  for (std::uint64_t from = 0; from < 60; from += 20) {
    ASSERT_TRUE(machine.begin());
    machine.send_all(from, from + 20);
    ASSERT_TRUE(machine.flush());
    EXPECT_EQ(machine.committed(), machine.range(0, from));
    ASSERT_TRUE(machine.commit());
    EXPECT_EQ(machine.committed(), machine.range(0, from + 20));
  }
  EXPECT_EQ(machine.outcomes.delivered_count(), 60u);
  EXPECT_EQ(machine.cluster->request_count(ApiKey::add_partitions_to_txn), is_implicit() ? 0u : 3u);
  EXPECT_EQ(machine.cluster->request_count(ApiKey::init_producer_id), 1u);
}

TEST_P(Transactions, commit_sends_what_lingers) {
  TransactionMachine machine(GetParam());
  machine.settings.linger = 1h;
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 3, 0);
  machine.send_all(3, 5, 1);
  ASSERT_TRUE(machine.commit());
  EXPECT_EQ(machine.committed(0), machine.range(0, 3));
  EXPECT_EQ(machine.committed(1), machine.range(3, 5));
}

TEST_P(Transactions, abort_drops_what_was_not_sent_and_hides_what_was) {
  TransactionMachine machine(GetParam());
  machine.settings.linger = 1h;
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 5);
  ASSERT_TRUE(machine.flush());
  machine.send_all(5, 10);
  ASSERT_TRUE(machine.abort());
  ASSERT_EQ(machine.outcomes.all.size(), 10u);
  EXPECT_TRUE(machine.outcomes.all.at(4).is_delivered);
  ASSERT_FALSE(machine.outcomes.all.at(5).is_delivered);
  EXPECT_EQ(machine.outcomes.all.at(5).error->failure, Failure::aborted);
  EXPECT_EQ(machine.outcomes.all.at(5).error->persistence, Persistence::not_persisted);
  EXPECT_EQ(machine.committed(), Tokens{});
  ASSERT_TRUE(machine.begin());
  machine.send_all(10, 15);
  ASSERT_TRUE(machine.commit());
  EXPECT_EQ(machine.committed(), machine.range(10, 15));
}

TEST_P(Transactions, records_outside_of_a_transaction_are_refused) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  EXPECT_EQ(machine.send(0).error().failure, Failure::bad_argument);
  EXPECT_FALSE(machine.commit());
  EXPECT_FALSE(machine.abort());
  EXPECT_FALSE(machine.send_offsets());
  ASSERT_TRUE(machine.begin());
  EXPECT_EQ(machine.begin().error().failure, Failure::bad_argument);
  ASSERT_TRUE(machine.commit());
  EXPECT_EQ(machine.send(0).error().failure, Failure::bad_argument);
  // There was nothing to end.
  EXPECT_EQ(machine.cluster->request_count(ApiKey::end_txn), 0u);
}

TEST_P(Transactions, what_passes_is_waited_for) {
  TransactionMachine machine(GetParam(), 3);
  auto& cluster = *machine.cluster;
  for (const ApiKey api : {ApiKey::init_producer_id, ApiKey::add_partitions_to_txn, ApiKey::end_txn,
                           ApiKey::produce}) {
    cluster.fail_next(api, ErrorCode::concurrent_transactions, 2);
    cluster.fail_next(api, ErrorCode::coordinator_load_in_progress);
  }
  for (const ApiKey api :
       {ApiKey::init_producer_id, ApiKey::add_partitions_to_txn, ApiKey::end_txn}) {
    cluster.fail_next(api, ErrorCode::not_coordinator);
    cluster.inject({.api = api, .kind = FaultKind::drop_after});
    cluster.inject({.api = api, .kind = FaultKind::drop_before});
    cluster.inject({.api = api, .kind = FaultKind::garbage});
  }
  cluster.fail_next(ApiKey::find_coordinator, ErrorCode::coordinator_not_available, 2);
  machine.begin_work();
  for (std::uint64_t from = 0; from < 40; from += 20) {
    ASSERT_TRUE(machine.begin());
    machine.send_all(from, from + 20);
    ASSERT_TRUE(machine.commit());
  }
  EXPECT_EQ(machine.committed(), machine.range(0, 40));
  EXPECT_EQ(machine.outcomes.delivered_count(), 40u);
}

TEST_P(Transactions, the_coordinator_may_die) {
  TransactionMachine machine(GetParam(), 3);
  machine.cluster->set_coordinator("copy", BrokerId(2));
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 20);
  ASSERT_TRUE(machine.flush());
  ASSERT_TRUE(machine.cluster->kill(BrokerId(2)));
  ASSERT_TRUE(machine.commit());
  EXPECT_EQ(machine.committed(), machine.range(0, 20));
}

TEST_P(Transactions, a_second_producer_shuts_out_the_first) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 5);
  ASSERT_TRUE(machine.flush());
  {
    auto first = std::move(machine.producer);
    machine.begin_work();
    ASSERT_TRUE(machine.begin());
    machine.send_all(5, 10);
    ASSERT_TRUE(machine.commit());
    machine.close();
    machine.producer = std::move(first);
  }
  const auto committed = machine.commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().failure, Failure::fenced);
  EXPECT_TRUE(committed.error().fatal);
  EXPECT_TRUE(machine.send(10).error().fatal);
  EXPECT_TRUE(machine.begin().error().fatal);
  EXPECT_EQ(machine.committed(), machine.range(5, 10));
}

TEST_P(Transactions, records_of_a_producer_that_is_shut_out_are_refused) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 5);
  ASSERT_TRUE(machine.flush());
  ASSERT_TRUE(machine.cluster->time_out_transaction("copy"));
  machine.send_all(5, 10);
  const auto committed = machine.commit();
  ASSERT_FALSE(committed);
  EXPECT_TRUE(committed.error().needs_abort || committed.error().fatal);
  const auto aborted = machine.abort();
  ASSERT_FALSE(aborted);
  EXPECT_TRUE(aborted.error().fatal);
  EXPECT_EQ(machine.outcomes.all.size(), 10u);
  EXPECT_EQ(machine.committed(), Tokens{});
}

TEST_P(Transactions, a_record_that_is_lost_makes_the_abort_the_only_way) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 5);
  ASSERT_TRUE(machine.flush());
  machine.cluster->fail_next(ApiKey::produce, ErrorCode::policy_violation);
  machine.send_all(5, 10);
  ASSERT_TRUE(machine.flush());
  EXPECT_TRUE(machine.send(10).error().needs_abort);
  const auto committed = machine.commit();
  ASSERT_FALSE(committed);
  EXPECT_TRUE(committed.error().needs_abort);
  EXPECT_FALSE(committed.error().fatal);
  EXPECT_EQ(committed.error().code, ErrorCode::policy_violation);
  EXPECT_FALSE(machine.begin());
  ASSERT_TRUE(machine.abort());
  EXPECT_FALSE(machine.send(10).error().needs_abort);
  ASSERT_TRUE(machine.begin());
  machine.send_all(20, 30);
  ASSERT_TRUE(machine.commit());
  EXPECT_EQ(machine.committed(), machine.range(20, 30));
  // In the first protocol a new epoch has to be asked for.
  EXPECT_EQ(machine.cluster->request_count(ApiKey::init_producer_id), is_implicit() ? 1u : 2u);
}

TEST_P(Transactions, a_record_that_is_not_taken_is_not_left_out) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 5);
  EXPECT_EQ(machine.send(5, 0, 2 * mebibyte).error().failure, Failure::record_too_large);
  const auto committed = machine.commit();
  ASSERT_FALSE(committed);
  EXPECT_TRUE(committed.error().needs_abort);
  EXPECT_EQ(committed.error().failure, Failure::record_too_large);
  ASSERT_TRUE(machine.abort());
  ASSERT_TRUE(machine.begin());
  machine.send_all(10, 15);
  ASSERT_TRUE(machine.commit());
  EXPECT_EQ(machine.committed(), machine.range(10, 15));
}

TEST_P(Transactions, a_commit_without_an_answer_is_asked_about_again) {
  TransactionMachine machine(GetParam());
  machine.settings.common.request_timeout = 5s;
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 5);
  machine.cluster->inject({.api = ApiKey::end_txn, .kind = FaultKind::silence});
  const auto late = machine.commit(1s);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().failure, Failure::timed_out);
  EXPECT_TRUE(late.error().retriable);
  EXPECT_EQ(late.error().persistence, Persistence::unknown);
  EXPECT_FALSE(machine.abort());
  EXPECT_EQ(machine.begin(1s).error().failure, Failure::timed_out);
  ASSERT_TRUE(machine.commit());
  EXPECT_EQ(machine.committed(), machine.range(0, 5));
}

TEST_P(Transactions, an_end_that_came_after_the_deadline_is_told_when_asked_again) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  const mock::Fault slow{.api = ApiKey::end_txn, .kind = FaultKind::delay, .delay = 3s};
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 5);
  machine.cluster->inject(slow);
  EXPECT_EQ(machine.commit(1s).error().failure, Failure::timed_out);
  machine.pass(10s);
  const auto committed = machine.commit();
  EXPECT_TRUE(committed) << committed.error().message;
  EXPECT_EQ(machine.committed(), machine.range(0, 5));
  // It was told.
  EXPECT_EQ(machine.commit().error().failure, Failure::bad_argument);
  ASSERT_TRUE(machine.begin());
  machine.send_all(5, 10);
  ASSERT_TRUE(machine.flush());
  machine.cluster->inject(slow);
  EXPECT_EQ(machine.abort(1s).error().failure, Failure::timed_out);
  machine.pass(10s);
  const auto aborted = machine.abort();
  EXPECT_TRUE(aborted) << aborted.error().message;
  EXPECT_EQ(machine.abort().error().failure, Failure::bad_argument);
}

TEST_P(Transactions, a_commit_that_a_coordinator_may_have_begun_is_not_said_to_have_failed) {
  constexpr std::array opening = {ErrorCode::coordinator_not_available, ErrorCode::not_coordinator,
                                  ErrorCode::request_timed_out};
  constexpr std::array closing = {ErrorCode::producer_fenced, ErrorCode::invalid_producer_epoch,
                                  ErrorCode::transaction_abortable};
  const auto commit_with = [&](ErrorCode first, ErrorCode then) {
    TransactionMachine machine(GetParam());
    machine.begin_work();
    EXPECT_TRUE(machine.begin());
    machine.send_all(0, 5);
    machine.cluster->fail_next(ApiKey::end_txn, first);
    machine.cluster->fail_next(ApiKey::end_txn, then);
    return machine.commit();
  };
  for (const ErrorCode then : closing) {
    for (const ErrorCode first : opening) {
      SCOPED_TRACE(std::string(protocol::name_of(first)) + ", " +
                   std::string(protocol::name_of(then)));
      const auto done = commit_with(first, then);
      ASSERT_FALSE(done);
      EXPECT_TRUE(done.error().fatal);
      EXPECT_EQ(done.error().persistence, Persistence::unknown);
    }
    // Nothing was begun by these.
    for (const ErrorCode first :
         {ErrorCode::coordinator_load_in_progress, ErrorCode::concurrent_transactions}) {
      const auto done = commit_with(first, then);
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().persistence, Persistence::not_persisted);
      EXPECT_EQ(done.error().fatal, then != ErrorCode::transaction_abortable);
    }
  }
}

TEST_P(Transactions, a_batch_behind_one_that_is_tried_again_waits_for_it) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 5);
  ASSERT_TRUE(machine.flush());
  // The broker refuses what was sent behind it: numbers are missing.
  machine.cluster->fail_next(ApiKey::produce, ErrorCode::not_enough_replicas);
  for (std::uint64_t token = 5; token < 30; ++token) {
    ASSERT_TRUE(machine.send(token, 0, 150));
  }
  const auto committed = machine.commit();
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_EQ(machine.committed(), machine.range(0, 30));
}

TEST_P(Transactions, numbers_that_are_missing_at_the_head_leave_only_the_abort) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.cluster->fail_next(ApiKey::produce, ErrorCode::out_of_order_sequence_number);
  machine.send_all(0, 5);
  EXPECT_TRUE(machine.commit().error().needs_abort);
  ASSERT_TRUE(machine.abort());
}

TEST_P(Transactions, closing_aborts_what_is_open) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 5);
  ASSERT_TRUE(machine.flush());
  machine.close();
  EXPECT_FALSE(machine.cluster->time_out_transaction("copy"));
  EXPECT_EQ(machine.committed(), Tokens{});
}

TEST_P(Transactions, closing_ends_in_time_without_a_coordinator) {
  TransactionMachine machine(GetParam());
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  machine.send_all(0, 5);
  ASSERT_TRUE(machine.cluster->kill(BrokerId(1)));
  machine.close(2s);
  EXPECT_EQ(machine.outcomes.all.size(), 5u);
  EXPECT_EQ(machine.outcomes.delivered_count(), 0u);
}

TEST_P(Transactions, offsets_go_with_the_transaction) {
  TransactionMachine machine(GetParam(), 3);
  machine.cluster->set_coordinator("copiers", BrokerId(3));
  auto& cluster = *machine.cluster;
  cluster.fail_next(ApiKey::txn_offset_commit, ErrorCode::not_coordinator);
  cluster.fail_next(ApiKey::txn_offset_commit, ErrorCode::coordinator_load_in_progress);
  cluster.inject({.api = ApiKey::txn_offset_commit, .kind = FaultKind::drop_after});
  machine.begin_work();
  ASSERT_TRUE(machine.begin());
  ASSERT_TRUE(machine.send_offsets());
  ASSERT_TRUE(machine.commit());
  EXPECT_EQ(cluster.request_count(ApiKey::add_offsets_to_txn), is_implicit() ? 0u : 1u);
  EXPECT_EQ(cluster.request_count(ApiKey::end_txn), 1u);
  // As a member of a generation that there is not.
  ASSERT_TRUE(machine.begin());
  const auto refused = machine.send_offsets(7);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().needs_abort);
  EXPECT_FALSE(machine.commit());
  ASSERT_TRUE(machine.abort());
  ASSERT_TRUE(machine.begin());
  ASSERT_TRUE(machine.send_offsets());
  ASSERT_TRUE(machine.commit());
}

TEST_P(Transactions, an_id_that_cannot_be_had_is_told) {
  TransactionMachine machine(GetParam());
  machine.cluster->inject(
      {.api = ApiKey::init_producer_id, .kind = FaultKind::silence, .times = mock::always});
  machine.begin_work();
  EXPECT_EQ(machine.begin(3s).error().failure, Failure::timed_out);
  machine.cluster->clear_faults();
  machine.cluster->fail_next(ApiKey::init_producer_id,
                             ErrorCode::transactional_id_authorization_failed);
  const auto refused = machine.begin();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().fatal);
  EXPECT_EQ(refused.error().code, ErrorCode::transactional_id_authorization_failed);
  EXPECT_TRUE(machine.begin().error().fatal);
}

TEST_P(Transactions, whatever_goes_wrong_a_transaction_is_seen_as_a_whole_or_not_at_all) {
  constexpr std::array apis = {ApiKey::init_producer_id, ApiKey::add_partitions_to_txn,
                               ApiKey::end_txn, ApiKey::produce, ApiKey::find_coordinator};
  constexpr std::array kinds = {FaultKind::drop_before, FaultKind::drop_after, FaultKind::cut_short,
                                FaultKind::garbage,     FaultKind::wrong_id,   FaultKind::error};
  constexpr std::array codes = {ErrorCode::not_coordinator, ErrorCode::concurrent_transactions,
                                ErrorCode::transaction_abortable, ErrorCode::request_timed_out,
                                ErrorCode::unknown_server_error};
  // Of what was planted, what is not tried again where a transaction begins or ends.
  const auto is_final = [](const ClientError& error) {
    return error.code == ErrorCode::unknown_server_error ||
           error.code == ErrorCode::transaction_abortable;
  };
  for (std::uint64_t seed = 1; seed <= 200 / MILLRACE_SLOWNESS; ++seed) {
    SCOPED_TRACE(seed);
    TransactionMachine machine(GetParam(), 3, seed);
    // In each second world records run out of time, and requests that were given up still arrive.
    // In the first protocol such an end would be taken for that of the next transaction.
    const bool is_slow = is_implicit() && seed % 2 == 0;
    machine.settings.delivery_timeout = is_slow ? 3s : 20s;
    machine.settings.common.request_timeout = is_slow ? 1s : 5s;
    machine.begin_work();
    Random chance(seed);
    const auto one_of = [&](const auto& of) { return of[chance.next() % of.size()]; };
    std::array<Tokens, 2> expected;
    const auto seen = [&] { return std::array{machine.committed(0), machine.committed(1)}; };
    std::uint64_t token = 0;
    for (int round = 0; round < 15; ++round) {
      for (int fault = 0; fault < 3; ++fault) {
        machine.cluster->inject(
            {.api = one_of(apis), .kind = one_of(kinds), .error = one_of(codes)});
      }
      if (is_slow) machine.slow_down(chance);
      if (chance.next() % 5 == 0) machine.cluster->drop_connections();
      if (const auto begun = machine.begin(); !begun) {
        EXPECT_TRUE(is_final(begun.error())) << begun.error().message;
        break;
      }
      auto with_these = expected;
      for (int i = 0; i < 12; ++i, ++token) {
        const std::size_t partition = chance.next() % 2;
        if (machine.send(token, static_cast<std::int32_t>(partition))) {
          with_these[partition].push_back(token);
        }
      }
      const bool wants_commit = chance.next() % 4 != 0;
      const auto done = wants_commit ? machine.commit() : machine.abort();
      if (done && wants_commit) expected = with_these;
      if (!done && done.error().fatal) {
        // Either nobody knows, or nothing was committed.
        const bool is_unknown = wants_commit && done.error().persistence == Persistence::unknown;
        EXPECT_TRUE(seen() == expected || (is_unknown && seen() == with_these));
        EXPECT_NE(done.error().failure, Failure::fenced) << "nobody shut it out";
        break;
      }
      if (!done) {
        ASSERT_TRUE(done.error().needs_abort) << done.error().message;
        EXPECT_EQ(seen(), expected);
        if (const auto aborted = machine.abort(); !aborted) {
          EXPECT_TRUE(is_final(aborted.error())) << aborted.error().message;
          break;
        }
      }
      EXPECT_EQ(seen(), expected);
    }
    machine.cluster->clear_faults();
  }
}

INSTANTIATE_TEST_SUITE_P(BothProtocols, Transactions,
                         testing::Values(std::int16_t{1}, std::int16_t{2}),
                         [](const auto& of) { return of.param == 1 ? "named" : "implicit"; });

}  // namespace
}  // namespace millrace::client
