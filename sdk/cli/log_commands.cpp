module;
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.cli;

import millrace.base;
import millrace.cli.frame;
import millrace.cli.session;
import millrace.protocol.compression;
import millrace.runtime;
import millrace.runtime.files;
import millrace.runtime.shard;
import millrace.storage.dump;
import millrace.storage.files;

namespace millrace::cli {
namespace {

using storage::ItemPrinter;

class OutputSink final : public storage::DumpSink {
 public:
  [[nodiscard]] bool write(std::string_view text) override {
    output_.write(text);
    return !output_.is_broken() && !Interrupt::is_asked();
  }
  Output& output() { return output_; }

 private:
  Output output_;
};

// Runs `work`, which gives a Task<StorageResult<T>> of a DumpContext, on files of this machine.
template <class Work>
Answer with_files(Work work) {
  const auto broken = [](const Error& error) {
    return failed(Failure{.code = "FILES", .message = error.message});
  };
  const SystemClock clock;
  const auto loop = ShardLoop::make(clock);
  if (!loop) return broken(loop.error());
  const auto pool = FilePool::start(clock);
  if (!pool) return broken(pool.error());
  const auto files = make_file_system(FileSystemKind::thread_pool, **loop, **pool);
  if (!files) return broken(files.error());
  BufferPool buffers;
  protocol::Decompressor decompressor;
  storage::DumpContext context{**loop, **files, buffers, decompressor};
  return (*loop)->run(work(context));
}

storage::DumpFormat dump_format(const Call& call) {
  if (call.format == Format::json) return storage::DumpFormat::json_lines;
  return call.format == Format::tsv ? storage::DumpFormat::tsv : storage::DumpFormat::text;
}

storage::PayloadForm payload_form(const Arguments& arguments) {
  const std::string name = arguments.text_or("payload", "text");
  if (name == "base64") return storage::PayloadForm::base64;
  return name == "hex" ? storage::PayloadForm::hex : storage::PayloadForm::text;
}

Failure storage_failure_of(const storage::StorageError& error) {
  return {.code = "STORAGE", .message = error.message};
}

Task<Answer> dump_paths(storage::DumpContext& context, const Call& call) {
  Answer answer{.is_printed = true};
  OutputSink sink;
  ItemPrinter printer(sink, dump_format(call), payload_form(call.arguments));
  storage::DumpOptions options;
  options.records = !call.arguments.has("no-records");
  options.payloads = !call.arguments.has("no-payloads");
  options.from = Offset(call.arguments.number_or("from", 0));
  if (const auto to = call.arguments.number("to")) options.to = Offset(*to);
  std::uint64_t problems = 0;
  for (const std::string& path : call.arguments.operands()) {
    storage::Dumper dumper(context, options, printer);
    const auto totals = co_await dumper.dump(path);
    if (totals)
      problems += totals->problems;
    else
      answer.failures.push_back(storage_failure_of(totals.error()));
  }
  static_cast<void>(printer.finish());  // who reads no more is not a failure of ours
  sink.output().flush();
  if (auto failure = sink.output().failure()) answer.failures.push_back(*std::move(failure));
  if (problems > 0)
    answer.failures.push_back(
        {.code = "DAMAGED",
         .message =
             joined(counted(static_cast<std::int64_t>(problems), "place"), " could not be read"),
         .hint = "each is an item called problem"});
  co_return answer;
}

Answer dump_log(const Call& call) {
  const Interrupt interrupt;
  return with_files([&](storage::DumpContext& context) { return dump_paths(context, call); });
}

// Prints findings as they come, and how far it is.
class FindingPrinter final : public storage::VerifyObserver {
 public:
  explicit FindingPrinter(ItemPrinter& printer) : printer_(printer) {}

