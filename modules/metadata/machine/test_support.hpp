// A controller whose log is a list, and what it answered.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.config;
import millrace.metadata.machine;
import millrace.runtime;

namespace millrace::metadata {

inline Options test_options() {
  Options options;
  auto made = config::make_server_config({}, {}, nullptr);
  options.server = std::make_shared<const config::ServerConfig>(std::move(made)->config);
  return options;
}

inline Uuid uuid_of(std::uint8_t number) {
  Uuid uuid;
  uuid.bytes[0] = std::byte{1};
  uuid.bytes[15] = std::byte{number};
  return uuid;
}

// Commits at once what is proposed, unless told to hold.
class Bench {
 public:
  explicit Bench(std::uint64_t seed = 1, Options options = test_options())
      : random_(seed), machine_(std::move(options), [this] { return random_.next(); }) {}

  // It leads from now on.
  Bench& lead() {
    append(std::nullopt);
    take(machine_.become_leader(now_));
    return *this;
  }
  void lose() { take(machine_.lose_leadership()); }
  // What was proposed and is not committed is gone.
  void lose_and_drop() {
    lose();
    proposals_.clear();
  }
  // What controllers of another version have written: it is there when this one leads again.
  void replay(const std::vector<Record>& records) {
    lose();
    append(entry_of(records));
    lead();
  }
  void hold(bool hold = true) {
    holds_ = hold;
    if (!hold) commit_all();
  }
  void commit_one() {
    const OwnedBytes entry = proposals_.front();
    proposals_.pop_front();
    append(entry);
  }
  void commit_all() {
    while (!proposals_.empty()) commit_one();
  }
  [[nodiscard]] std::size_t held() const { return proposals_.size(); }

  RequestId ask(Request request) {
    const RequestId id(++requests_);
    take(machine_.request(id, std::move(request), now_));
    return id;
  }
  [[nodiscard]] bool answered(RequestId id) const { return answers_.contains(id); }
  template <class OneReply>
  [[nodiscard]] OneReply reply(RequestId id) const {
    return std::get<OneReply>(answers_.at(id));
  }
  template <class OneReply>
  OneReply call(Request request) {
    return reply<OneReply>(ask(std::move(request)));
  }

  void pass(Duration time) {
    now_ += time;
    take(machine_.tick(now_));
  }

  // --- Brokers. ---
  [[nodiscard]] RegisterBroker registration(int id, std::uint8_t incarnation = 1) const {
    RegisterBroker request;
    request.cluster_id = machine_.image()->cluster_id();
    request.broker.id = BrokerId(id);
    request.broker.incarnation = uuid_of(incarnation);
    request.broker.endpoints = {{"PLAINTEXT", "host", static_cast<std::uint16_t>(9000 + id), 0}};
    return request;
  }
  [[nodiscard]] Heartbeat heartbeat(int id) const {
    const Broker* broker = machine_.image()->broker(BrokerId(id));
    Heartbeat request;
    request.broker = BrokerId(id);
    request.epoch = broker == nullptr ? BrokerEpoch(-1) : broker->epoch;
    request.applied = machine_.image()->offset();
    request.want_fence = false;
    return request;
  }
  // It is registered, and not fenced.
  void start_broker(int id, std::uint8_t incarnation = 1) {
    ask(registration(id, incarnation));
    ask(heartbeat(id));
  }

  // --- Topics. ---
  CreatedTopic create(std::string name, int partitions = -1, int factor = -1) {
    NewTopic topic;
    topic.name = std::move(name);
    topic.partitions = partitions;
    topic.replication_factor = static_cast<std::int16_t>(factor);
    return create(std::move(topic));
  }
  CreatedTopic create(NewTopic topic, bool validate_only = false) {
    CreateTopics request;
    request.topics.push_back(std::move(topic));
    request.validate_only = validate_only;
    return call<CreateTopicsReply>(std::move(request)).topics.at(0);
  }
  [[nodiscard]] Partition partition(std::string_view topic, std::size_t index) const {
    return machine_.image()->topic(topic)->partitions.at(index);
  }

  [[nodiscard]] const Image& image() const { return *machine_.image(); }
  [[nodiscard]] const Machine& machine() const { return machine_; }
  [[nodiscard]] const std::vector<std::optional<OwnedBytes>>& log() const { return log_; }
  [[nodiscard]] const std::map<RequestId, Reply>& answers() const { return answers_; }
  [[nodiscard]] MonotonicTime now() const { return now_; }
  [[nodiscard]] std::optional<MonotonicTime> deadline() const { return deadline_; }

 private:
  void append(std::optional<OwnedBytes> entry) {
    log_.push_back(entry);
    std::optional<ByteView> view;
    if (entry) view = *entry;
    auto effects =
        machine_.committed(MetadataOffset(static_cast<std::int64_t>(log_.size())), view, now_);
    check(effects.has_value(), "what was proposed can be applied");
    take(*std::move(effects));
  }
  void take(Effects effects) {
    deadline_ = effects.deadline;
    for (Answer& answer : effects.answers) {
      check(answers_.emplace(answer.request, std::move(answer.reply)).second, "one answer each");
    }
    for (Proposal& proposal : effects.proposals) proposals_.push_back(std::move(proposal.entry));
    if (!holds_) commit_all();
  }

  Random random_;
  Machine machine_;
  MonotonicTime now_{};
  std::vector<std::optional<OwnedBytes>> log_;
  std::deque<OwnedBytes> proposals_;
  std::map<RequestId, Reply> answers_;
  std::uint64_t requests_ = 0;
  std::optional<MonotonicTime> deadline_;
  bool holds_ = false;
};

}  // namespace millrace::metadata
