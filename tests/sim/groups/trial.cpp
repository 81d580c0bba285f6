#include "trial.hpp"

#include <chrono>
#include <map>
#include <string>

#include "clients.hpp"
#include "world.hpp"

namespace millrace::groups::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration stormy = seconds{90};
// After the last fault: sessions end, all join, and some may first be told that the group is full.
constexpr Duration settled_within = seconds{60};

Options options() {
  Options options;
  options.initial_rebalance_delay = seconds{1};
  options.offsets_retention = seconds{40};
  options.expiry_interval = seconds{5};
  options.group_size_max = 4;
  return options;
}

class Trial {
 public:
  Trial(std::uint64_t seed, Coverage& coverage, bool trace)
      : choice_(seed ^ 0x5EED), world_(seed, options(), coverage, trace), clients_(world_) {}

  Outcome run() {
    draw_weather();
    make_clients("g", 1 + choice_.below(4));
    make_clients("h", 1 + choice_.below(3));
    every(milliseconds{200}, [this] { ask(); });
    every(milliseconds{1200}, [this] { harm_client(clients_.any()); });
    every(milliseconds{6000}, [this] { harm_coordinator(); });
    every(milliseconds{1500}, [this] { world_.compare_with_log(); });
    world_.run_until(stormy);
    settle();
    for (int i = 0; i < 3; ++i) restart_alone(i);
    for (const auto& client : clients_.all()) return_of(*client);
    end();
    ++world_.coverage().runs;
    return {world_.reference().problem(), world_.reference().digest()};
  }

 private:
  // Again and again while the storm lasts, at uneven times.
  void every(Duration period, std::function<void()> action) {
    const Duration delay = milliseconds{1} + world_.draw(2 * period);
    if (world_.now() + delay >= stormy) return;
    world_.after(delay, [this, period, action] {
      action();
      every(period, action);
    });
  }

  void draw_weather() {
    Weather& weather = world_.weather();
    weather.loss = choice_.chance(0.5) ? 0.05 : 0;
    weather.delay_max = milliseconds{choice_.chance(0.3) ? 900 : 10};
    weather.commit_max = milliseconds{choice_.chance(0.4) ? 700 : 10};
    weather.loading_max = milliseconds{choice_.chance(0.4) ? 1500 : 50};
  }

