module;
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/admin.hpp"
#include "millrace/config.hpp"
#include "millrace/consumer.hpp"
#include "millrace/options.hpp"

module millrace.cli.session;

import millrace.cli.frame;

namespace millrace::cli {
namespace {

constexpr std::string_view bootstrap_default = "localhost:9092";
constexpr std::int64_t timeout_seconds_default = 30;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// The settings of the profile that counts: named, of the environment, or the current one.
std::optional<Settings> profile_settings(const Arguments& arguments, Failures& failures) {
  const auto read = read_profiles(profiles_path());
  if (const auto* wrong = std::get_if<Failure>(&read)) {
    failures.push_back(*wrong);
    return std::nullopt;
  }
  const auto& profiles = std::get<Profiles>(read);
  std::string name = arguments.text_or("profile", environment("MILLRACE_PROFILE"));
  if (name.empty()) name = profiles.current;
  if (name.empty()) return Settings();
  const auto found = profiles.profiles.find(name);
  if (found != profiles.profiles.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [other, settings] : profiles.profiles) known.push_back(other);
  const auto nearest = nearest_word(name, known);
  failures.push_back(usage_failure(joined("there is no profile ", name),
                                   nearest ? joined("did you mean ", *nearest, "?")
                                           : "`millrace profile list` shows those that are"));
  return std::nullopt;
}

// What matters of it is in the failures.
v1::ClientOptions quiet() {
  return {.log_level = v1::LogLevel::error,
          .log = [](v1::LogLevel, std::string_view, std::string_view) {}};
}

}  // namespace

std::optional<ClientSession> ClientSession::open(const Call& call, Failures& failures,
                                                 MainClient main) {
  ClientSession session;
  session.main_ = main;
  session.shared_.set("bootstrap.servers", bootstrap_default);
  const auto profile = profile_settings(call.arguments, failures);
  const auto settings = pairs_of("--setting", call.arguments.all("setting"), failures);
  if (!profile || !settings) return std::nullopt;
  for (const auto& [name, value] : *profile) session.shared_.set(name, value);
  const std::string of_environment = environment("MILLRACE_BOOTSTRAP");
  if (!of_environment.empty() && !call.arguments.has("profile"))
    session.shared_.set("bootstrap.servers", of_environment);
  if (const auto bootstrap = call.arguments.text("bootstrap"))
    session.shared_.set("bootstrap.servers", *bootstrap);
  if (!session.shared_.get("client.id")) session.shared_.set("client.id", "millrace-cli");
  for (const auto& [name, value] : *settings)
    (is_shared_setting(name) ? session.shared_ : session.own_).set(name, value);
  // In the place of brokers: those of the environment and of the profile do not count then.
  if (session.own_.get("bootstrap.controllers") && !call.arguments.has("bootstrap"))
    session.own_.set("bootstrap.servers", "");
  session.timeout_ =
      std::chrono::seconds(call.arguments.number_or("timeout", timeout_seconds_default));
  session.is_verbose_ = call.arguments.has("verbose");
  return session;
}

v1::ClientOptions ClientSession::options() const {
  if (is_verbose_) return {.log_level = v1::LogLevel::info};
  return quiet();
}

v1::AdminOptions ClientSession::admin_options(bool validate_only) const {
  return {.timeout = timeout_, .validate_only = validate_only};
}

std::string ClientSession::bootstrap() const {
  return std::string(shared_.get("bootstrap.servers").value_or(""));
}

v1::Admin* ClientSession::admin(Failures& failures) {
  if (admin_) return &*admin_;
  auto opened = v1::Admin::open(main_ == MainClient::admin ? config() : shared_, options());
  if (!opened) {
    failures.push_back(failure_of(opened.error()));
    return nullptr;
  }
  return &admin_.emplace(*std::move(opened));
}

std::optional<v1::Consumer> ClientSession::offsets_reader(Failures& failures) const {
  auto opened = v1::Consumer::open(shared_, options());
  if (opened) return *std::move(opened);
  failures.push_back(failure_of(opened.error()));
  return std::nullopt;
}

std::vector<v1::DescribedTopic> ClientSession::topics(const std::vector<std::string>& names,
                                                      Failures& failures) {
  std::vector<v1::DescribedTopic> found;
  v1::Admin* client = admin(failures);
  if (client == nullptr || names.empty()) return found;
  std::optional<std::vector<std::string>> known;
  for (auto& [name, outcome] : client->describe_topics(names, admin_options()).get()) {
    if (outcome) {
      found.push_back(*std::move(outcome));
    } else if (outcome.error().code() == v1::ErrorCode::unknown_topic_or_partition) {
      Failures of_listing;  // without the names there is no nearest one, that is all
      if (!known) known = topic_names(of_listing);
      failures.push_back(no_topic(name, *known));
    } else {
      failures.push_back(topic_failure(outcome.error(), name));
    }
  }
  return found;
}

std::optional<v1::DescribedTopic> ClientSession::topic(const std::string& name,
                                                       Failures& failures) {
  auto found = topics({name}, failures);
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::vector<std::string> ClientSession::topic_names(Failures& failures) {
  std::vector<std::string> names;
  v1::Admin* client = admin(failures);
  if (client == nullptr) return names;
  const auto listed = client->list_topics(admin_options()).get();
  if (!listed) {
    failures.push_back(failure_of(listed.error()));
    return names;
  }
  for (const v1::ListedTopic& topic : *listed) names.push_back(topic.name);
  return names;
}

std::vector<std::string> ClientSession::group_names(Failures& failures) {
  std::vector<std::string> names;
  v1::Admin* client = admin(failures);
  if (client == nullptr) return names;
  const auto listed = client->list_groups(admin_options()).get();
  if (!listed) {
    failures.push_back(failure_of(listed.error()));
    return names;
  }
  for (const auto& group : listed->groups) names.push_back(group.id);
  return names;
}

std::vector<v1::TopicPartition> partitions_of(const v1::DescribedTopic& topic) {
  std::vector<v1::TopicPartition> partitions;
  for (const v1::DescribedPartition& partition : topic.partitions)
    partitions.push_back({topic.name, partition.partition});
  return partitions;
}

std::optional<std::vector<std::int32_t>> numbers_of(std::string_view option, std::string_view text,
                                                    Failures& failures) {
  std::vector<std::int32_t> found;
  for (const std::string& word : split(text, ',')) {
    const auto number = whole_number(word);
    if (!number || *number < 0 || *number > std::numeric_limits<std::int32_t>::max()) {
      failures.push_back(
          usage_failure(joined(option, " are numbers apart by commas, not '", text, "'")));
      return std::nullopt;
    }
    found.push_back(static_cast<std::int32_t>(*number));
  }
  return found;
}

std::optional<std::vector<v1::TopicPartition>> chosen_partitions(const v1::DescribedTopic& topic,
                                                                 const Arguments& arguments,
                                                                 Failures& failures) {
  const auto given = arguments.text("partitions");
  if (!given) return partitions_of(topic);
  const auto wanted = numbers_of("--partitions", *given, failures);
  if (!wanted) return std::nullopt;
  std::vector<v1::TopicPartition> chosen;
  for (const std::int32_t number : *wanted) {
    if (std::cmp_greater_equal(number, topic.partitions.size())) {
      failures.push_back(usage_failure(
          joined("topic ", topic.name, " has no partition ", number),
          joined("it has ",
                 counted(static_cast<std::int64_t>(topic.partitions.size()), "partition"))));
      return std::nullopt;
    }
    chosen.push_back({topic.name, number});
  }
  return chosen;
}

bool ensure_topic(ClientSession& session, const Arguments& arguments, Failures& failures) {
  const std::string name = arguments.operand(0);
  Failures missing;
  if (session.topic(name, missing)) return true;
  const bool is_missing =
      !missing.empty() &&
      missing.front().code == name_of(v1::ErrorCode::unknown_topic_or_partition);
  if (!is_missing || !arguments.has("create")) {
    if (is_missing)
      missing.front().hint +=
          missing.front().hint.empty() ? "--create makes it" : " (--create makes it)";
    failures.insert(failures.end(), missing.begin(), missing.end());
    return false;
  }
  v1::NewTopic topic;
  topic.name = name;
  if (const auto count = arguments.number("partitions"))
    topic.partitions = static_cast<std::int32_t>(*count);
  const auto created =
      session.admin(failures)->create_topics({topic}, session.admin_options()).get();
  const auto& outcome = created.front().second;
  const bool is_there = outcome || outcome.error().code() == v1::ErrorCode::topic_already_exists;
  if (!is_there) failures.push_back(topic_failure(outcome.error(), name));
  return is_there;
}

std::optional<std::pair<std::string, std::string>> pair_of(std::string_view option,
                                                           std::string_view text,
                                                           Failures& failures) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    failures.push_back(
        usage_failure(joined(option, " '", text, "' is not of the form name=value")));
    return std::nullopt;
  }
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

std::optional<Settings> pairs_of(std::string_view option, const std::vector<std::string>& texts,
                                 Failures& failures) {
  Settings pairs;
  for (const std::string& text : texts) {
    auto pair = pair_of(option, text, failures);
    if (!pair) return std::nullopt;
    pairs.push_back(*std::move(pair));
  }
  return pairs;
}

std::optional<Failure> wrong_settings(const Settings& settings) {
  v1::Config config{{"bootstrap.servers", bootstrap_default}};
  for (const auto& [name, value] : settings) config.set(name, value);
  const auto opened = v1::Admin::open(config, quiet());
  if (opened) return std::nullopt;
  return failure_of(opened.error());
}

std::vector<std::string> look_up(Completes what, const Arguments& given) {
  Failures nobody_sees;
  std::vector<std::string> words;
  if (what == Completes::profiles) {
    const auto read = read_profiles(profiles_path());
    if (const auto* profiles = std::get_if<Profiles>(&read))
      for (const auto& [name, settings] : profiles->profiles) words.push_back(name);
    return words;
  }
  Arguments arguments;
  for (const char* option : {"bootstrap", "profile", "setting"})
    for (const std::string& value : given.all(option)) arguments.add(option, value);
  arguments.add("timeout", "1");
  auto session = ClientSession::open({.arguments = arguments}, nobody_sees);
  if (!session) return words;
  if (what == Completes::topics) return session->topic_names(nobody_sees);
  if (what == Completes::groups) return session->group_names(nobody_sees);
  v1::Admin* admin = session->admin(nobody_sees);
  if (what != Completes::brokers || admin == nullptr) return words;
  const auto cluster = admin->describe_cluster(session->admin_options()).get();
  if (!cluster) return words;
  for (const auto& broker : cluster->brokers) words.push_back(std::to_string(broker.id));
  return words;
}

}  // namespace millrace::cli
