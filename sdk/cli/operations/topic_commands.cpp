module;
#include <string>
#include <vector>

module millrace.cli.operations;

import millrace.cli.frame;

namespace millrace::cli {
namespace {

Operand topic_operand() {
  return {.name = "TOPIC", .help = "The topic", .completes = Completes::topics};
}

Command create_command() {
  return {
      .name = "topic create",
      .summary = "Create topics",
      .operands = {{.name = "TOPIC", .help = "Names of new topics", .is_repeated = true}},
      .options = with_cluster_options({
          {.name = "partitions",
           .value = "N",
           .help = "How many partitions each has; else what the brokers are set to",
           .letter = 'p',
           .range = Range{1, 100'000}},
          {.name = "replication-factor",
           .value = "N",
           .help = "On how many brokers each partition is; else what the brokers are set to",
           .letter = 'r',
           .range = Range{1, 1000}},
          {.name = "config",
           .value = "NAME=VALUE",
           .help = "A setting of the topics",
           .letter = 'c',
           .is_repeated = true},
          {.name = "if-not-exists", .help = "A topic that exists is no failure"},
          {.name = "dry-run", .help = "Check it, and create nothing"},
      }),
      .examples = {{"millrace topic create orders --partitions 6", ""},
                   {"millrace topic create accounts -c cleanup.policy=compact", ""}},
      .run = create_topics,
  };
}

Command trim_command() {
  return {
      .name = "topic trim",
      .summary = "Delete the oldest records of a topic",
      .operands = {topic_operand()},
      .options = with_cluster_options({
          {.name = "before",
           .value = "PLACE",
           .help = "Up to here: end, an offset, -N for all but the last N, or @TIME",
           .is_required = true},
          {.name = "partitions", .value = "N,...", .help = "Only of these partitions"},
          {.name = "dry-run", .help = "Show what would go, and delete nothing"},
      }),
      .examples = {{"millrace topic trim orders --before @-7d", "Keep the last seven days"},
                   {"millrace topic trim orders --before end", "Keep nothing"}},
      .run = trim_topic,
  };
}

}  // namespace

std::vector<Command> topic_commands() {
  return {
      create_command(),
      {.name = "topic list",
       .summary = "List topics",
       .options = with_cluster_options(
           {{.name = "internal", .help = "Those that the cluster made for itself, too"}}),
       .examples = {{"millrace topic list", ""},
                    {"millrace topic list -o json | jq -r '.topics[].name'", ""}},
       .run = list_topics},
      {.name = "topic describe",
       .summary = "Show the partitions and settings of a topic",
       .operands = {topic_operand()},
       .options = with_cluster_options(
           {{.name = "offsets", .help = "Ask each leader for the first offset and the end, too"}}),
       .examples = {{"millrace topic describe orders --offsets", ""}},
       .run = describe_topic},
      {.name = "topic alter",
       .summary = "Change settings of a topic",
       .operands = {topic_operand()},
       .options = with_cluster_options({
           {.name = "config",
            .value = "NAME=VALUE",
            .help = "The setting becomes this",
            .letter = 'c',
            .is_repeated = true},
           {.name = "unset",
            .value = "NAME",
            .help = "The setting becomes that of the brokers again",
            .is_repeated = true},
           {.name = "dry-run", .help = "Check it, and change nothing"},
       }),
       .examples = {{"millrace topic alter orders -c retention.ms=86400000", ""}},
       .run = alter_topic},
      {.name = "topic add-partitions",
       .summary = "Give a topic more partitions",
       .description = "Gives a topic more partitions. Records with a key may then go to another "
                      "partition than those before.",
       .operands = {topic_operand()},
       .options = with_cluster_options({
           {.name = "to",
            .value = "N",
            .help = "How many it has then, with those that are there",
            .is_required = true,
            .range = Range{1, 100'000}},
           {.name = "dry-run", .help = "Check it, and add nothing"},
       }),
       .examples = {{"millrace topic add-partitions orders --to 12", ""}},
       .run = add_partitions},
      {.name = "topic delete",
       .summary = "Delete topics with all their records",
       .operands = {{.name = "TOPIC",
                     .help = "The topics",
                     .completes = Completes::topics,
                     .is_repeated = true}},
       .options = with_cluster_options(
           {{.name = "if-exists", .help = "A topic that does not exist is no failure"}}),
       .examples = {{"millrace topic delete orders", ""}},
       .run = delete_topics},
      trim_command(),
  };
}

}  // namespace millrace::cli
