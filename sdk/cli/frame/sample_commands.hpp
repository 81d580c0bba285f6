// What tests of the frame share: a program of two commands.
#pragma once
#include <string>
#include <vector>

import millrace.cli.frame;

namespace millrace::cli {

inline std::vector<Command> sample_commands() {
  const auto run = [](const Call& call) {
    Answer answer;
    if (call.arguments.operand(0) == "broken")
      return failed({.code = "TOPIC_ALREADY_EXISTS", .message = "topic broken exists"});
    answer.fields = {{"topic", call.arguments.operand(0)}};
    answer.sentences = {joined("created ", call.arguments.operand(0))};
    return answer;
  };
  return {
      {.name = "topic create",
       .summary = "Create topics",
       .operands = {{.name = "TOPIC", .help = "Its name", .completes = Completes::topics}},
       .options =
           {{.name = "partitions",
             .value = "N",
             .help = "How many",
             .letter = 'p',
             .range = Range{1, 100}},
            {.name = "config", .value = "NAME=VALUE", .help = "A setting", .is_repeated = true},
            {.name = "dry-run", .help = "Only check", .letter = 'n'},
            output_option()},
       .examples = {{"millrace topic create orders --partitions 6", "Six"}},
       .run = run},
      {.name = "local",
       .summary = "Run a cluster",
       .options = {{.name = "data",
                    .value = "DIR",
                    .help = "Where",
                    .is_required = true,
                    .completes = Completes::directories}},
       .run = run},
  };
}

}  // namespace millrace::cli
