module;
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/admin.hpp"

module millrace.cli.operations;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

std::optional<v1::ConfigResource> resource_of(const Arguments& arguments, Failures& failures) {
  const std::string kind = arguments.operand(0);
  const std::string name = arguments.operand(1);
  if (kind == "topic") return v1::ConfigResource{v1::ResourceType::topic, name};
  if (kind == "group") return v1::ConfigResource{v1::ResourceType::group, name};
  if (name == "default") return v1::ConfigResource{v1::ResourceType::broker, ""};
  if (whole_number(name)) return v1::ConfigResource{v1::ResourceType::broker, name};
  failures.push_back(
      usage_failure(joined("a broker is a number, or default for all, not '", name, "'")));
  return std::nullopt;
}

Failure config_failure(const v1::Error& error, const Arguments& arguments, ClientSession& session) {
  const std::string name = arguments.operand(1);
  if (arguments.operand(0) == "topic" &&
      error.code() == v1::ErrorCode::unknown_topic_or_partition) {
    Failures of_listing;  // without the names there is no nearest one, that is all
    return no_topic(name, session.topic_names(of_listing));
  }
  if (error.code() == v1::ErrorCode::broker_not_available)
    return {.code = std::string(name_of(error.code())),
            .message = joined("there is no broker ", name),
            .hint = "`millrace cluster brokers` shows those that are",
            .is_code_plain = true};
  const bool is_of_all = arguments.operand(0) == "broker" && name == "default";
  return failure_of(error, is_of_all ? "all brokers" : joined(arguments.operand(0), " ", name));
}

std::optional<std::vector<v1::ConfigEntry>> entries_of(ClientSession& session,
                                                       const Arguments& arguments,
                                                       Failures& failures) {
  const auto resource = resource_of(arguments, failures);
  v1::Admin* admin = resource ? session.admin(failures) : nullptr;
  if (admin == nullptr) return std::nullopt;
  auto described = admin->describe_configs({*resource}, session.admin_options()).get();
  auto& outcome = described.front().second;
  if (!outcome) {
    failures.push_back(config_failure(outcome.error(), arguments, session));
    return std::nullopt;
  }
  std::ranges::sort(*outcome, {}, &v1::ConfigEntry::name);
  return *std::move(outcome);
}

Cell value_cell(const v1::ConfigEntry& entry) {
  // Brokers do not know what is secret of settings that are not theirs.
  if (entry.is_sensitive || is_secret_setting(entry.name)) return std::string("(secret)");
  return entry.value ? Cell(*entry.value) : Cell();
}

void add_row(Answer& answer, const v1::ConfigEntry& entry) {
  answer.rows.push_back({entry.name, value_cell(entry), std::string(to_string(entry.source)),
                         entry.is_default, entry.is_read_only});
}

Answer empty_answer(const Call& call) {
  return {
      .fields = {{"kind", call.arguments.operand(0)}, {"name", call.arguments.operand(1)}},
      .rows_name = "configs",
      .columns = {{"setting"}, {"value"}, {"source"}, {"default", false}, {"read_only", false}}};
}

Answer get_configs(const Call& call) {
  Answer answer = empty_answer(call);
  auto session = ClientSession::open(call, answer.failures);
  const auto entries =
      session ? entries_of(*session, call.arguments, answer.failures) : std::nullopt;
  if (!entries) return answer;
  std::vector<std::string> known;
  for (const v1::ConfigEntry& entry : *entries) known.push_back(entry.name);
  const auto& operands = call.arguments.operands();
  for (std::size_t index = 2; index < operands.size(); ++index) {
    const auto found = std::ranges::find(*entries, operands[index], &v1::ConfigEntry::name);
    if (found != entries->end()) {
      add_row(answer, *found);
      continue;
    }
    const auto nearest = nearest_word(operands[index], known);
    answer.failures.push_back({.code = "UNKNOWN_SETTING",
                               .message = joined("there is no setting ", operands[index]),
                               .hint = nearest
                                           ? joined("did you mean ", *nearest, "?")
                                           : joined("`millrace config list ", operands[0], " ",
                                                    operands[1], " --all` shows those that are")});
  }
  return answer;
}

