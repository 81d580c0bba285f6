// What the checksum and the variable-length integers of millrace.base cost.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

import millrace.base;

namespace {

using namespace millrace;

std::vector<std::byte> random_bytes(std::size_t size) {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

void checksum(benchmark::State& state, Crc32cImplementation::Extend extend) {
  const std::vector<std::byte> bytes = random_bytes(static_cast<std::size_t>(state.range(0)));
  std::uint32_t crc = 0;
  // Each checksum goes on from the last, as a batch waits for its own: no overlap between
  // iterations.
  for (auto _ : state) crc = extend(crc, bytes.data(), bytes.size());
  benchmark::DoNotOptimize(crc);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void chosen_checksum(benchmark::State& state) {
  checksum(state, [](std::uint32_t crc, const std::byte* data, std::size_t size) {
    return crc32c_extend(crc, {data, size});
  });
}
BENCHMARK(chosen_checksum)->Name("crc32c/chosen")->Arg(20)->Arg(200)->Arg(4096)->Arg(65536);

void register_checksums() {
  for (const Crc32cImplementation& way : crc32c_implementations()) {
    benchmark::RegisterBenchmark(("crc32c/" + std::string(way.name)).c_str(), checksum, way.extend)
        ->Arg(20)
        ->Arg(64)
        ->Arg(200)
        ->Arg(512)
        ->Arg(4096)
        ->Arg(65536);
  }
}

void crc32c_of_two_parts(benchmark::State& state) {
  std::uint32_t crc = 1;
  for (auto _ : state) crc = crc32c_combine(crc, 0x12345678, 65536);
  benchmark::DoNotOptimize(crc);
}
BENCHMARK(crc32c_of_two_parts)->Name("crc32c_combine");

constexpr std::size_t varints = 1024;

// Numbers of at most `bytes` bytes each, as varints, one after the other.
std::vector<std::byte> encoded_varints(std::size_t bytes) {
  std::mt19937_64 random(1);
  std::vector<std::byte> encoded(varints * varlong_bytes_max);
  std::byte* to = encoded.data();
  for (std::size_t i = 0; i < varints; ++i) {
    const unsigned unused = 64 - std::min<unsigned>(static_cast<unsigned>(7 * bytes), 64);
    to = write_unsigned_varint(to, random() >> unused);
  }
  encoded.resize(static_cast<std::size_t>(to - encoded.data()));
  return encoded;
}

void read_varints_of_32_bits(benchmark::State& state) {
  const std::vector<std::byte> encoded = encoded_varints(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const std::byte* at = encoded.data();
    const std::byte* const end = at + encoded.size();
    std::uint32_t sum = 0;
    while (at != end) {
      std::uint32_t value = 0;
      at = read_unsigned_varint(at, end, value);
      sum += value;
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(varints));
}
BENCHMARK(read_varints_of_32_bits)->Name("varint/read")->DenseRange(1, 4);

void read_varints_of_64_bits(benchmark::State& state) {
  const std::vector<std::byte> encoded = encoded_varints(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const std::byte* at = encoded.data();
    const std::byte* const end = at + encoded.size();
    std::int64_t sum = 0;
    while (at != end) {
      std::int64_t value = 0;
      at = read_varlong(at, end, value);
      sum ^= value;
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(varints));
}
BENCHMARK(read_varints_of_64_bits)->Name("varlong/read")->Arg(1)->Arg(2)->Arg(6)->Arg(10);

void write_varints(benchmark::State& state) {
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> values(varints);
  for (std::uint64_t& value : values) value = random() >> (64 - 7 * state.range(0));
  std::vector<std::byte> room(varints * varlong_bytes_max);
  for (auto _ : state) {
    std::byte* to = room.data();
    for (const std::uint64_t value : values) to = write_unsigned_varint(to, value);
    benchmark::DoNotOptimize(to);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(varints));
}
BENCHMARK(write_varints)->Name("varint/write")->Arg(1)->Arg(2)->Arg(4)->Arg(9);

void lend_and_return_a_buffer(benchmark::State& state) {
  BufferPool pool;
  for (auto _ : state) {
    Buffer buffer = pool.acquire(static_cast<std::size_t>(state.range(0)));
    benchmark::DoNotOptimize(buffer.data());
  }
}
BENCHMARK(lend_and_return_a_buffer)->Name("buffer_pool")->Arg(1000)->Arg(100'000);

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  register_checksums();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
