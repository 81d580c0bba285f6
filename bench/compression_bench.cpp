// Each codec against the bare library call on the same data, lines of JSON. Both are measured in
// turns in the same loop, so that a busy machine slows both: `ratio` is ours by bare (1.05 is 5 %
// slower), from the medians; the time shown is ours. `heap` counts calls of the system's allocator
// in one call of ours.
#include <benchmark/benchmark.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "../modules/protocol/compression/heap_calls.h"
#include "../modules/protocol/compression/test_support.h"

import millrace.base;
import millrace.protocol.compression;

namespace {

using namespace millrace;
using namespace millrace::protocol;
using compression_test::Bytes;
using compression_test::heap_calls;
using Clock = std::chrono::steady_clock;

void require(bool holds) {
  if (!holds) std::abort();
}

const char* chars(const std::byte* bytes) {
  return reinterpret_cast<const char*>(bytes);
}
char* chars(std::byte* bytes) {
  return reinterpret_cast<char*>(bytes);
}

// The libraries as one would call them by hand, with contexts that are reused where they have such.
class Bare {
 public:
  Bare() {
    require(deflateInit2(&deflate_, -1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    require(inflateInit2(&inflate_, 31) == Z_OK);
    LZ4F_createCompressionContext(&lz4_compress_, LZ4F_VERSION);
    LZ4F_createDecompressionContext(&lz4_decompress_, LZ4F_VERSION);
  }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;
  ~Bare() {
    deflateEnd(&deflate_);
    inflateEnd(&inflate_);
    LZ4F_freeCompressionContext(lz4_compress_);
    LZ4F_freeDecompressionContext(lz4_decompress_);
    ZSTD_freeCCtx(zstd_compress_);
    ZSTD_freeDCtx(zstd_decompress_);
  }

  std::size_t compress(const CompressionOptions& options, const Bytes& from, Bytes& to) {
    switch (options.codec()) {
      case Codec::gzip:
        return compress_gzip(from, to);
      case Codec::snappy:
        return options.snappy_framing() == SnappyFraming::raw ? compress_raw(from, to)
                                                              : compress_xerial(from, to);
      case Codec::lz4:
        return compress_lz4(options.level().value(), from, to);
      case Codec::zstd:
        return ZSTD_compressCCtx(zstd_compress_, to.data(), to.size(), from.data(), from.size(), 3);
      case Codec::none:
        break;
    }
    return 0;
  }

  std::size_t decompress(const CompressionOptions& options, const Bytes& from, Bytes& to) {
    switch (options.codec()) {
      case Codec::gzip:
        return decompress_gzip(from, to);
      case Codec::snappy:
        return options.snappy_framing() == SnappyFraming::raw ? decompress_raw(from, to)
                                                              : decompress_xerial(from, to);
      case Codec::lz4: {
        std::size_t written = to.size();
        std::size_t read = from.size();
        LZ4F_decompress(lz4_decompress_, to.data(), &written, from.data(), &read, nullptr);
        return written;
      }
      case Codec::zstd:
        return ZSTD_decompressDCtx(zstd_decompress_, to.data(), to.size(), from.data(),
                                   from.size());
      case Codec::none:
        break;
    }
    return 0;
  }

  // For frames that do not name their size.
  std::size_t decompress_zstd_stream(const Bytes& from, Bytes& to) {
    ZSTD_DCtx_reset(zstd_decompress_, ZSTD_reset_session_only);
    ZSTD_inBuffer input{from.data(), from.size(), 0};
    ZSTD_outBuffer output{to.data(), to.size(), 0};
    require(ZSTD_decompressStream(zstd_decompress_, &output, &input) == 0);
    return output.pos;
  }

 private:
  std::size_t compress_gzip(const Bytes& from, Bytes& to) {
    deflateReset(&deflate_);
    deflate_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(from.data()));
    deflate_.avail_in = static_cast<uInt>(from.size());
    deflate_.next_out = reinterpret_cast<Bytef*>(to.data());
    deflate_.avail_out = static_cast<uInt>(to.size());
    require(deflate(&deflate_, Z_FINISH) == Z_STREAM_END);
    return deflate_.total_out;
  }

  std::size_t decompress_gzip(const Bytes& from, Bytes& to) {
    inflateReset(&inflate_);
    inflate_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(from.data()));
    inflate_.avail_in = static_cast<uInt>(from.size());
    inflate_.next_out = reinterpret_cast<Bytef*>(to.data());
    inflate_.avail_out = static_cast<uInt>(to.size());
    require(inflate(&inflate_, Z_FINISH) == Z_STREAM_END);
    return inflate_.total_out;
  }

  static std::size_t compress_raw(const Bytes& from, Bytes& to) {
    std::size_t size = 0;
    snappy::RawCompress(chars(from.data()), from.size(), chars(to.data()), &size);
    return size;
  }

  static std::size_t decompress_raw(const Bytes& from, Bytes& to) {
    require(snappy::RawUncompress(chars(from.data()), from.size(), chars(to.data())));
    return to.size();
  }

  static std::size_t compress_xerial(const Bytes& from, Bytes& to) {
    std::size_t at = 16;
    for (std::size_t done = 0; done < from.size(); done += 32 * kibibyte) {
      std::size_t size = 0;
      snappy::RawCompress(chars(from.data()) + done, std::min(from.size() - done, 32 * kibibyte),
                          chars(to.data()) + at + 4, &size);
      store_big_endian(to.data() + at, static_cast<std::int32_t>(size));
      at += 4 + size;
    }
    return at;
  }

