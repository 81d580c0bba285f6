#include "trial.hpp"

#include <array>
#include <chrono>
#include <string>

#include "processes.hpp"
#include "world.hpp"

namespace millrace::metadata::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration stormy = seconds{60};
// After the last fault: sessions end, what was killed is started again and catches up.
constexpr Duration settled_within = seconds{40};
constexpr std::int64_t controllers_max = 3;
constexpr std::int64_t brokers_max = 5;

class Trial {
 public:
  Trial(std::uint64_t seed, Coverage& coverage, bool trace)
      : choice_(seed ^ 0x5EED),
        world_(seed, 1 + choice_.below(controllers_max), coverage, trace),
        processes_(world_, 1 + choice_.below(brokers_max)) {}

  Outcome run() {
    draw_weather();
    processes_.begin(stormy);
    every(milliseconds{150}, [this] { ask(); });
    every(milliseconds{900}, [this] { harm_brokers(); });
    every(milliseconds{1500}, [this] { harm_controllers(); });
    every(milliseconds{400}, [this] {
      Controller& controller = any_controller();
      world_.catch_up(controller, world_.draw(0, 30));
      if (choice_.chance(0.3)) world_.take_snapshot(controller);
      if (choice_.chance(0.2)) world_.install_snapshot(controller);
    });
    world_.run_until(stormy);
    settle();
    ++world_.coverage().runs;
    return {world_.reference().problem(), world_.reference().digest()};
  }

 private:
  // Again and again while the storm lasts, at uneven times.
  void every(Duration period, std::function<void()> action) {
    const Duration delay{world_.draw(1, 2 * period.count())};
    if (world_.now() + delay >= stormy) return;
    world_.after(delay, [this, period, action] {
      action();
      every(period, action);
    });
  }

  void draw_weather() {
    Weather& weather = world_.weather();
    weather.loss = choice_.chance(0.5) ? 0.1 : 0.01;
    weather.delay_max = milliseconds{choice_.chance(0.4) ? 2500 : 20};
    weather.commit_max = milliseconds{choice_.chance(0.4) ? 800 : 10};
  }

