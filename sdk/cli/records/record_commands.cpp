module;
#include <cstdint>
#include <string>
#include <vector>

module millrace.cli.records;

import millrace.cli.frame;

namespace millrace::cli {
namespace {

constexpr std::int64_t count_max = std::int64_t{1} << 60;
constexpr Range any_count{1, count_max};

Command produce_command() {
  return {
      .name = "produce",
      .summary = "Send records: lines of standard input",
      .description =
          "Sends each line as a record and prints where it is now, as orders-3@0. In JSON the "
          "answer "
          "tells how many were delivered, and for each partition the first and last offset. Lines "
          "are sent while they come; nothing is kept for those that were delivered.",
      .operands = {{.name = "TOPIC", .help = "Where to", .completes = Completes::topics}},
      .options = with_cluster_options({
          {.name = "key", .value = "KEY", .help = "The key of all records", .letter = 'k'},
          {.name = "key-separator",
           .value = "TEXT",
           .help = "What stands in a line before TEXT is the key",
           .letter = 'K'},
          {.name = "header",
           .value = "NAME=VALUE",
           .help = "A header of all records",
           .letter = 'H',
           .is_repeated = true},
          {.name = "partition",
           .value = "N",
           .help = "The partition; else the partitioner chooses",
           .letter = 'p',
           .range = Range{0, INT32_MAX}},
          {.name = "timestamp", .value = "TIME", .help = "Of all records; else now"},
          {.name = "input",
           .value = "FORM",
           .help = "What a line is: its value, or an object as consume -o json prints it",
           .letter = 'i',
           .initial = "lines",
           .choices = {"lines", "json"}},
          {.name = "whole", .help = "The whole input is one value"},
          {.name = "null",
           .help = "An empty value is null, which deletes the key where the topic "
                   "is compacted"},
          {.name = "create", .help = "Create the topic where it does not exist"},
          {.name = "partitions",
           .value = "N",
           .help = "With --create: how many partitions",
           .range = Range{1, 100'000}},
          {.name = "quiet", .help = "Do not print where the records are", .letter = 'q'},
      }),
      .examples =
          {{"millrace produce orders --key alice <<< 'paid 200'", ""},
           {"millrace produce orders -K : < orders.txt", "Lines as alice:paid 200"},
           {"millrace consume a --from start --to end -o json | millrace produce b -i json -q",
            "Copy a topic; partitions stay the same"},
           {"millrace produce orders -X acks=1 -X compression.type=lz4 -q < big.txt", ""}},
      .run = produce,
  };
}

Command consume_command() {
  return {
      .name = "consume",
      .summary = "Receive records and print them",
      .description =
          "Prints records as they come until Ctrl-C, --count or --to. With -o json each line is an "
          "object: topic, partition, offset, timestamp, key, value, headers (each key and value); "
          "bytes that are no text are under key_base64 and value_base64. With --group the topics "
          "are "
          "shared with the other members, and what was printed is committed.",
      .operands = {{.name = "TOPIC",
                    .help = "Where from",
                    .completes = Completes::topics,
                    .is_repeated = true}},
      .options = with_cluster_options({
          {.name = "from",
           .value = "PLACE",
           .help = "start, end, an offset, -N for N records before the end, or @TIME as "
                   "@2026-11-21T08:15:02Z or @-1h; with --group where nothing was committed: start "
                   "or end",
           .initial = "end"},
          {.name = "to",
           .value = "PLACE",
           .help = "Stop before it: end (as it is now), an offset or @TIME"},
          {.name = "count",
           .value = "N",
           .help = "Stop after so many records",
           .letter = 'n',
           .range = any_count},
          {.name = "partitions", .value = "N,...", .help = "Only these partitions", .letter = 'p'},
          {.name = "tail", .value = "N", .help = "The same as --from -N", .range = any_count},
          {.name = "group",
           .value = "GROUP",
           .help = "As a member of this group",
           .letter = 'g',
           .completes = Completes::groups},
          {.name = "format",
           .value = "TEXT",
           .help =
               "How a record is printed: %t topic, %p partition, %o offset, %T time, %k key, %v "
               "value, %h headers, %s bytes of the value, and \\n, \\t",
           .letter = 'f',
           .initial = "%v\\n"},
      }),
      .examples = {{"millrace consume orders --from start --format '%p@%o %T %k=%v\\n' --count 1",
                    ""},
                   {"millrace consume orders", "What comes from now on"},
                   {"millrace consume orders --from @-1h --to end -o json", "The last hour"},
                   {"millrace consume orders --group billing", ""}},
      .run = consume,
  };
}

}  // namespace

std::vector<Command> record_commands() {
  return {produce_command(), consume_command()};
}

std::vector<Command> bench_commands() {
  const Operand topic{.name = "TOPIC", .help = "The topic", .completes = Completes::topics};
  const Option records{.name = "records",
                       .value = "N",
                       .help = "How many",
                       .initial = "1000000",
                       .range = any_count};
  const Option size{.name = "size",
                    .value = "BYTES",
                    .help = "Of each value",
                    .initial = "100",
                    .range = Range{0, 100'000'000}};
  const Option create{.name = "create", .help = "Create the topic where it does not exist"};
  return {
      {.name = "bench produce",
       .summary = "Measure how fast records are sent",
       .operands = {topic},
       .options = with_cluster_options({records, size, create}),
       .examples = {{"millrace bench produce test --create --size 1000", ""}},
       .run = bench_produce},
      {.name = "bench consume",
       .summary = "Measure how fast records are received, from the start of a topic",
       .operands = {topic},
       .options = with_cluster_options({records}),
       .examples = {{"millrace bench consume test --records 100000", ""}},
       .run = bench_consume},
      {.name = "bench latency",
       .summary = "Measure the time from sending a record to receiving it",
       .description =
           "Sends records one after the other at a rate and receives them; shows how long "
           "that took, and how often.",
       .operands = {topic},
       .options = with_cluster_options({{.name = "records",
                                         .value = "N",
                                         .help = "How many",
                                         .initial = "10000",
                                         .range = Range{1, 10'000'000}},
                                        {.name = "rate",
                                         .value = "N",
                                         .help = "How many in a second",
                                         .initial = "1000",
                                         .range = Range{1, 1'000'000}},
                                        size,
                                        create}),
       .examples = {{"millrace bench latency test --rate 10000 -X linger.ms=0", ""}},
       .run = bench_latency},
  };
}

}  // namespace millrace::cli
