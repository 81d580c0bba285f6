// The life of a server and what its clients know of it, for tests that cut it off. Included after
// all standard headers, because it imports modules.
#pragma once

#include "manager_machine.hpp"

namespace millrace::storage::life {

inline const TopicPartition kept{"kept", PartitionIndex(0)};
inline const TopicPartition renewed{"renewed", PartitionIndex(1)};
inline const TopicPartition replaced{"replaced", PartitionIndex(2)};

// What a client knows of a partition.
struct Known {
  bool exists = false;
  bool in_doubt = false;  // it is being made or removed
  Uuid id;
  std::vector<std::string> answered;    // what was appended, from offset 0 on
  std::size_t durable = 0;              // of these; the others may be lost, the last ones first
  std::optional<std::string> unknown;   // appended without an answer
  Offset start{0};                      // records below were deleted
  std::optional<Offset> start_unknown;  // being deleted
};

class Client {
 public:
  // Every answer means: on the disk; or, if the server leaves that to the system, only that of a
  // flush and of a stop in order.
  explicit Client(ManagerMachine& machine)
      : machine_(machine), durable_at_once_(machine.config.flush_records == 1) {}

  std::map<TopicPartition, Known> partitions;

  bool create(const TopicPartition& partition, std::uint8_t id) {
    Known& known = partitions[partition];
    known.in_doubt = true;
    if (!machine_.create(partition, test_topic_id(id))) return false;
    known = {};
    known.exists = true;
    known.id = test_topic_id(id);
    return true;
  }
  bool remove(const TopicPartition& partition) {
    Known& known = partitions[partition];
    known.in_doubt = true;
    if (!machine_.remove(partition)) return false;
    known = {};
    return true;
  }
  bool set_aside(const TopicPartition& partition) {
    Known& known = partitions[partition];
    known.in_doubt = true;
    if (!machine_.wait(machine_.manager_of(partition).set_aside(partition))) return false;
    known = {};
    return true;
  }
  bool append(const TopicPartition& partition, std::size_t count) {
    Known& known = partitions[partition];
    for (std::size_t i = 0; i < count; ++i) {
      known.unknown = to_string(known.id) + "/" + std::to_string(known.answered.size());
      if (!machine_.append(partition, *known.unknown)) return false;
      known.answered.push_back(*std::exchange(known.unknown, std::nullopt));
      if (durable_at_once_) known.durable = known.answered.size();
    }
    return true;
  }
  bool flush(const TopicPartition& partition) {
    const auto log = machine_.manager_of(partition).find(partition);
    if (!log || !machine_.wait(log->flush())) return false;
    Known& known = partitions[partition];
    known.durable = known.answered.size();
    return true;
  }
  bool stop_server() {
    if (!machine_.stop()) return false;
    for (auto& [partition, known] : partitions) known.durable = known.answered.size();
    return true;
  }
  bool delete_below(const TopicPartition& partition, Offset offset) {
    Known& known = partitions[partition];
    known.start_unknown = offset;
    const auto log = machine_.manager_of(partition).find(partition);
    if (!log) return false;
    log->set_high_watermark(log->end());
    if (!machine_.wait(log->delete_below(offset))) return false;
    known.start = offset;
    known.start_unknown.reset();
    return true;
  }

  // After a start.
  void check() {
    for (const auto& [partition, known] : partitions) {
      SCOPED_TRACE(to_string(partition));
      const auto log = machine_.manager_of(partition).find(partition);
      if (known.in_doubt) {
        check_in_doubt(partition, known, log);
        continue;
      }
      ASSERT_EQ(log != nullptr, known.exists);
      if (!log) continue;
      EXPECT_EQ(machine_.manager_of(partition).topic_id_of(partition), known.id);
      check_records(partition, known, *log);
    }
  }

 private:
  void check_records(const TopicPartition& partition, const Known& known, const Log& log) {
    if (log.start() != known.start) {
      ASSERT_EQ(log.start(), known.start_unknown.value_or(known.start));
    }
    std::vector<std::string> expected(known.answered.begin() + log.start().value(),
                                      known.answered.end());
    const std::vector<std::string> found = machine_.values(partition);
    if (known.unknown && found.size() == expected.size() + 1) expected.push_back(*known.unknown);
    const auto durable = static_cast<std::int64_t>(known.durable) - log.start().value();
    if (std::ssize(found) < std::ssize(expected) && std::ssize(found) >= durable) {
      expected.resize(found.size());
    }
    EXPECT_EQ(found, expected) << "of " << known.answered.size() << " records " << known.durable
                               << " are durable; the log begins at " << log.start().value();
  }
  // It was there before or after: in each case with nothing but its own.
  void check_in_doubt(const TopicPartition& partition, const Known& known,
                      const std::shared_ptr<Log>& log) {
    if (!log) return;
    const auto id = machine_.manager_of(partition).topic_id_of(partition);
    if (known.exists && id == known.id) {
      check_records(partition, known, *log);
    } else {
      EXPECT_EQ(machine_.values(partition), std::vector<std::string>());
    }
  }

