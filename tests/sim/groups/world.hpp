// The state partition, its coordinators, and time: all of it in one thread.
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
import millrace.groups;
import millrace.runtime;

namespace millrace::groups::sim {

// How bad things are, drawn for each run.
struct Weather {
  double loss = 0;  // of a request, and of an answer
  Duration delay_max = std::chrono::milliseconds{5};
  Duration commit_max = std::chrono::milliseconds{5};
  Duration loading_max = std::chrono::milliseconds{100};
};

// A coordinator of the partition. The newest one may append; of one before it nothing more is
// written, and it learns that when it tries, or later.
struct Process {
  std::uint64_t number = 0;
  Coordinator coordinator;
  bool is_fenced = false;
  std::uint64_t appended = 0;  // tickets
  std::uint64_t timer = 0;     // the one that counts
};

class World {
 public:
  using OnReply = std::function<void(const Reply&)>;

  World(std::uint64_t seed, Options options, Coverage& coverage, bool trace);

  // Runs what is due until then, or until something is wrong.
  void run_until(Duration time);
  [[nodiscard]] Duration now() const { return now_; }
  void after(Duration delay, std::function<void()> action);

  // Mostly to the coordinator of now. Its answer may never come. What is committed is numbered when
  // it arrives, so that later offsets are higher. `met` is the newest coordinator that the sender
  // has reached: it does not go back to one before that.
  void send(Request request, OnReply on_reply = {}, std::uint64_t* met = nullptr);

  // Another one follows: of what was appended and is not committed some first part stays.
  void crash();
  void fence();  // the one before does not know it yet
  // Of the records with one key that are committed the last one stays.
  void compact();
  void compare_with_log();

  [[nodiscard]] Process* process() { return process_.get(); }
  // Null: it is loading, or there is none.
  [[nodiscard]] const Coordinator* coordinator() const {
    return process_ ? &process_->coordinator : nullptr;
  }
  [[nodiscard]] bool rests() const { return pending_.empty() && open_.empty(); }
  [[nodiscard]] std::uint64_t joins() const { return joins_; }
  [[nodiscard]] Reference& reference() { return reference_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] Weather& weather() { return weather_; }
  [[nodiscard]] Coverage& coverage() { return coverage_; }
  [[nodiscard]] bool broken() const { return reference_.problem().has_value(); }
  [[nodiscard]] Duration draw(Duration longest) {
    return Duration{
        static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(longest.count() + 1)))};
  }
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
    std::uint64_t process = 0;
    Delivery delivery;
    OnReply on_reply;
  };
  using Records = std::vector<Record>;

  [[nodiscard]] Now clock() const;
  [[nodiscard]] Coordinator replayed();
  void load();
  void loaded(std::uint64_t number, Process& process);
  void keep_some();
  void write(Records records);
  void deliver(Request request, const OnReply& on_reply, std::uint64_t* met);
  void give_number(Request& request);
  void carry_out(Process& process, Effects effects, const std::string& deleted = "");
  void commit_one(std::uint64_t number);
  void retire(std::uint64_t number);

  Random random_;
  Options options_;
  Coverage& coverage_;
  bool trace_;
  Duration now_{};
  std::uint64_t actions_ = 0;
  std::priority_queue<Action> queue_;
  std::uint64_t processes_ = 0;
  std::unique_ptr<Process> process_;      // the newest
  std::unique_ptr<Process> old_process_;  // that is fenced
  std::vector<Records> log_;              // committed
  std::deque<Records> pending_;
  std::map<RequestId, Open> open_;
  std::uint64_t requests_ = 0;
  std::uint64_t joins_ = 0;
  std::int64_t offsets_ = 0;
  Weather weather_;
  Reference reference_;
};

}  // namespace millrace::groups::sim
