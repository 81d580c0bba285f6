// What the checksum and the variable-length integers of millrace.base cost.
#include <benchmark/benchmark.h>

#include <array>
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

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  register_checksums();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
