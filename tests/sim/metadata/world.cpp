// Also defines what coverage.hpp declares.
#include "world.hpp"

#include <algorithm>
#include <cstdio>

import millrace.config;

namespace millrace::metadata::sim {
namespace {

const Options& options() {
  static const Options made = [] {
    auto server = config::make_server_config({}, {}, nullptr);
    return options_from(std::make_shared<const config::ServerConfig>(std::move(server)->config));
  }();
  return made;
}

bool shares_directory(const Broker& left, const Broker& right) {
  return std::ranges::find_first_of(left.directories, right.directories) != left.directories.end();
}

}  // namespace

std::string Coverage::text() const {
  std::string text;
  const auto add = [&text](const char* what, std::uint64_t count) {
    text += formatted("{} {}, ", count, what);
  };
  add("runs", runs);
  add("entries", entries);
  add("successes", answers);
  add("leaders", leaders);
  add("stale leaders", stale_leaders);
  add("proposals lost", proposals_lost);
  add("crashes of controllers", controller_crashes);
  add("snapshots restored", snapshots_restored);
  add("registrations", registrations);
  add("sessions expired", sessions_expired);
  add("shut downs", shut_downs);
  add("stale epochs refused", stale_epochs);
  add("processes with a taken id refused", duplicates);
  add("topics made", topics_made);
  add("topics removed", topics_removed);
  add("topics extended", topics_extended);
  add("settings changed", settings_changed);
  add("leaders of partitions changed", leaders_changed);
  add("unclean leaders", unclean_leaders);
  return text + formatted("{} blocks of producer ids\n", blocks);
}

World::World(std::uint64_t seed, std::size_t controllers, Coverage& coverage, bool trace)
    : random_(seed), coverage_(coverage), trace_(trace), options_(options()), reference_(coverage) {
  for (std::size_t i = 0; i < controllers; ++i) {
    controllers_.emplace_back().name = formatted("controller {}", i);
  }
  for (Controller& controller : controllers_) start(controller);
  elect_leader();
}

void World::trace(const std::string& line) const {
  if (trace_) std::puts(formatted("{} us: {}", now_.count() / 1000, line).c_str());
}

void World::after(Duration delay, std::function<void()> action) {
  queue_.push({now_ + delay, ++actions_, std::move(action)});
}

void World::run_until(Duration time) {
  while (!broken() && !queue_.empty() && queue_.top().time <= time) {
    now_ = queue_.top().time;
    const auto action = queue_.top().run;
    queue_.pop();
    action();
  }
  now_ = time;
}

Controller& World::any_up() {
  std::vector<Controller*> up;
  for (Controller& controller : controllers_) {
    if (controller.machine) up.push_back(&controller);
  }
  if (up.empty()) {
    start(controllers_.front());
    return controllers_.front();
  }
  return *up[random_.below(up.size())];
}

std::shared_ptr<const Image> World::restored(const Snapshot& snapshot) {
  ++coverage_.snapshots_restored;
  ImageBuilder builder(empty_image());
  builder.begin_snapshot();
  ByteView rest = snapshot.bytes;
  while (!rest.empty()) {
    const auto part = static_cast<std::size_t>(draw(1, static_cast<std::int64_t>(rest.size())));
    if (!builder.apply_snapshot(rest.first(part))) reference_.fail("a snapshot cannot be read");
    rest = rest.subspan(part);
  }
  if (!builder.end_snapshot(snapshot.offset)) reference_.fail("a snapshot does not end");
  auto image = builder.take().first;
  reference_.compare(*image, "a snapshot");
  return image;
}

void World::start(Controller& controller) {
  if (controller.machine) return;
  ++controller.starts;
  const std::uint64_t seed = random_.next();
  controller.machine =
      std::make_unique<Machine>(options_, [own = Random(seed)]() mutable { return own.next(); });
  if (controller.snapshot) controller.machine->restore(restored(*controller.snapshot));
}

void World::crash(Controller& controller) {
  if (!controller.machine) return;
  trace(controller.name + " crashes");
  ++coverage_.controller_crashes;
  controller.machine.reset();
  ++controller.timer;
  std::erase_if(open_, [&](const auto& open) { return open.second.controller == &controller; });
}

void World::catch_up(Controller& controller, std::int64_t entries) {
  if (!controller.machine || controller.machine->leads()) return;
  for (; entries > 0 && controller.machine->image()->offset() < reference_.end(); --entries) {
    const MetadataOffset offset = controller.machine->image()->offset();
    const auto& entry = reference_.entry_after(offset);
    std::optional<ByteView> view;
    if (entry) view = *entry;
    auto effects = controller.machine->committed(offset.next(), view, clock());
    if (!effects) return reference_.fail("a controller cannot read the log");
    carry_out(controller, *std::move(effects));
  }
  reference_.compare(*controller.machine->image(), controller.name);
}

void World::take_snapshot(Controller& controller) {
  if (!controller.machine) return;
  Snapshot snapshot{controller.machine->image()->offset(), {}};
  write_snapshot(*controller.machine->image(), [&](const OwnedBytes& piece) {
    snapshot.bytes.insert(snapshot.bytes.end(), piece.begin(), piece.end());
  });
  controller.snapshot = std::move(snapshot);
}

void World::install_snapshot(Controller& controller) {
  const Controller& other = any_up();
  if (!controller.machine || controller.machine->leads() || !other.snapshot) return;
  if (other.snapshot->offset <= controller.machine->image()->offset()) return;
  controller.machine->restore(restored(*other.snapshot));
  controller.snapshot = other.snapshot;
}

void World::end_leader(Ending ending) {
  if (leader_ == nullptr) return;
  Controller& old = *std::exchange(leader_, nullptr);
  trace(formatted("{} leads no more ({})", old.name, static_cast<int>(ending)));
  ++term_;
  // The next leader has some of what this one proposed.
  for (std::int64_t kept = draw(0, static_cast<std::int64_t>(pending_.size())); kept > 0; --kept) {
    reference_.commit(pending_.front());
    pending_.pop_front();
  }
  coverage_.proposals_lost += pending_.size();
  pending_.clear();
  if (ending == Ending::crashes) return crash(old);
  if (ending == Ending::steps_down) return step_down(old);
  ++coverage_.stale_leaders;
  after(draw(std::chrono::seconds{4}), [this, &old] { step_down(old); });
}

void World::step_down(Controller& controller) {
  if (!controller.machine || !controller.machine->leads() || leader_ == &controller) return;
  carry_out(controller, controller.machine->lose_leadership());
  ++controller.timer;
  if (controller.machine->open_requests() != 0) reference_.fail("a request has no answer");
}

void World::elect_leader() {
  if (leader_ != nullptr || broken()) return;
  Controller& next = any_up();
  step_down(next);
  // The first entry of its term.
  reference_.commit(std::nullopt);
  catch_up(next, reference_.end().value());
  if (broken()) return;
  trace(next.name + " leads");
  ++coverage_.leaders;
  leader_ = &next;
  next.contacts.clear();
  next.machine->image()->for_each_broker(
      [&](const Broker& broker) { next.contacts[broker.id] = clock(); });
  carry_out(next, next.machine->become_leader(clock()));
}

void World::send(Request request, bool to_leader, OnReply on_reply) {
  Controller* const to = to_leader ? leader_ : &controllers_[random_.below(controllers_.size())];
  if (to == nullptr || random_.chance(weather_.loss)) return;
  after(draw(weather_.delay_max), [this, to, request = std::move(request), on_reply] {
    if (to->machine) deliver(*to, request, on_reply);
  });
}

void World::deliver(Controller& controller, Request request, const OnReply& on_reply) {
  const RequestId id(++requests_);
  if (controller.machine->leads()) reference_.delivered(request);
  open_.emplace(id, Open{&controller, request, on_reply});
  const std::shared_ptr<const Image> before = controller.machine->proposed();
  Effects effects = controller.machine->request(id, request, clock());
  if (controller.machine->leads()) note_contact(controller, request, *before);
  carry_out(controller, std::move(effects));
}

void World::note_contact(Controller& controller, const Request& request, const Image& before) {
  const Image& after = *controller.machine->proposed();
  if (const auto* const heartbeat = std::get_if<Heartbeat>(&request)) {
    const Broker* const broker = before.broker(heartbeat->broker);
    if (broker == nullptr || broker->epoch != heartbeat->epoch) return;
    controller.contacts[broker->id] = clock();
    if (heartbeat->want_shut_down) controller.contacts.erase(broker->id);
  } else if (const auto* const registration = std::get_if<RegisterBroker>(&request)) {
    const Broker& wanted = registration->broker;
    const Broker* const old = before.broker(wanted.id);
    const Broker* const broker = after.broker(wanted.id);
    if (broker == nullptr || broker->incarnation != wanted.incarnation) return;
    const auto contact = controller.contacts.find(wanted.id);
    const bool was_alive = contact != controller.contacts.end() && old != nullptr &&
                           clock() < contact->second + options_.session_timeout;
    if (was_alive && old->incarnation != wanted.incarnation && !shares_directory(*old, wanted)) {
      reference_.fail("a process took the id of one that lives");
    }
    controller.contacts[wanted.id] = clock();
  } else if (const auto* const unregister = std::get_if<UnregisterBroker>(&request)) {
    controller.contacts.erase(unregister->broker);
  }
}

void World::look_at_sessions(Controller& controller) {
  controller.machine->proposed()->for_each_broker([&](const Broker& broker) {
    if (broker.fenced || broken()) return;
    const auto contact = controller.contacts.find(broker.id);
    const bool is_heard = contact != controller.contacts.end() &&
                          clock() <= contact->second + options_.session_timeout;
    if (!is_heard) reference_.fail(formatted("silent broker {} still serves", broker.id.value()));
  });
}

void World::carry_out(Controller& controller, Effects effects) {
  const std::shared_ptr<const Image> committed = controller.machine->image();
  for (Answer& answer : effects.answers) {
    const auto open = open_.find(answer.request);
    if (open == open_.end() || open->second.controller != &controller) {
      return reference_.fail("an answer to a request that is not open");
    }
    reference_.answered(*committed, open->second.request, answer.reply);
    if (open->second.on_reply && !random_.chance(weather_.loss)) {
      after(draw(weather_.delay_max), [reply = std::move(answer.reply),
                                       to = std::move(open->second.on_reply)] { to(reply); });
    }
    open_.erase(open);
  }
  const std::uint64_t term = term_;
  for (Proposal& proposal : effects.proposals) {
    if (leader_ != &controller) {
      ++coverage_.proposals_lost;
      continue;
    }
    pending_.push_back(std::move(proposal.entry));
    after(draw(weather_.commit_max), [this, term] { commit_one(term); });
  }
  if (!controller.machine->leads()) return;
  look_at_sessions(controller);
  const std::uint64_t timer = ++controller.timer;
  if (!effects.deadline) return;
  after(std::max(*effects.deadline - clock(), Duration{}), [this, &controller, timer] {
    if (controller.timer == timer) tick(controller);
  });
}

void World::commit_one(std::uint64_t term) {
  if (term != term_ || leader_ == nullptr) return;
  const OwnedBytes entry = std::move(pending_.front());
  pending_.pop_front();
  reference_.commit(entry);
  if (broken()) return;
  auto effects = leader_->machine->committed(reference_.end(), ByteView(entry), clock());
  if (!effects) return reference_.fail("a controller cannot read what it proposed");
  carry_out(*leader_, *std::move(effects));
}

void World::tick(Controller& controller) {
  const std::shared_ptr<const Image> before = controller.machine->proposed();
  Effects effects = controller.machine->tick(clock());
  controller.machine->proposed()->for_each_broker([&](const Broker& broker) {
    const Broker* const old = before->broker(broker.id);
    if (!broker.fenced || old == nullptr || old->fenced) return;
    ++coverage_.sessions_expired;
    const auto contact = controller.contacts.find(broker.id);
    const bool is_silent = contact == controller.contacts.end() ||
                           clock() >= contact->second + options_.session_timeout;
    if (!is_silent)
      reference_.fail(formatted("broker {} was heard, and is fenced", broker.id.value()));
  });
  carry_out(controller, std::move(effects));
}

}  // namespace millrace::metadata::sim
