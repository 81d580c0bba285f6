// The brokers of a run: processes that register, heartbeat, follow the log, and end in every way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "world.hpp"

namespace millrace::metadata::sim {

struct Process {
  BrokerId id;
  Uuid incarnation;
  Uuid directory;
  bool lives = true;
  bool stands_still = false;
  bool stops = false;
  BrokerEpoch epoch{-1};  // -1: not registered yet
  bool serves = false;    // as it was told
  std::shared_ptr<const Image> image = empty_image();
};

// Every broker has a directory of its own, by which a controller knows that the process before has
// ended; an operator may also start a second one, with another directory, by mistake.
class Processes {
 public:
  Processes(World& world, std::size_t brokers);

  void begin(Duration until) { until_ = until; }
  void start(BrokerId id, bool with_its_directory);
  void kill(Process& process) { process.lives = false; }
  // One that lives, if there is one.
  [[nodiscard]] Process* any();
  [[nodiscard]] std::size_t living(BrokerId id) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Process>>& all() const { return processes_; }
  [[nodiscard]] std::size_t brokers() const { return brokers_; }

 private:
  void attempt(Process& process);
  void heartbeat(Process& process);
  void on(Process& process, const HeartbeatReply& reply);
  void follow(Process& process);
  void restart_later(BrokerId id);
  [[nodiscard]] Uuid uuid(std::uint8_t kind, std::uint64_t number) const;

  World& world_;
  std::size_t brokers_;
  Duration until_{};
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace millrace::metadata::sim