// Both for set and unset; `changes` come from the operands.
Answer change_configs(const Call& call, std::vector<v1::ConfigChange> changes, Texts told,
                      Answer answer) {
  auto session = ClientSession::open(call, answer.failures);
  const auto resource = session ? resource_of(call.arguments, answer.failures) : std::nullopt;
  v1::Admin* admin = resource ? session->admin(answer.failures) : nullptr;
  if (admin == nullptr) return answer;
  const bool is_dry = call.arguments.has("dry-run");
  const auto altered = admin
                           ->alter_configs({{.resource = *resource, .changes = std::move(changes)}},
                                           session->admin_options(is_dry))
                           .get();
  if (const auto& outcome = altered.front().second; !outcome) {
    answer.failures.push_back(config_failure(outcome.error(), call.arguments, *session));
    return answer;
  }
  const std::string about = joined(call.arguments.operand(0), " ", call.arguments.operand(1));
  for (const std::string& change : told)
    answer.sentences.push_back(joined(about, is_dry ? " would have " : ": ", change));
  answer.fields = {{"kind", call.arguments.operand(0)},
                   {"name", call.arguments.operand(1)},
                   {"changed", !is_dry},
                   {"changes", std::move(told)}};
  return answer;
}

Answer set_configs(const Call& call) {
  Answer answer;
  const auto& operands = call.arguments.operands();
  std::vector<v1::ConfigChange> changes;
  Texts told;
  for (std::size_t index = 2; index < operands.size(); ++index) {
    auto pair = pair_of("the setting", operands[index], answer.failures);
    if (!pair) return answer;
    told.push_back(
        joined(pair->first, " = ", is_secret_setting(pair->first) ? "(secret)" : pair->second));
    changes.push_back({.name = std::move(pair->first), .value = std::move(pair->second)});
  }
  return change_configs(call, std::move(changes), std::move(told), std::move(answer));
}

Answer unset_configs(const Call& call) {
  const auto& operands = call.arguments.operands();
  std::vector<v1::ConfigChange> changes;
  Texts told;
  for (std::size_t index = 2; index < operands.size(); ++index) {
    changes.push_back({.name = operands[index], .operation = v1::ConfigOperation::remove});
    told.push_back(operands[index] + " by default");
  }
  return change_configs(call, std::move(changes), std::move(told), {});
}

std::vector<Operand> operands_with(std::vector<Operand> more) {
  std::vector<Operand> operands = {
      {.name = "KIND",
       .help = "Whose: topic, broker or group",
       .choices = {"topic", "broker", "group"}},
      {.name = "NAME",
       .help = "The topic, the group, the number of the broker, or default for all brokers",
       .completes = Completes::of_kind}};
  operands.insert(operands.end(), more.begin(), more.end());
  return operands;
}

}  // namespace

Answer list_configs(const Call& call) {
  Answer answer = empty_answer(call);
  auto session = ClientSession::open(call, answer.failures);
  const auto entries =
      session ? entries_of(*session, call.arguments, answer.failures) : std::nullopt;
  if (!entries) return answer;
  for (const v1::ConfigEntry& entry : *entries)
    if (call.arguments.has("all") || !entry.is_default) add_row(answer, entry);
  if (answer.rows.empty()) {
    answer.sentences = {"everything is as it is by default; --all shows that too"};
    answer.is_table_needless = true;
  }
  return answer;
}

std::vector<Command> config_commands() {
  const Option dry_run{.name = "dry-run", .help = "Check it, and change nothing"};
  return {
      {.name = "config list",
       .summary = "Show the settings of a topic, a broker or a group",
       .operands = operands_with({}),
       .options = with_cluster_options(
           {{.name = "all", .help = "Those that are as they are by default, too", .letter = 'a'}}),
       .examples = {{"millrace config list topic orders", ""},
                    {"millrace config list broker 1 --all", ""}},
       .run = list_configs},
      {.name = "config get",
       .summary = "Show some settings",
       .operands = operands_with({{.name = "SETTING", .help = "Their names", .is_repeated = true}}),
       .options = with_cluster_options({}),
       .examples = {{"millrace config get topic orders retention.ms", ""}},
       .run = get_configs},
      {.name = "config set",
       .summary = "Change settings",
       .operands = operands_with(
           {{.name = "SETTING=VALUE", .help = "What becomes what", .is_repeated = true}}),
       .options = with_cluster_options({dry_run}),
       .examples = {{"millrace config set topic orders retention.ms=86400000", ""},
                    {"millrace config set broker default message.max.bytes=2000000", ""}},
       .run = set_configs},
      {.name = "config unset",
       .summary = "Take changes of settings back",
       .operands = operands_with({{.name = "SETTING", .help = "Their names", .is_repeated = true}}),
       .options = with_cluster_options({dry_run}),
       .examples = {{"millrace config unset topic orders retention.ms", ""}},
       .run = unset_configs},
  };
}

}  // namespace millrace::cli