  void found(const storage::Finding& finding) override { storage::print(printer_, finding); }
  [[nodiscard]] bool progress(const storage::VerifyProgress& progress) override {
    if (progress_.is_due())
      progress_.show(joined(progress.partitions_done, " of ", progress.partitions, " partitions, ",
                            progress.log_bytes_done / mebibyte, " MiB"));
    return printer_.wanted() && !Interrupt::is_asked();
  }

 private:
  ItemPrinter& printer_;
  Progress progress_;
};

Task<Answer> verify_directory(storage::DumpContext& context, const Call& call) {
  Answer answer{.is_printed = true};
  OutputSink sink;
  ItemPrinter printer(sink, dump_format(call));
  const storage::VerifyOptions options;
  FindingPrinter findings(printer);
  const auto summary =
      co_await storage::verify_log_directory(context, call.arguments.operand(0), options, findings);
  if (summary) storage::print(printer, *summary);
  static_cast<void>(printer.finish());  // who reads no more is not a failure of ours
  sink.output().flush();
  if (!summary) {
    answer.failures.push_back(storage_failure_of(summary.error()));
    co_return answer;
  }
  if (auto failure = sink.output().failure()) answer.failures.push_back(*std::move(failure));
  const auto count = [&](storage::FindingSeverity severity) {
    return static_cast<std::int64_t>(summary->count(severity));
  };
  const std::int64_t wrong = count(storage::FindingSeverity::wrong);
  const std::int64_t losses = count(storage::FindingSeverity::loss);
  if (wrong + losses > 0)
    answer.failures.push_back(
        {.code = "DAMAGED",
         .message = joined("the log directory is damaged: ", counted(losses, "finding"),
                           " of loss, ", counted(wrong, "other finding"))});
  if (summary->stopped)
    answer.failures.push_back({.code = "STOPPED", .message = "stopped before the end"});
  co_return answer;
}

Answer verify_log(const Call& call) {
  const Interrupt interrupt;
  return with_files([&](storage::DumpContext& context) { return verify_directory(context, call); });
}

Option lines_option() {
  Option option = output_option();
  option.help = "Lines of name=value, these apart by tabs, or one JSON object a line";
  option.choices = {"table", "json", "tsv"};
  return option;
}

}  // namespace

std::vector<Command> log_commands() {
  constexpr std::int64_t offset_max = std::int64_t{1} << 62;
  return {
      {.name = "log dump",
       .summary = "Print files of a log directory",
       .description = "Prints batches and records of log files, entries of indexes, snapshots and "
                      "checkpoints. With -o json each line is an object with its type.",
       .operands = {{.name = "PATH",
                     .help = "A file, the directory of a partition, or a log directory",
                     .completes = Completes::files,
                     .is_repeated = true}},
       .options = {{.name = "no-records", .help = "Batches only"},
                   {.name = "no-payloads", .help = "Without keys, values and headers"},
                   {.name = "from",
                    .value = "OFFSET",
                    .help = "Batches from this offset on",
                    .range = Range{0, offset_max}},
                   {.name = "to",
                    .value = "OFFSET",
                    .help = "Batches before this offset",
                    .range = Range{0, offset_max}},
                   {.name = "payload",
                    .value = "FORM",
                    .help = "How keys and values are shown",
                    .initial = "text",
                    .choices = {"text", "base64", "hex"}},
                   lines_option()},
       .examples = {{"millrace log dump data/broker-1/log/orders-0", ""},
                    {"millrace log dump 00000000000000000000.log --no-payloads", ""}},
       .run = dump_log},
      {.name = "log verify",
       .summary = "Check a log directory that no broker uses",
       .description =
           "Checks every batch, indexes, snapshots and checkpoints, and changes nothing. "
           "What the next start puts right is a note; ends with 1 where more is wrong.",
       .operands = {{.name = "DIR",
                     .help = "The log directory",
                     .completes = Completes::directories}},
       .options = {lines_option()},
       .examples = {{"millrace log verify data/broker-1/log", ""}},
       .run = verify_log},
  };
}

}  // namespace millrace::cli