  ManagerMachine& machine_;
  bool durable_at_once_;
};

// False as soon as something fails.
inline bool live(ManagerMachine& machine, Client& client) {
  if (!machine.start()) return false;
  if (!client.create(kept, 1) || !client.append(kept, 12)) return false;
  if (!client.create(renewed, 2) || !client.append(renewed, 9)) return false;
  if (!client.delete_below(renewed, Offset(7))) return false;
  machine.executor.advance(std::chrono::seconds(61));
  if (!client.remove(renewed)) return false;
  if (!client.create(renewed, 3) || !client.append(renewed, 3)) return false;
  // Of a topic that was made anew while the server was away: the old one is set aside.
  if (!client.create(replaced, 4) || !client.append(replaced, 4)) return false;
  if (!client.create(replaced, 5) || !client.append(replaced, 2)) return false;
  machine.executor.advance(std::chrono::seconds(2));
  if (!client.stop_server()) return false;
  if (!machine.start()) return false;
  if (!client.append(kept, 2) || !client.delete_below(kept, Offset(5))) return false;
  return client.stop_server();
}

// One thing that may happen to a partition or to the server.
inline bool random_step(ManagerMachine& machine, Client& client, Random& random,
                        std::uint8_t& last_id) {
  const TopicPartition partition{"t" + std::to_string(random.below(3)),
                                 PartitionIndex(static_cast<std::int32_t>(random.below(2)))};
  // It went away while nobody asked for anything.
  if (machine.disk.power_cuts() > 0) return false;
  const Known known = client.partitions[partition];
  const std::uint64_t choice = random.below(20);
  if (choice == 0) {
    // As long as it takes until what is done now and then is done.
    const Duration second = machine.config.flush_records ? std::chrono::seconds(1)
                                                         : Duration(std::chrono::milliseconds(10));
    machine.executor.advance(second * random.below(70));
    return true;
  }
  if (choice == 1) {
    if (!client.stop_server()) return false;
    return machine.start().has_value();
  }
  if (choice == 2) {
    machine.end_of_process();
    return machine.start().has_value();
  }
  if (!known.exists || choice == 3) return client.create(partition, ++last_id);
  if (choice == 4) return client.remove(partition);
  if (choice == 5) return client.set_aside(partition);
  if (choice <= 8) {
    const auto left = static_cast<std::uint64_t>(known.answered.size()) -
                      static_cast<std::uint64_t>(known.start.value());
    return client.delete_below(partition,
                               known.start.plus(static_cast<std::int64_t>(random.below(left + 1))));
  }
  if (choice == 9) return client.flush(partition);
  return client.append(partition, 1 + random.below(5));
}

inline bool random_life(ManagerMachine& machine, Client& client, std::uint64_t seed) {
  Random random(seed);
  std::uint8_t last_id = 0;
  if (!machine.start()) return false;
  for (int i = 0; i < 40; ++i) {
    if (!random_step(machine, client, random, last_id)) return false;
  }
  return client.stop_server();
}

// What a server does with appends before it answers.
enum class Flushing : std::uint8_t { before_answers, left_to_the_system };

// Servers of one and of several disks and shards.
inline std::unique_ptr<ManagerMachine> server(std::uint64_t seed, Flushing flushing) {
  std::vector<std::string> directories{"/data"};
  if (seed % 2 == 0) directories.emplace_back("/more");
  const std::uint32_t shards = seed % 3 == 0 ? 2 : 1;
  auto machine = std::make_unique<ManagerMachine>(seed, std::move(directories), shards);
  if (flushing == Flushing::before_answers) {
    machine->config.flush_records = 1;
  } else {
    // Recovery points are saved all the time, while what was rolled is not durable yet.
    machine->files.slow = 0.3;
    machine->options.recovery_point_interval = Milliseconds(5);
  }
  machine->config.segment_bytes = 400;
  machine->config.file_delete_delay = Milliseconds(1000);
  machine->files.completion = SimulatedCompletion::mixed;
  return machine;
}

using Life = std::function<bool(ManagerMachine&, Client&)>;

inline std::uint64_t steps_of_a_life(std::uint64_t seed, const Life& life = live,
                                     Flushing flushing = Flushing::before_answers) {
  const auto machine = server(seed, flushing);
  Client client(*machine);
  EXPECT_TRUE(life(*machine, client));
  return machine->disk.steps();
}

// A life that is cut off at a step, and perhaps the start after it too.
inline void live_until(std::uint64_t seed, std::uint64_t step, std::uint64_t step_of_next_start,
                       const Life& life = live, Flushing flushing = Flushing::before_answers) {
  SCOPED_TRACE(
      formatted("seed {}, cut at step {} and {} steps later", seed, step, step_of_next_start));
  const auto owned = server(seed, flushing);
  ManagerMachine& machine = *owned;
  Client client(machine);
  machine.disk.cut_power_at(step, seed * 1000 + step);
  const bool ended = life(machine, client);
  if (machine.process) machine.end_of_process();
  if (ended) machine.disk.power_cut(seed);
  if (step_of_next_start > 0) {
    machine.disk.cut_power_at(machine.disk.steps() + step_of_next_start, seed);
    static_cast<void>(machine.start().has_value());
    machine.end_of_process();
    machine.disk.cut_power_at(0, 0);
  }
  const auto started = machine.start();
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(machine.report.failed, 0u);
  client.check();
  // And it goes on from there.
  for (const auto& [partition, known] : client.partitions) {
    EXPECT_TRUE(machine.create(partition, known.id.is_zero() ? test_topic_id(9) : known.id));
    EXPECT_TRUE(machine.append(partition, "more"));
  }
}

// A life of random steps, cut off at one of them, and the start after it now and then too.
inline void live_at_random(std::uint64_t seed, Flushing flushing) {
  const Life life = [seed](ManagerMachine& machine, Client& client) {
    return random_life(machine, client, seed);
  };
  const std::uint64_t steps = steps_of_a_life(seed, life, flushing);
  const std::uint64_t step = 1 + Random(seed).below(steps);
  live_until(seed, step, seed % 4 == 0 ? 1 + seed % 23 : 0, life, flushing);
}

}  // namespace millrace::storage::life
