module;
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

module millrace.cli.operations;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

std::optional<Profiles> profiles_of_user(Failures& failures) {
  auto read = read_profiles(profiles_path());
  if (auto* profiles = std::get_if<Profiles>(&read)) return std::move(*profiles);
  failures.push_back(std::get<Failure>(read));
  return std::nullopt;
}

Answer written(const Profiles& profiles, std::string name, std::string sentence) {
  if (auto wrong = write_profiles(profiles_path(), profiles)) return failed(*std::move(wrong));
  return {.fields = {{"profile", std::move(name)}, {"current", profiles.current}},
          .sentences = {std::move(sentence)}};
}

std::optional<Failure> unknown(const Profiles& profiles, const std::string& name) {
  if (profiles.profiles.contains(name)) return std::nullopt;
  std::vector<std::string> known;
  for (const auto& [other, settings] : profiles.profiles) known.push_back(other);
  const auto nearest = nearest_word(name, known);
  return Failure{.code = "UNKNOWN_PROFILE",
                 .message = joined("there is no profile ", name),
                 .hint = nearest ? joined("did you mean ", *nearest, "?") : std::string()};
}

Answer list_profiles(const Call&) {
  Answer answer{.rows_name = "profiles", .columns = {{"profile"}, {"current"}, {"settings"}}};
  const auto profiles = profiles_of_user(answer.failures);
  if (!profiles) return answer;
  for (const auto& [name, settings] : profiles->profiles) {
    Pairs shown;
    for (const auto& [setting, value] : settings)
      shown.emplace_back(setting, is_secret_setting(setting) ? "(secret)" : value);
    answer.rows.push_back({name, name == profiles->current, std::move(shown)});
  }
  if (answer.rows.empty()) {
    answer.sentences = {"no profiles; `millrace profile add --help` tells how to make one"};
    answer.is_table_needless = true;
  }
  return answer;
}

Answer use_profile(const Call& call) {
  Answer answer;
  auto profiles = profiles_of_user(answer.failures);
  if (!profiles) return answer;
  const std::string name = call.arguments.operand(0);
  if (auto failure = unknown(*profiles, name)) return failed(*std::move(failure));
  profiles->current = name;
  return written(*profiles, name, joined("from now on ", name, " is used"));
}

Answer add_profile(const Call& call) {
  Answer answer;
  auto profiles = profiles_of_user(answer.failures);
  auto settings = pairs_of("the setting",
                           {call.arguments.operands().begin() + 1, call.arguments.operands().end()},
                           answer.failures);
  if (!profiles || !settings) return answer;
  const std::string name = call.arguments.operand(0);
  if (name.empty() || name.find_first_of("[]#=\r\n\t ") != std::string::npos)
    return failed(usage_failure(joined("'", name, "' is no name for a profile")));
  for (const auto& [setting, value] : *settings) {
    if (!is_shared_setting(setting))
      return failed(usage_failure(joined(setting, " is not for all kinds of clients"),
                                  joined("a command takes it as -X ", setting, "=VALUE")));
    if (value.find_first_of("\r\n") != std::string::npos)
      return failed(usage_failure(joined("the value of ", setting, " has more than one line")));
  }
  if (call.arguments.has("bootstrap"))
    settings->emplace_back("bootstrap.servers", call.arguments.text_or("bootstrap", ""));
  if (auto wrong = wrong_settings(*settings)) return failed(*std::move(wrong));
  const bool is_new = !profiles->profiles.contains(name);
  profiles->profiles[name] = *std::move(settings);
  if (profiles->current.empty()) profiles->current = name;
  std::string sentence = joined(is_new ? "added " : "changed ", name);
  if (profiles->current == name) sentence += ", which is used";
  return written(*profiles, name, std::move(sentence));
}

Answer remove_profile(const Call& call) {
  Answer answer;
  auto profiles = profiles_of_user(answer.failures);
  if (!profiles) return answer;
  const std::string name = call.arguments.operand(0);
  if (auto failure = unknown(*profiles, name)) return failed(*std::move(failure));
  profiles->profiles.erase(name);
  if (profiles->current == name) profiles->current.clear();
  return written(*profiles, name, joined("removed ", name));
}

}  // namespace

std::vector<Command> profile_commands() {
  const Operand profile{.name = "PROFILE", .help = "Its name", .completes = Completes::profiles};
  return {
      {.name = "profile list",
       .summary = "List profiles",
       .description = "Profiles are in $XDG_CONFIG_HOME/millrace/config, or in "
                      "~/.config/millrace/config. Secrets are not shown.",
       .options = {output_option()},
       .examples = {{"millrace profile list", ""}},
       .run = list_profiles},
      {.name = "profile use",
       .summary = "Choose the profile that counts where none is named",
       .operands = {profile},
       .options = {output_option()},
       .examples = {{"millrace profile use staging", ""}},
       .run = use_profile},
      {.name = "profile add",
       .summary = "Add a profile, or replace one",
       .description =
           "A profile holds settings of clients that all kinds of them know: how brokers "
           "are reached, and as whom. The first one is used from then on.",
       .operands = {{.name = "PROFILE", .help = "Its name"},
                    {.name = "SETTING=VALUE",
                     .help = "A setting by its name in Kafka",
                     .is_required = false,
                     .is_repeated = true}},
       .options = {{.name = "bootstrap",
                    .value = "HOST:PORT,...",
                    .help = "The same as bootstrap.servers=HOST:PORT,...",
                    .letter = 'b'},
                   output_option()},
       .examples = {{"millrace profile add staging -b kafka-1:9092,kafka-2:9092", ""}},
       .run = add_profile},
      {.name = "profile remove",
       .summary = "Remove a profile",
       .operands = {profile},
       .options = {output_option()},
       .examples = {{"millrace profile remove staging", ""}},
       .run = remove_profile},
  };
}

}  // namespace millrace::cli
