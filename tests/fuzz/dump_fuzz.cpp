// Dumps and checks of a partition whose files may hold anything: the input is cut into a log file,
// indexes, a snapshot and small files. Neither may end the process, read beyond, or run on; and who
// prints what was found prints UTF-8. The first byte chooses what is done to batches before: so
// that changed ones are looked into, their CRCs may be made right.
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.storage.dump;

namespace {

using namespace millrace;
using namespace millrace::storage;

class Utf8Sink final : public DumpSink {
 public:
  [[nodiscard]] bool write(std::string_view text) override {
    check(is_utf8(as_bytes(text)), "a dump is UTF-8");
    bytes += text.size();
    return bytes < 64 * mebibyte;
  }
  std::size_t bytes = 0;
};

class Observer final : public VerifyObserver {
 public:
  void found(const Finding& finding) override {
    check(!finding.message.empty() && !name_of(finding.kind).empty(), "a finding has a sentence");
    ++findings;
  }
  [[nodiscard]] bool progress(const VerifyProgress&) override { return true; }
  std::uint64_t findings = 0;
};

// Batches that can be told by their lengths get the CRC of what is in them.
void seal(std::string& log) {
  auto* bytes = reinterpret_cast<std::byte*>(log.data());
  for (std::size_t at = 0; at + record_batch_header_bytes <= log.size();) {
    const auto header = protocol::read_batch_header(as_bytes(log).subspan(at));
    if (!header || header->size_bytes() > log.size() - at) return;
    const ByteView batch(bytes + at, header->size_bytes());
    store_big_endian(bytes + at + protocol::batch_layout::crc, protocol::compute_batch_crc(batch));
    at += header->size_bytes();
  }
}

Task<void> write_file(FileSystem& files, std::string path, std::string_view contents) {
  const auto file = co_await files.open(path, OpenMode::create_truncated);
  check(file.has_value(), "a file is made");
  const ByteView pieces[] = {as_bytes(contents)};
  if (!contents.empty()) {
    check((co_await files.write(*file, 0, std::span(pieces))).has_value(), "a file is written");
  }
  check((co_await files.close(*file)).has_value(), "a file is closed");
}

Task<void> look_at_all(Executor& executor, FileSystem& files,
                       const std::vector<std::pair<std::string, std::string>>& contents) {
  check((co_await files.make_directory("/logs")).has_value(), "a directory is made");
  check((co_await files.make_directory("/logs/__consumer_offsets-0")).has_value(),
        "a directory is made");
  for (const auto& [path, bytes] : contents) co_await write_file(files, path, bytes);
  BufferPool buffers;
  protocol::Decompressor decompressor;
  DumpContext context{executor, files, buffers, decompressor};
  Observer observer;
  const VerifyOptions verify_options;
  const auto summary = co_await verify_log_directory(context, "/logs", verify_options, observer);
  check(summary.has_value(), "damage is no failure of the device");
  check(observer.findings <= summary->count(FindingSeverity::note) +
                                 summary->count(FindingSeverity::wrong) +
                                 summary->count(FindingSeverity::loss) + contents.size(),
        "findings are counted");
  Utf8Sink sink;
  ItemPrinter printer(sink, DumpFormat::json_lines);
  const DumpOptions options;
  Dumper dumper(context, options, printer);
  const auto totals = co_await dumper.dump("/logs");
  check(totals.has_value(), "damage is no failure of the device");
  check(printer.finish() || sink.bytes >= 64 * mebibyte, "everything is printed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 8) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto choice = static_cast<std::uint8_t>(rest[0]);
  // The shares of the files besides the log, which has what is left.
  const std::string partition = "/logs/__consumer_offsets-0/";
  const std::string base = choice & 2   ? "09223372036854775807"
                           : choice & 4 ? "09223372034707292159"
                                        : "00000000000000000000";
  const std::pair<std::string, std::size_t> others[] = {
      {partition + base + ".index", 8u * (data[1] % 16) + data[1] / 128},
      {partition + base + ".timeindex", 12u * (data[2] % 16) + data[2] / 128},
      {partition + base + ".txnindex", 34u * (data[3] % 8)},
      {partition + base + ".snapshot", data[4]},
      {partition + "leader-epoch-checkpoint", data[5] % 64},
      {"/logs/replication-offset-checkpoint", data[6] % 64}};
  rest.remove_prefix(7);
  std::vector<std::pair<std::string, std::string>> contents;
  for (const auto& [path, wanted] : others) {
    const std::size_t length = std::min(wanted, rest.size());
    contents.emplace_back(path, rest.substr(0, length));
    rest.remove_prefix(length);
  }
  std::string log(rest);
  if (choice & 1) seal(log);
  contents.emplace_back(partition + base + ".log", std::move(log));
  if (choice & 8) contents.emplace_back("/logs/.kafka_cleanshutdown", "");
  SimulatedExecutor executor(1);
  SimulatedDisk disk(1);
  SimulatedFileSystem files(disk, executor);
  check(executor.run(look_at_all(executor, files, contents)).has_value(), "it ends");
  return 0;
}