  static std::size_t decompress_xerial(const Bytes& from, Bytes& to) {
    std::size_t written = 0;
    for (std::size_t at = 16; at < from.size();) {
      const auto size = static_cast<std::size_t>(load_big_endian<std::int32_t>(from.data() + at));
      const char* block = chars(from.data()) + at + 4;
      std::size_t length = 0;
      require(snappy::GetUncompressedLength(block, size, &length));
      require(snappy::RawUncompress(block, size, chars(to.data()) + written));
      written += length;
      at += 4 + size;
    }
    return written;
  }

  std::size_t compress_lz4(int level, const Bytes& from, Bytes& to) {
    LZ4F_preferences_t preferences{};
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences.compressionLevel = level == 9 ? 0 : level;
    preferences.autoFlush = 1;
    std::size_t at = LZ4F_compressBegin(lz4_compress_, to.data(), to.size(), &preferences);
    at += LZ4F_compressUpdate(lz4_compress_, to.data() + at, to.size() - at, from.data(),
                              from.size(), nullptr);
    at += LZ4F_compressEnd(lz4_compress_, to.data() + at, to.size() - at, nullptr);
    return at;
  }

  z_stream deflate_{};
  z_stream inflate_{};
  LZ4F_cctx* lz4_compress_ = nullptr;
  LZ4F_dctx* lz4_decompress_ = nullptr;
  ZSTD_CCtx* zstd_compress_ = ZSTD_createCCtx();
  ZSTD_DCtx* zstd_decompress_ = ZSTD_createDCtx();
};

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

template <class Call>
double seconds_of(Call&& call) {
  const auto before = Clock::now();
  call();
  return std::chrono::duration<double>(Clock::now() - before).count();
}

// Runs both in turns, each as often as the other and each as often first.
template <class Ours, class Theirs>
void compare(benchmark::State& state, std::size_t bytes, Ours&& ours, Theirs&& theirs) {
  std::vector<double> our_times;
  std::vector<double> their_times;
  for (int i = 0; i < 3; ++i) {
    ours();
    theirs();
  }
  const std::uint64_t heap_before = heap_calls();
  ours();
  const std::uint64_t heap = heap_calls() - heap_before;
  bool ours_first = true;
  for (auto _ : state) {
    double our_time = 0;
    if (ours_first) our_time = seconds_of(ours);
    their_times.push_back(seconds_of(theirs));
    if (!ours_first) our_time = seconds_of(ours);
    our_times.push_back(our_time);
    state.SetIterationTime(our_time);
    ours_first = !ours_first;
  }
  const double our_median = median(our_times);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
  state.counters["ratio"] = our_median / median(their_times);
  state.counters["median_us"] = our_median * 1e6;
  state.counters["heap"] = static_cast<double>(heap);
}

void compress(benchmark::State& state, const CompressionOptions& options, std::size_t size) {
  const Bytes data = compression_test::log_lines(size);
  Bytes output(compressed_bytes_max(options, size) + 64);
  Compressor compressor;
  Bare bare;
  compare(
      state, size, [&] { require(compressor.compress(options, data, output).has_value()); },
      [&] { benchmark::DoNotOptimize(bare.compress(options, data, output)); });
}

void read_all(Decompressor& decompressor, Codec codec, const Bytes& packed, std::size_t size) {
  require(decompressor.start(codec, packed, {}).has_value());
  while (!decompressor.finished()) {
    const auto view = decompressor.next();
    require(view.has_value());
    benchmark::DoNotOptimize(view->data());
  }
  require(decompressor.output_bytes() == size);
}

void decompress(benchmark::State& state, const CompressionOptions& options, std::size_t size) {
  const Bytes data = compression_test::log_lines(size);
  Compressor compressor;
  Bytes packed(compressed_bytes_max(options, size));
  packed.resize(compressor.compress(options, data, packed).value());
  Bytes output(size);
  Decompressor decompressor;
  Bare bare;
  compare(
      state, size, [&] { read_all(decompressor, options.codec(), packed, size); },
      [&] { require(bare.decompress(options, packed, output) == size); });
}

void decompress_zstd_stream(benchmark::State& state, std::size_t size) {
  const Bytes data = compression_test::log_lines(size);
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  Bytes packed(ZSTD_compressBound(size));
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), data.data(), size));
  ZSTD_freeCCtx(context);
  Bytes output(size);
  Decompressor decompressor;
  Bare bare;
  compare(
      state, size, [&] { read_all(decompressor, Codec::zstd, packed, size); },
      [&] { require(bare.decompress_zstd_stream(packed, output) == size); });
}

void register_all() {
  struct Named {
    const char* name;
    CompressionOptions options;
  };
  const Named all[] = {
      {"gzip", CompressionOptions(Codec::gzip)},
      {"snappy", CompressionOptions(Codec::snappy)},
      {"snappy_raw", CompressionOptions::raw_snappy()},
      {"lz4", CompressionOptions(Codec::lz4)},
      {"lz4_level_5", CompressionOptions::with_level(Codec::lz4, CompressionLevel(5)).value()},
      {"zstd", CompressionOptions(Codec::zstd)}};
  for (const auto& [suffix, size] : {std::pair<const char*, std::size_t>{"16KiB", 16 * kibibyte},
                                     std::pair<const char*, std::size_t>{"1MiB", mebibyte}}) {
    for (const auto& [name, options] : all) {
      const auto label = std::string(name) + "/" + suffix;
      benchmark::RegisterBenchmark(("compress/" + label).c_str(), compress, options, size)
          ->UseManualTime();
      benchmark::RegisterBenchmark(("decompress/" + label).c_str(), decompress, options, size)
          ->UseManualTime();
    }
    benchmark::RegisterBenchmark((std::string("decompress/zstd_of_unknown_size/") + suffix).c_str(),
                                 decompress_zstd_stream, size)
        ->UseManualTime();
  }
}

}  // namespace

int main(int argc, char** argv) {
  register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