  Controller& any_controller() {
    return world_.controllers()[choice_.below(world_.controllers().size())];
  }
  BrokerId any_broker() {
    return BrokerId(static_cast<std::int32_t>(choice_.below(processes_.brokers())));
  }
  std::int32_t pick(std::uint64_t limit) { return static_cast<std::int32_t>(choice_.below(limit)); }
  std::string name() {
    static constexpr std::array names = {
        "a.b", "a_b", "orders", "bills", "x.y.z", "x_y.z", "__consumer_offsets"};
    return names[choice_.below(names.size())];
  }
  std::pair<std::string, std::string> setting() {
    if (choice_.chance(0.4)) {
      return {"unclean.leader.election.enable", choice_.chance(0.5) ? "true" : "false"};
    }
    return {choice_.chance(0.5) ? "retention.ms" : "segment.ms",
            std::to_string(60'000 + pick(1000))};
  }

  void ask() {
    const bool to_leader = choice_.chance(0.95);
    switch (choice_.below(8)) {
      case 0:
      case 1:
        return world_.send(creation(), to_leader);
      case 2:
        return world_.send(removal(), to_leader);
      case 3: {
        CreatePartitions request;
        request.topics.push_back({name(), 1 + pick(9), std::nullopt});
        request.validate_only = choice_.chance(0.1);
        return world_.send(std::move(request), to_leader);
      }
      case 4:
      case 5:
        return world_.send(alteration(), to_leader);
      default:
        if (const Process* const process = processes_.any()) {
          world_.send(AllocateProducerIds{process->id, process->epoch}, to_leader);
        }
    }
  }

  Request creation() {
    CreateTopics request;
    for (std::int32_t i = pick(3); i >= 0; --i) {
      NewTopic topic;
      topic.name = name();
      topic.partitions = pick(6) - 1;
      topic.replication_factor = static_cast<std::int16_t>(pick(5) - 1);
      if (choice_.chance(0.3)) topic.settings = {setting()};
      request.topics.push_back(std::move(topic));
    }
    request.validate_only = choice_.chance(0.1);
    return request;
  }

  Request removal() {
    DeleteTopics request;
    const auto topic = world_.reference().image_at(world_.reference().end())->topic(name());
    if (topic && choice_.chance(0.5)) {
      request.topics.push_back({std::nullopt, topic->id});
    } else {
      request.topics.push_back({name(), Uuid()});
    }
    return request;
  }

  Request alteration() {
    AlterConfigs request;
    const auto [key, value] = setting();
    const bool unset = choice_.chance(0.3);
    request.replaces = !unset && choice_.chance(0.2);
    request.validate_only = choice_.chance(0.1);
    const bool of_brokers = choice_.chance(0.1) && key == "unclean.leader.election.enable";
    const ConfigKind kind = of_brokers ? ConfigKind::broker : ConfigKind::topic;
    SettingChange change{key, unset ? SettingOperation::unset : SettingOperation::set, value};
    request.resources.push_back(
        {static_cast<std::int8_t>(kind), of_brokers ? "" : name(), {std::move(change)}});
    return request;
  }

  void harm_brokers() {
    Process* const process = processes_.any();
    if (process == nullptr) return;
    const BrokerId id = process->id;
    switch (choice_.below(8)) {
      case 0:
      case 1:
        processes_.kill(*process);
        return world_.after(world_.draw(seconds{18}), [this, id] {
          if (processes_.living(id) == 0) processes_.start(id, true);
        });
      case 2:
      case 3:
        process->stops = true;
        return;
      case 4:
      case 5:
        process->stands_still = true;
        return world_.after(world_.draw(seconds{25}), [process] { process->stands_still = false; });
      case 6:
        // By mistake, a second one.
        if (processes_.living(id) == 1) processes_.start(id, false);
        return;
      default:
        if (choice_.chance(0.2)) world_.send(UnregisterBroker{any_broker()}, true);
    }
  }

  void harm_controllers() {
    Controller& controller = any_controller();
    switch (choice_.below(4)) {
      case 0:
        world_.end_leader(static_cast<World::Ending>(choice_.below(3)));
        break;
      case 1:
        if (world_.leader() != &controller) world_.crash(controller);
        break;
      default:
        break;
    }
    world_.after(world_.draw(seconds{3}), [this, &controller] {
      world_.start(controller);
      world_.elect_leader();
    });
    world_.after(seconds{3}, [this] {
      for (Controller& each : world_.controllers()) world_.start(each);
      world_.elect_leader();
    });
  }

  // Now every broker must come to serve, and all must know the same.
  void settle() {
    world_.weather() = Weather{};
    for (const auto& process : processes_.all()) process->stands_still = false;
    for (std::size_t i = 0; i < processes_.brokers(); ++i) {
      const BrokerId id(static_cast<std::int32_t>(i));
      // Of two with one id, the operator ends one.
      for (const auto& process : processes_.all()) {
        if (process->id == id && process->lives && processes_.living(id) > 1) {
          processes_.kill(*process);
        }
      }
      if (processes_.living(id) == 0) processes_.start(id, true);
    }
    world_.run_until(stormy + settled_within);
    Reference& reference = world_.reference();
    if (world_.broken()) return;
    if (world_.leader() == nullptr) return reference.fail("there is no leader after the storm");
    for (Controller& controller : world_.controllers()) {
      world_.start(controller);
      world_.catch_up(controller, reference.end().value());
    }
    const Image& image = *world_.leader()->machine->image();
    for (const auto& process : processes_.all()) {
      if (!process->lives) continue;
      const Broker* const broker = image.broker(process->id);
      if (broker == nullptr || broker->fenced || broker->incarnation != process->incarnation) {
        reference.fail(formatted("broker {} does not serve again", process->id.value()));
      }
    }
    if (!world_.rests()) reference.fail("a request was never answered");
  }

  Random choice_;
  World world_;
  Processes processes_;
};

}  // namespace

Outcome run(std::uint64_t seed, Coverage& coverage, bool trace) {
  Outcome outcome = Trial(seed, coverage, trace).run();
  if (outcome.problem) outcome.problem = formatted("seed {}: {}", seed, *outcome.problem);
  return outcome;
}

}  // namespace millrace::metadata::sim
