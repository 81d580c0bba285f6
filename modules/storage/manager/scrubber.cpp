module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

module millrace.storage.manager;

import :scrubber;

namespace millrace::storage {

Scrubber::Scrubber(Executor& executor, FileSystem& files, BufferPool& buffers, Logger log,
                   ScrubberOptions options, NextLog next_log, Found found)
    : executor_(executor),
      files_(files),
      buffers_(buffers),
      log_(std::move(log)),
      options_(options),
      next_log_(std::move(next_log)),
      found_(std::move(found)),
      passes_(executor, scrub_first_delay),
      pauses_(executor, options.pass_interval) {}

void Scrubber::stop() {
  passes_.stop();
  pauses_.stop();
}

Task<void> Scrubber::run() {
  if (options_.bytes_per_second == 0) co_return;
  while (co_await passes_.next()) {
    const MonotonicTime began = executor_.clock().now();
    co_await pass();
    const auto taken = std::chrono::duration_cast<Milliseconds>(executor_.clock().now() - began);
    passes_.set_interval(options_.pass_interval - std::min(taken, options_.pass_interval));
  }
}

Task<void> Scrubber::pass() {
  TopicPartition last;
  std::size_t looked_at = 0;
  std::shared_ptr<Log> log = next_log_(nullptr);
  while (log && !passes_.stopped()) {
    last = log->partition();
    co_await scrub_log(std::move(log));
    if (++looked_at % 64 == 0) co_await yield(executor_);
    log = next_log_(&last);
  }
  if (!passes_.stopped()) ++counts_.passes;
}

Task<void> Scrubber::scrub_log(std::shared_ptr<Log> log) {
  // A copy: the log rolls and removes meanwhile.
  const std::vector<std::shared_ptr<Segment>> segments(log->segments().begin(),
                                                       log->segments().end());
  for (std::size_t i = 0; i + 1 < segments.size() && !passes_.stopped(); ++i) {
    if (segments[i + 1]->base() > log->recovery_point() || log->offline()) break;
    co_await scrub_segment(*log, segments[i]);
  }
}

Task<void> Scrubber::scrub_segment(Log& log, std::shared_ptr<Segment> segment) {
  const std::uint64_t version = log.version();
  const auto lease = co_await segment->open_log();
  if (!lease) {
    // It was removed, or all descriptors are taken: the next pass comes back.
    if (lease.error().fault == StorageFault::offline) log.report(lease.error());
    co_return;
  }
  const std::uint64_t bytes = segment->bytes();
  BatchScanner scanner(files_, buffers_, lease->handle(), segment->log_path(), 0, bytes,
                       ScanDepth::crc);
  std::uint64_t counted = 0;
  while (!passes_.stopped()) {
    const auto more = co_await scanner.fill();
    if (!more) {
      if (more.error().fault == StorageFault::offline) log.report(more.error());
      co_return;
    }
    if (!*more) break;
    while (scanner.next()) {
    }
    counts_.bytes += scanner.position() - counted;
    co_await pause(scanner.position() - counted);
    counted = scanner.position();
  }
  // What was cut or compacted meanwhile says nothing.
  if (passes_.stopped() || log.version() != version) co_return;
  ++counts_.segments;
  if (scanner.end() != ScanEnd::complete || scanner.position() != bytes) {
    report(log, *segment, scanner.position(),
           scanner.end() != ScanEnd::complete ? scanner.reason() : "the file is too short");
  }
}

void Scrubber::report(const Log& log, const Segment& segment, std::uint64_t position,
                      const std::string& reason) {
  ++counts_.corruptions;
  const Corruption corruption{log.partition(), segment.base(), segment.log_path(), position,
                              reason};
  log_.error("{} is damaged at position {}: {}", corruption.path, position, reason);
  found_(corruption);
}

Task<void> Scrubber::pause(std::uint64_t bytes) {
  const std::chrono::duration<double> takes(static_cast<double>(bytes) /
                                            static_cast<double>(options_.bytes_per_second));
  const MonotonicTime now = executor_.clock().now();
  free_ = std::max(free_, now) + std::chrono::duration_cast<Duration>(takes);
  if (free_ - now < std::chrono::milliseconds(1)) {
    co_await yield(executor_);
    co_return;
  }
  pauses_.set_interval(std::chrono::duration_cast<Milliseconds>(free_ - now));
  static_cast<void>(co_await pauses_.next());
}

}  // namespace millrace::storage
