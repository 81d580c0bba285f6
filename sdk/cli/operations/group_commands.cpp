module;
#include <cstdint>
#include <string>
#include <vector>

module millrace.cli.operations;

import millrace.cli.frame;

namespace millrace::cli {
namespace {

Operand group_operand() {
  return {.name = "GROUP", .help = "The group", .completes = Completes::groups};
}

Command reset_command() {
  return {
      .name = "group reset-offsets",
      .summary = "Change where a group reads on",
      .description =
          "Shows what would change, and changes it with --execute. The group must have "
          "no members then.",
      .operands = {group_operand()},
      .options = with_cluster_options({
          {.name = "to",
           .value = "PLACE",
           .help = "start, end, an offset, -N for N records before the end, or @TIME"},
          {.name = "shift",
           .value = "N",
           .help = "Instead of --to: so many records on, or with -N back",
           .range = Range{-(std::int64_t{1} << 60), std::int64_t{1} << 60}},
          {.name = "topic",
           .value = "TOPIC[:N,...]",
           .help = "Only this topic, and of it only these partitions; else what was committed",
           .is_repeated = true,
           .completes = Completes::topics},
          {.name = "dry-run", .help = "Change nothing, as without --execute"},
          {.name = "execute", .help = "Do it"},
      }),
      .examples = {{"millrace group reset-offsets billing --to start", "What would change"},
                   {"millrace group reset-offsets billing --to @-1h --topic orders --execute",
                    "Read the last hour again"}},
      .run = reset_offsets,
  };
}

}  // namespace

std::vector<Command> group_commands() {
  return {
      {.name = "group list",
       .summary = "List consumer groups",
       .options = with_cluster_options({{.name = "state",
                                         .value = "STATE",
                                         .help = "Only those in this state, as stable or empty",
                                         .is_repeated = true}}),
       .examples = {{"millrace group list --state empty", ""}},
       .run = list_groups},
      {.name = "group describe",
       .summary = "Show how far a group has read, and who reads",
       .description =
           "In JSON, lag is the sum over all partitions. Groups of Kafka Streams are shown "
           "as consumers of the topics that their tasks read; of a share group, "
           "committed is from where records are handed out.",
       .operands = {group_operand()},
       .options = with_cluster_options({}),
       .examples = {{"millrace group describe billing", ""},
                    {"millrace group describe billing -o json | jq .lag", ""}},
       .run = describe_group},
      reset_command(),
      {.name = "group delete",
       .summary = "Delete groups with the offsets that they committed",
       .operands = {{.name = "GROUP",
                     .help = "The groups, which must have no members",
                     .completes = Completes::groups,
                     .is_repeated = true}},
       .options = with_cluster_options({}),
       .examples = {{"millrace group delete billing", ""}},
       .run = delete_groups},
  };
}

}  // namespace millrace::cli
