// The clients of one command.
module;
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/admin.hpp"
#include "millrace/config.hpp"
#include "millrace/consumer.hpp"
#include "millrace/options.hpp"

export module millrace.cli.session:client_session;

import millrace.cli.frame;
import :failures;
import :profiles;

export namespace millrace::cli {

// How the call reaches its cluster: the options of the command, the environment, the profile. Owned
// by the command. What fails is added to the failures, and nothing is given.
class ClientSession {
 public:
  // Of which kind settings are that only one kind takes.
  enum class MainClient : std::uint8_t { admin, other };
  [[nodiscard]] static std::optional<ClientSession> open(const Call& call, Failures& failures,
                                                         MainClient main = MainClient::admin);

  // What each kind of client takes.
  [[nodiscard]] const v1::Config& shared_config() const { return shared_; }
  // With what only one kind takes, as the command line names it (-X acks=1).
  [[nodiscard]] v1::Config config() const { return shared_ + own_; }
  [[nodiscard]] v1::ClientOptions options() const;
  [[nodiscard]] std::chrono::milliseconds timeout() const { return timeout_; }
  [[nodiscard]] v1::AdminOptions admin_options(bool validate_only = false) const;
  [[nodiscard]] std::string bootstrap() const;

  // Opens it when it is first asked for.
  [[nodiscard]] v1::Admin* admin(Failures& failures);
  // Reads offsets only, without a group.
  [[nodiscard]] std::optional<v1::Consumer> offsets_reader(Failures& failures) const;

  // Topics that are not there fail with the nearest that is.
  [[nodiscard]] std::vector<v1::DescribedTopic> topics(const std::vector<std::string>& names,
                                                       Failures& failures);
  [[nodiscard]] std::optional<v1::DescribedTopic> topic(const std::string& name,
                                                        Failures& failures);
  [[nodiscard]] std::vector<std::string> topic_names(Failures& failures);
  [[nodiscard]] std::vector<std::string> group_names(Failures& failures);

 private:
  ClientSession() = default;

  v1::Config shared_;
  v1::Config own_;
  std::chrono::milliseconds timeout_{};
  bool is_verbose_ = false;
  MainClient main_ = MainClient::admin;
  std::optional<v1::Admin> admin_;
};

[[nodiscard]] std::vector<v1::TopicPartition> partitions_of(const v1::DescribedTopic& topic);
// Numbers apart by commas; a failure that names the option.
[[nodiscard]] std::optional<std::vector<std::int32_t>> numbers_of(std::string_view option,
                                                                  std::string_view text,
                                                                  Failures& failures);
// The partitions of the topic, or those of --partitions.
[[nodiscard]] std::optional<std::vector<v1::TopicPartition>> chosen_partitions(
    const v1::DescribedTopic& topic, const Arguments& arguments, Failures& failures);
// Whether the topic of the first operand is there; with --create it is made, with --partitions.
[[nodiscard]] bool ensure_topic(ClientSession& session, const Arguments& arguments,
                                Failures& failures);
// "name=value" apart; a failure where there is no name.
[[nodiscard]] std::optional<std::pair<std::string, std::string>> pair_of(std::string_view option,
                                                                         std::string_view text,
                                                                         Failures& failures);
[[nodiscard]] std::optional<Settings> pairs_of(std::string_view option,
                                               const std::vector<std::string>& texts,
                                               Failures& failures);

// What a client says of settings that every kind of client takes; reaches nobody.
[[nodiscard]] std::optional<Failure> wrong_settings(const Settings& settings);

// For completion: what the cluster has, within a second; nothing where it cannot be asked.
[[nodiscard]] std::vector<std::string> look_up(Completes what, const Arguments& arguments);

}  // namespace millrace::cli
