// A simulated machine with a log directory, and what dumps and checks of it say.
#pragma once

#include <gtest/gtest.h>

#include <coroutine>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../modules/storage/dump/test_sinks.hpp"
#include "golden_log.hpp"

import millrace.storage.dump;

namespace millrace::storage {

class DumpMachine {
 public:
  static constexpr std::string_view root = "/logs";

  SimulatedExecutor executor{7};
  SimulatedDisk disk{7};
  SimulatedFileSystem files{disk, executor};
  BufferPool buffers;
  protocol::Decompressor decompressor;
  DumpContext context{executor, files, buffers, decompressor};

  template <class T>
  T wait(Task<T> task) {
    auto ended = executor.run(std::move(task));
    check(ended.has_value(), "a task ends");
    return std::move(*ended);
  }

  void load(const golden::GoldenLog& log) {
    const auto written = wait(golden::write_golden_log(files, log, std::string(root)));
    ASSERT_TRUE(written) << describe(written.error(), root);
  }

  VerifySummary verify(FindingList& found, const VerifyOptions& options = {}) {
    const auto summary = wait(verify_log_directory(context, std::string(root), options, found));
    EXPECT_TRUE(summary) << summary.error().message;
    EXPECT_EQ(files.open_files(), 0u) << "all files are closed";
    return summary ? *summary : VerifySummary{};
  }

  std::string dump(std::string path, DumpFormat format, const DumpOptions& options = {},
                   PayloadForm payload = PayloadForm::text) {
    TextSink sink;
    ItemPrinter printer(sink, format, payload);
    Dumper dumper(context, options, printer);
    const auto totals = wait(dumper.dump(std::move(path)));
    EXPECT_TRUE(totals) << totals.error().message;
    EXPECT_EQ(files.open_files(), 0u) << "all files are closed";
    if (totals) last_totals = *totals;
    EXPECT_TRUE(printer.finish());
    return sink.text;
  }

  DumpTotals last_totals;
};

}  // namespace millrace::storage
