module;
#include <string>
#include <utility>
#include <vector>

module millrace.cli.operations;

import millrace.cli.frame;

namespace millrace::cli {
namespace {

Operand partitions_operand() {
  return {.name = "TOPIC[:N,...]",
          .help = "Topics, or some of their partitions",
          .completes = Completes::topics,
          .is_required = false,
          .is_repeated = true};
}

std::vector<Option> with_execution(std::vector<Option> options) {
  options.push_back({.name = "execute", .help = "Do it; else it is only shown"});
  options.push_back({.name = "wait", .help = "With --execute: until all has been moved"});
  return with_cluster_options(std::move(options));
}

std::vector<Command> looking_commands() {
  return {
      {.name = "cluster health",
       .summary = "Tell whether a cluster is well",
       .description =
           "Ends with 0 if each partition has a leader and all its replicas in sync, and "
           "the controllers have a leader; with 1 otherwise.",
       .options = with_cluster_options({
           {.name = "watch", .help = "Look again and again, until Ctrl-C", .letter = 'w'},
           {.name = "interval",
            .value = "SECONDS",
            .help = "With --watch: how long to wait in between",
            .initial = "2",
            .range = Range{1, 86'400}},
       }),
       .examples = {{"millrace cluster health || echo 'not healthy'", ""},
                    {"millrace cluster health --watch", ""}},
       .run = cluster_health},
      {.name = "cluster brokers",
       .summary = "List brokers",
       .options = with_cluster_options({}),
       .examples = {{"millrace cluster brokers", ""}},
       .run = list_brokers},
      {.name = "cluster quorum",
       .summary = "Show the controllers and who follows them",
       .options = with_cluster_options({}),
       .examples = {{"millrace cluster quorum", ""}},
       .run = describe_quorum},
      {.name = "cluster leaders",
       .summary = "Show how many partitions each broker leads, and should lead",
       .options = with_cluster_options({}),
       .examples = {{"millrace cluster leaders", ""}},
       .run = list_leaders},
  };
}

}  // namespace

std::vector<Command> cluster_commands() {
  std::vector<Command> commands = looking_commands();
  commands.push_back(
      {.name = "cluster reassign",
       .summary = "Move partitions to other brokers",
       .description = "Spreads the partitions over the brokers of --to, or over all. Replicas that "
                      "may stay stay. Without a topic it shows what is being moved.",
       .operands = {partitions_operand()},
       .options = with_execution({
           {.name = "to",
            .value = "BROKER,...",
            .help = "Where to",
            .completes = Completes::brokers},
           {.name = "replication-factor",
            .value = "N",
            .help = "How many replicas each has then; else as many as now",
            .letter = 'r',
            .range = Range{1, 1000}},
           {.name = "cancel", .help = "What is being moved stays where it was"},
       }),
       .examples = {{"millrace cluster reassign orders --to 2,3,4 --execute --wait", ""},
                    {"millrace cluster reassign", "What is being moved"}},
       .run = reassign});
  commands.push_back({.name = "cluster drain",
                      .summary = "Move all replicas away from a broker",
                      .operands = {{.name = "BROKER",
                                    .help = "The number of the broker",
                                    .completes = Completes::brokers}},
                      .options = with_execution({}),
                      .examples = {{"millrace cluster drain 3 --execute --wait", ""}},
                      .run = drain});
  commands.push_back(
      {.name = "cluster elect",
       .summary = "Let partitions be led by their preferred brokers again",
       .operands = {partitions_operand()},
       .options = with_cluster_options(
           {{.name = "unclean",
             .help = "Any replica may lead, also one that lacks records, which are then lost"}}),
       .examples = {{"millrace cluster elect", "All partitions"},
                    {"millrace cluster elect orders:3 --unclean", ""}},
       .run = elect});
  return commands;
}

}  // namespace millrace::cli