  void make_clients(const std::string& group, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      Client client;
      client.group = group;
      if (choice_.chance(0.4)) client.instance = group + std::to_string(i);
      client.asks_for_id = choice_.chance(0.6);
      client.skips_assignment = choice_.chance(0.5);
      client.is_busy = choice_.chance(0.3) ? 0.2 : 0;
      client.protocols = {{"range", subscription()}};
      if (choice_.chance(0.5)) client.protocols.push_back({"sticky", subscription()});
      clients_.start(clients_.add(std::move(client)));
    }
  }

  void ask() {
    Client& client = clients_.any();
    switch (choice_.below(14)) {
      case 0:
        if (choice_.chance(0.1)) world_.send(DeleteRequest{{client.group}});
        return;
      case 1:
        return world_.send(DescribeRequest{{client.group}, true});
      case 2:
        return world_.send(ListRequest{});
      case 3: {
        // Who is no member keeps offsets, too.
        Client nobody;
        nobody.group = choice_.chance(0.8) ? "simple" : client.group;
        return clients_.commit(nobody);
      }
      case 4: {
        if (!choice_.chance(0.2)) return;
        const PartitionIndex partition(static_cast<std::int32_t>(choice_.below(6)));
        return world_.send(OffsetDeleteRequest{choice_.chance(0.5) ? "simple" : client.group,
                                               {{std::string(topic_of_all), {}, {partition}}}});
      }
      case 5:
      case 6:
        return world_.send(FetchRequest{choice_.chance(0.2) ? "simple" : client.group, {}});
      case 7:
        return send_nonsense(client);
      default:
        // Also who has lost its place, and does not know it.
        if (client.generation != no_generation) clients_.commit(client);
    }
  }

  // What no client of Kafka's sends, and nobody waits for the answer.
  void send_nonsense(const Client& client) {
    switch (choice_.below(5)) {
      case 0: {
        // It joins, and is not heard of again.
        Client ghost;
        ghost.group = client.group;
        ghost.protocols = {{"range", subscription()}};
        return world_.send(join_of(ghost, world_.random()));
      }
      case 1: {
        JoinRequest request = join_of(client, world_.random());
        request.instance_id = "x";
        return world_.send(std::move(request));
      }
      case 2: {
        // Assigns, and is not the one who may.
        if (!client.members.empty() || client.state != Client::State::stable) return;
        SyncRequest request;
        request.group = client.group;
        request.generation = client.generation;
        request.member_id = client.member;
        request.instance_id = client.instance;
        request.assignments = {{client.member, written({1, {0, 1, 2, 3, 4, 5}})}};
        return world_.send(std::move(request));
      }
      case 3:
        return world_.send(HeartbeatRequest{client.group, client.generation.next(), client.member,
                                            client.instance});
      default:
        return world_.send(LeaveRequest{client.group, {{"nobody", client.instance}}});
    }
  }

  void harm_client(Client& client) {
    switch (choice_.below(7)) {
      case 0:
      case 1:
        clients_.die(client);
        return start_later(client, seconds{choice_.chance(0.5) ? 2 : 12});
      case 2:
        if (!client.member.empty()) clients_.leave(client);
        return start_later(client, seconds{5});
      case 3:
      case 4:
        client.stands_still = true;
        return world_.after(world_.draw(seconds{14}), [&client] { client.stands_still = false; });
      case 5:
        // A second process for the same instance, while the first one may live.
        if (client.instance) clients_.start(client);
        return;
      default:
        // It knows other ways to assign, or fewer.
        if (client.protocols.size() == 2) {
          client.protocols.pop_back();
        } else {
          client.protocols.push_back({"sticky", subscription()});
        }
    }
  }

  void start_later(Client& client, Duration delay) {
    world_.after(world_.draw(delay), [this, &client] {
      if (client.state == Client::State::away) clients_.start(client);
    });
  }

  void harm_coordinator() {
    if (choice_.chance(0.5)) world_.compact();
    choice_.chance(0.5) ? world_.crash() : world_.fence();
  }

  [[nodiscard]] const Group* group_of(const Client& client) {
    const Coordinator* const coordinator = world_.coordinator();
    const auto place = coordinator->groups().find(client.group);
    return place == coordinator->groups().end() ? nullptr : &place->second;
  }

  // Now every client must have an assignment of one generation.
  void settle() {
    world_.trace("the storm ends");
    world_.weather() = Weather{};
    for (const auto& client : clients_.all()) {
      client->stands_still = false;
      client->is_busy = 0;
      if (client->state == Client::State::away) clients_.start(*client);
    }
    world_.run_until(stormy + settled_within);
    look_at_clients("after the storm");
  }

  void look_at_clients(const char* when) {
    for (const auto& client : clients_.all()) {
      if (world_.broken()) return;
      const Group* const group = group_of(*client);
      const bool is_well = group != nullptr && group->is(GroupState::stable) &&
                           client->state == Client::State::stable &&
                           group->generation() == client->generation &&
                           group->members().contains(client->member);
      if (is_well) continue;
      world_.reference().fail(formatted(
          "client {} of group {} has no assignment {}: it is in state {} of generation {}, the "
          "group in state {} of generation {}",
          client->member, client->group, when, static_cast<int>(client->state),
          client->generation.value(), group == nullptr ? "dead" : name_of(group->state()),
          group == nullptr ? -1 : group->generation().value()));
    }
  }

  // Another coordinator, and nothing else, is no reason to join again.
  void restart_alone(int way) {
    if (world_.broken()) return;
    const std::uint64_t joins = world_.joins();
    if (way == 0) world_.compact();
    for (const auto& client : clients_.all()) clients_.commit(*client);
    way == 1 ? world_.fence() : world_.crash();
    world_.run_until(world_.now() + seconds{15});
    look_at_clients("after a restart of the coordinator");
    if (world_.joins() != joins) {
      world_.reference().fail("members joined again because the coordinator restarted");
    }
    world_.compare_with_log();
  }

  // A static member that comes back within its session has what it had, and nobody else joins.
  void return_of(Client& client) {
    if (!client.instance || world_.broken()) return;
    // Not while the answer of another one is on its way.
    world_.run_until(world_.now() + seconds{1});
    const HeartbeatRequest old{client.group, client.generation, client.member, client.instance};
    const OwnedBytes assignment = client.assignment;
    const std::uint64_t joins = world_.joins();
    clients_.die(client);
    // Joined with what it said when it joined last: else the group may have to choose anew.
    const Member& member = group_of(client)->members().at(client.member);
    client.protocols = member.protocols;
    clients_.start(client);
    world_.run_until(world_.now() + seconds{2});
    look_at_clients("after it came back");
    Reference& reference = world_.reference();
    reference.expect(client.generation == old.generation && client.assignment == assignment,
                     "a static member came back and has another assignment");
    reference.expect(world_.joins() == joins + 1, "others joined because one came back");
    world_.send(old, [&reference](const Reply& reply) {
      reference.expect(std::get<HeartbeatReply>(reply).error == ErrorCode::fenced_instance_id,
                       "the process before is not told that there is another");
    });
    ++world_.coverage().static_returns;
  }

  // Nobody comes any more: sessions end, offsets expire, nothing is left.
  void end() {
    for (const auto& client : clients_.all()) clients_.die(*client);
    world_.run_until(world_.now() + minutes{4});
    Reference& reference = world_.reference();
    reference.expect(world_.rests(), "a request was never answered");
    reference.expect(world_.coordinator()->groups().empty(), "a group is never forgotten");
    reference.expect(world_.coordinator()->state_bytes() == 0, "bytes are counted wrongly");
    world_.compare_with_log();
  }

  Random choice_;
  World world_;
  Clients clients_;
};

}  // namespace

Outcome run(std::uint64_t seed, Coverage& coverage, bool trace) {
  Outcome outcome = Trial(seed, coverage, trace).run();
  if (outcome.problem) outcome.problem = formatted("seed {}: {}", seed, *outcome.problem);
  return outcome;
}

}  // namespace millrace::groups::sim
