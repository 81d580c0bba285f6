module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.storage.manager;

import :scrubber;

namespace millrace::storage {

namespace {

// Logs that are passed over before others may run.
constexpr std::size_t logs_at_a_time = 64;

constexpr Offset any_end{std::numeric_limits<std::int64_t>::max()};

}  // namespace

Scrubber::Scrubber(Executor& executor, FileSystem& files, BufferPool& buffers, Logger log,
                   ScrubberOptions options, NextLog next_log, Found found)
    : executor_(executor),
      files_(files),
      buffers_(buffers),
      log_(std::move(log)),
      options_(options),
      next_log_(std::move(next_log)),
      found_(std::move(found)),
      random_(options.seed),
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

// Once around, and back to where it began.
Task<void> Scrubber::pass() {
  std::optional<Place> begin = co_await draw();
  // A log that was removed while the others were drawn from must not be opened again: its files are
  // about to be those of nobody, or of another.
  while (begin && !passes_.stopped() &&
         next_log_(begin->before ? &*begin->before : nullptr) != begin->log) {
    begin = co_await draw();
  }
  if (begin) {
    const TopicPartition first = begin->log->partition();
    co_await scrub_log(std::move(begin->log), begin->segment, any_end);
    TopicPartition last = first;
    bool is_around = false;
    for (std::size_t count = 1; !passes_.stopped(); ++count) {
      std::shared_ptr<Log> log = next_log_(&last);
      if (!log && !is_around) {
        is_around = true;
        log = next_log_(nullptr);
      }
      if (!log || (is_around && first < log->partition())) break;
      last = log->partition();
      co_await scrub_log(std::move(log), Offset(0),
                         is_around && last == first ? begin->segment : any_end);
      if (count % logs_at_a_time == 0) co_await yield(executor_);
    }
  }
  if (!passes_.stopped()) ++counts_.passes;
}

Task<std::optional<Scrubber::Place>> Scrubber::draw() {
  std::optional<Place> drawn;
  std::uint64_t seen = 0;
  std::optional<TopicPartition> before;
  std::size_t count = 0;
  for (std::shared_ptr<Log> log = next_log_(nullptr); log; log = next_log_(&*before)) {
    for (const auto& segment : log->segments()) {
      seen += segment->bytes();
      // Each takes the place of those before it as often as its share of the bytes so far.
      if (random_.below(seen) < segment->bytes()) drawn = Place{before, log, segment->base()};
    }
    before = log->partition();
    log.reset();
    if (++count % logs_at_a_time == 0) co_await yield(executor_);
    if (passes_.stopped()) break;
  }
  co_return drawn;
}

Task<void> Scrubber::scrub_log(std::shared_ptr<Log> log, Offset from, Offset to) {
  // A copy: the log rolls and removes meanwhile.
  const std::vector<std::shared_ptr<Segment>> segments(log->segments().begin(),
                                                       log->segments().end());
  for (std::size_t i = 0; i < segments.size() && !passes_.stopped(); ++i) {
    if (segments[i]->base() < from) continue;
    if (segments[i]->base() >= to) break;
    const bool last = i + 1 == segments.size();
    const Offset settled = last ? segments[i]->base() : segments[i + 1]->base();
    if (settled > log->recovery_point() || log->offline()) break;
    co_await scrub_segment(*log, segments[i]);
  }
}

Task<void> Scrubber::scrub_segment(Log& log, std::shared_ptr<Segment> segment) {
  const std::uint64_t version = log.version();
  // Records are being cut: the next pass comes back.
  if (version % 2 != 0) co_return;
  const auto lease = co_await segment->open_log();
  if (!lease) {
    // It was removed, or all descriptors are taken: the next pass comes back.
    if (lease.error().fault == StorageFault::offline) log.report(lease.error());
    co_return;
  }
  const std::uint64_t bytes = segment->bytes();
  const std::optional<Offset> end = log.end_of(*segment);
  BatchScanner scanner(files_, buffers_, lease->handle(), segment->log_path(), 0, bytes,
                       ScanDepth::bytes);
  BatchOrder order(segment->base());
  std::optional<Misplaced> misplaced;
  std::vector<Offset> markers;
  std::uint64_t counted = 0;
  while (!passes_.stopped() && !misplaced) {
    const auto more = co_await scanner.fill();
    if (!more) {
      if (more.error().fault == StorageFault::offline) log.report(more.error());
      co_return;
    }
    if (!*more) break;
    while (!misplaced) {
      const auto scanned = scanner.next();
      if (!scanned) break;
      auto checked = co_await log.check_place(*segment, order, *scanned);
      if (!checked) {
        if (checked.error().fault == StorageFault::offline) log.report(checked.error());
        co_return;
      }
      misplaced = std::move(*checked);
      if (log.is_abort_marker(scanned->batch)) {
        markers.push_back(scanned->batch.header().last_offset());
      }
    }
    counts_.bytes += scanner.position() - counted;
    co_await pause(scanner.position() - counted);
    counted = scanner.position();
  }
  // What was cut or compacted meanwhile says nothing.
  if (passes_.stopped() || log.version() != version) co_return;
  ++counts_.segments;
  if (!misplaced && scanner.end() != ScanEnd::complete) {
    misplaced = Misplaced{scanner.position(), scanner.reason()};
  } else if (!misplaced && scanner.position() != bytes) {
    misplaced = Misplaced{scanner.position(), "the file is too short"};
  } else if (!misplaced && end) {
    misplaced = order.end(*end);
  }
  if (misplaced) {
    report(log, *segment, segment->log_path(), misplaced->position, misplaced->reason);
    co_return;
  }
  // Of the last segment it was made again at the start, or is in memory.
  const bool closed = !log.segments().empty() && segment != log.segments().back();
  if (closed && !markers.empty()) co_await check_aborted(log, segment, std::move(markers));
}

Task<void> Scrubber::check_aborted(Log& log, std::shared_ptr<Segment> segment,
                                   std::vector<Offset> markers) {
  const auto repaired = co_await log.repair_aborted(segment, std::move(markers));
  // What else it may be, the next pass meets again.
  if (!repaired || *repaired == 0) co_return;
  report(log, *segment, segment->path(SegmentFileKind::transaction_index), 0,
         std::to_string(*repaired) + " aborted transactions were missing, and are there again");
}

void Scrubber::report(const Log& log, const Segment& segment, std::string path,
                      std::uint64_t position, const std::string& reason) {
  ++counts_.corruptions;
  const Corruption corruption{log.partition(), segment.base(), std::move(path), position, reason};
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
