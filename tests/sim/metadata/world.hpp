// Controllers, the log on which they agree, and time: all of it in one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "coverage.hpp"
#include "reference.hpp"

import millrace.base;
import millrace.metadata;
import millrace.metadata.machine;
import millrace.runtime;

namespace millrace::metadata::sim {

// How bad things are, drawn for each run.
struct Weather {
  double loss = 0;  // of a request, and of an answer
  Duration delay_max = std::chrono::milliseconds{5};
  Duration commit_max = std::chrono::milliseconds{5};
};

struct Snapshot {
  MetadataOffset offset;
  OwnedBytes bytes;
};

struct Controller {
  std::string name;
  std::unique_ptr<Machine> machine;  // none while it is down
  std::optional<Snapshot> snapshot;
  std::uint64_t starts = 0;
  std::uint64_t timer = 0;  // the one that counts
  // When it last heard of each broker, since it leads.
  std::map<BrokerId, MonotonicTime> contacts;
};

// Raft is taken as proven: one log, in which what is committed stays, and of what one leader
// proposed some first part is committed when another one follows. A leader that has lost its place
// may believe for a while that it leads; nothing that it proposes then is committed.
class World {
 public:
  using OnReply = std::function<void(const Reply&)>;

  World(std::uint64_t seed, std::size_t controllers, Coverage& coverage, bool trace);

  // Runs what is due until then, or until something is wrong.
  void run_until(Duration time);
  [[nodiscard]] Duration now() const { return now_; }
  void after(Duration delay, std::function<void()> action);

  // --- What is done to controllers ---
  void start(Controller& controller);
  void crash(Controller& controller);
  void catch_up(Controller& controller, std::int64_t entries);
  void take_snapshot(Controller& controller);
  // One that is behind gets a snapshot of another one.
  void install_snapshot(Controller& controller);
  // The leader, if there is one, is none any more.
  enum class Ending { steps_down, believes_on, crashes };
  void end_leader(Ending ending);
  // If there is none and one is up.
  void elect_leader();

  // To the one that leads, or to one that does not. Its answer may never come.
  void send(Request request, bool to_leader, OnReply on_reply = {});

  [[nodiscard]] std::vector<Controller>& controllers() { return controllers_; }
  [[nodiscard]] Controller* leader() { return leader_; }
  [[nodiscard]] bool rests() const { return pending_.empty() && open_.empty(); }
  [[nodiscard]] Reference& reference() { return reference_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] Weather& weather() { return weather_; }
  [[nodiscard]] Coverage& coverage() { return coverage_; }
  [[nodiscard]] bool broken() const { return reference_.problem().has_value(); }
  [[nodiscard]] std::int64_t draw(std::int64_t low, std::int64_t high) {
    return low +
           static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  [[nodiscard]] Duration draw(Duration longest) { return Duration{draw(0, longest.count())}; }
  // The image that a snapshot of that offset gives, in parts that are cut anywhere.
  [[nodiscard]] std::shared_ptr<const Image> restored(const Snapshot& snapshot);
  void trace(const std::string& line) const;

 private:
  struct Action {
    Duration time;
    std::uint64_t number;  // of two at the same time, the earlier one first
    std::function<void()> run;

    friend bool operator<(const Action& left, const Action& right) {
      return std::pair(left.time, left.number) > std::pair(right.time, right.number);
    }
  };
  struct Open {
    Controller* controller;
    Request request;
    OnReply on_reply;
  };

  [[nodiscard]] MonotonicTime clock() const { return MonotonicTime{} + now_; }
  [[nodiscard]] Controller& any_up();
  void deliver(Controller& controller, Request request, const OnReply& on_reply);
  void carry_out(Controller& controller, Effects effects);
  void commit_one(std::uint64_t term);
  void tick(Controller& controller);
  void step_down(Controller& controller);
  void note_contact(Controller& controller, const Request& request, const Image& before);
  void look_at_sessions(Controller& controller);

  Random random_;
  Coverage& coverage_;
  bool trace_;
  Options options_;
  Duration now_{};
  std::uint64_t actions_ = 0;
  std::priority_queue<Action> queue_;
  std::vector<Controller> controllers_;
  Controller* leader_ = nullptr;
  std::uint64_t term_ = 0;
  std::deque<OwnedBytes> pending_;  // proposals of the leader
  std::map<RequestId, Open> open_;
  std::uint64_t requests_ = 0;
  Weather weather_;
  Reference reference_;
};

}  // namespace millrace::metadata::sim
