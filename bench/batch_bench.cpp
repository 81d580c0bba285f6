// What it costs to build, iterate, check and rewrite record batches: 160 records of 100 bytes (a
// key of 16, a value of 84) in each.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "allocations.hpp"

import millrace.base;
import millrace.protocol.batch;

namespace {

using namespace millrace;
using namespace millrace::protocol;
using millrace::bench::AllocationCounter;

constexpr int records_per_batch = 160;
constexpr std::size_t key_bytes = 16;
constexpr std::size_t value_bytes = 84;
constexpr std::int64_t first_timestamp = 1'700'000'000'000;

// Records as applications send them: keys that differ a little, values of a text that compresses
// somewhat.
std::vector<std::string> make_texts(std::size_t bytes) {
  std::mt19937 random(3);
  std::vector<std::string> texts;
  for (int number = 0; number < records_per_batch; ++number) {
    std::string text = "{\"user\":" + std::to_string(random() % 100'000) + ",\"page\":\"/item/";
    while (text.size() < bytes) text += static_cast<char>('a' + random() % 20);
    text.resize(bytes);
    texts.push_back(text);
  }
  return texts;
}

class Records {
 public:
  [[nodiscard]] RecordInput operator[](int number) const {
    const auto at = static_cast<std::size_t>(number);
    return {.key = as_bytes(keys_[at]),
            .value = as_bytes(values_[at]),
            .timestamp = Timestamp(first_timestamp + number / 4)};
  }

 private:
  std::vector<std::string> keys_ = make_texts(key_bytes);
  std::vector<std::string> values_ = make_texts(value_bytes);
};

// All that building needs, and the batch built last.
class Workbench {
 public:
  MutableBytes build(const BatchOptions& options) {
    builder_.start(options);
    for (int number = 0; number < records_per_batch; ++number) {
      check(builder_.append(inputs_[number]).has_value(), "the record fits");
    }
    const auto batch = builder_.finish();
    check(batch.has_value(), "the batch is built");
    return *batch;
  }

  RecordReader& reader() { return reader_; }

 private:
  Records inputs_;
  BufferPool pool_;
  BatchStorage records_{pool_};
  BatchStorage compressed_{pool_};
  Compressor compressor_;
  BatchBuilder builder_{records_, compressed_, compressor_};
  Decompressor decompressor_;
  RecordReader reader_{decompressor_};
};

BatchOptions with_codec(Codec codec) {
  BatchOptions options;
  options.compression = CompressionOptions(codec);
  return options;
}

void count_records(benchmark::State& state) {
  state.counters["records"] = benchmark::Counter(
      static_cast<double>(state.iterations() * records_per_batch), benchmark::Counter::kIsRate);
}

void build(benchmark::State& state, Codec codec) {
  Workbench bench;
  const BatchOptions options = with_codec(codec);
  bench.build(options);
  {
    const AllocationCounter allocations(state);
    for (auto _ : state) benchmark::DoNotOptimize(bench.build(options).data());
  }
  count_records(state);
}
BENCHMARK_CAPTURE(build, none, Codec::none);
BENCHMARK_CAPTURE(build, lz4, Codec::lz4);

// Every field of every record is used.
void iterate(benchmark::State& state, Codec codec) {
  Workbench bench;
  const auto batch = BatchView::parse(bench.build(with_codec(codec)));
  check(batch.has_value() && bench.reader().open(*batch).has_value(), "the batch is readable");
  for (RecordView record; bench.reader().next(record);) benchmark::DoNotOptimize(record);
  {
    const AllocationCounter allocations(state);
    for (auto _ : state) {
      check(bench.reader().open(*batch).has_value(), "the batch is readable");
      for (RecordView record; bench.reader().next(record);) benchmark::DoNotOptimize(record);
      check(bench.reader().finish().has_value(), "the batch is whole");
    }
  }
  count_records(state);
}
BENCHMARK_CAPTURE(iterate, none, Codec::none);
BENCHMARK_CAPTURE(iterate, lz4, Codec::lz4);

void validate(benchmark::State& state, Codec codec, CheckDepth depth) {
  Workbench bench;
  const MutableBytes batch = bench.build(with_codec(codec));
  const ValidationOptions options{.depth = depth, .now = Timestamp(first_timestamp)};
  check(validate_batch(batch, options, bench.reader()).has_value(), "the batch is valid");
  {
    const AllocationCounter allocations(state);
    for (auto _ : state) {
      const auto valid = validate_batch(batch, options, bench.reader());
      check(valid.has_value(), "the batch is valid");
      benchmark::DoNotOptimize(valid);
    }
  }
  count_records(state);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(batch.size()));
}
BENCHMARK_CAPTURE(validate, none, Codec::none, CheckDepth::records);
BENCHMARK_CAPTURE(validate, none_header_only, Codec::none, CheckDepth::header);
BENCHMARK_CAPTURE(validate, lz4, Codec::lz4, CheckDepth::records);
BENCHMARK_CAPTURE(validate, lz4_header_only, Codec::lz4, CheckDepth::header);

void rewrite(benchmark::State& state) {
  Workbench bench;
  const MutableBytes batch = bench.build({});
  std::int64_t offset = 0;
  for (auto _ : state) {
    rewrite_base_offset_and_epoch(batch, Offset(offset++), LeaderEpoch(3));
    benchmark::DoNotOptimize(batch.data());
  }
}
BENCHMARK(rewrite)->Name("rewrite/base_offset_and_epoch");

void rewrite_times(benchmark::State& state) {
  Workbench bench;
  const MutableBytes batch = bench.build({});
  std::int64_t timestamp = first_timestamp;
  for (auto _ : state) {
    rewrite_timestamps(batch, TimestampType::log_append_time, Timestamp(timestamp++));
    benchmark::DoNotOptimize(batch.data());
  }
}
BENCHMARK(rewrite_times)->Name("rewrite/timestamps");

}  // namespace

BENCHMARK_MAIN();
