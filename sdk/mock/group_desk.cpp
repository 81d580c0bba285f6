module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.groups;
import millrace.runtime;
import millrace.runtime.streams;
import :group_desk;
import :options;
import :waiting;

namespace millrace::mock {
namespace {

groups::Options settings_of(const Options& options) {
  groups::Options settings;
  settings.initial_rebalance_delay = options.initial_rebalance_delay;
  settings.session_timeout_min = std::chrono::milliseconds(1);
  return settings;
}

}  // namespace

GroupDesk::GroupDesk(Executor& executor, const Options& options)
    : executor_(executor), coordinator_(settings_of(options)) {
  carry_out(coordinator_.loaded(now()));
}

GroupDesk::~GroupDesk() {
  check(open_.empty(), "the groups of the mock outlive who asks them");
}

groups::Now GroupDesk::now() const {
  return {executor_.clock().now(), executor_.clock().wall_now()};
}

void GroupDesk::tick() {
  carry_out(coordinator_.tick(now()));
}

void GroupDesk::carry_out(groups::Effects effects) {
  for (;;) {
    for (groups::Answer& answer : effects.answers) {
      const auto open = open_.find(answer.request);
      // Who asked may be gone.
      if (open == open_.end()) continue;
      open->second->reply = std::move(answer.reply);
      open->second->waiting.wake();
    }
    if (effects.appends.empty()) break;
    effects = coordinator_.committed(effects.appends.back().ticket, now());
  }
  if (effects.deadline) {
    executor_.arm(tick_, *effects.deadline);
  } else if (tick_.armed()) {
    executor_.cancel(tick_);
  }
}

Task<std::optional<groups::Reply>> GroupDesk::ask(groups::Request request, Waiting& waiting) {
  const groups::RequestId id(++asked_);
  Open open{waiting, std::nullopt};
  open_.emplace(id, &open);
  carry_out(coordinator_.request(id, std::move(request), now()));
  while (!open.reply && !waiting.ending()) static_cast<void>(co_await waiting.wait());
  open_.erase(id);
  co_return std::move(open.reply);
}

}  // namespace millrace::mock
