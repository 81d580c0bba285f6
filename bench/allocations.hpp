// Counts what a benchmark takes from the heap. Linking allocations.cpp replaces operator new and
// delete.
#pragma once
#include <benchmark/benchmark.h>

#include <cstdint>

namespace millrace::bench {

// Calls of operator new by this process so far.
std::uint64_t allocations();

// Reports the allocations of an iteration, on average, as the counter "allocs". Make it before the
// loop.
class AllocationCounter {
 public:
  explicit AllocationCounter(benchmark::State& state) : state_(state), before_(allocations()) {}
  AllocationCounter(const AllocationCounter&) = delete;
  AllocationCounter& operator=(const AllocationCounter&) = delete;
  ~AllocationCounter() {
    state_.counters["allocs"] =
        static_cast<double>(allocations() - before_) / static_cast<double>(state_.iterations());
  }

 private:
  benchmark::State& state_;
  std::uint64_t before_;
};

}  // namespace millrace::bench
