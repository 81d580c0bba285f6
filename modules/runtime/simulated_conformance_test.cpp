// Also proves file_system.cpp, file_system_conformance.cpp, file_system_conformance_parallel.cpp,
// file_system_conformance_paths.cpp.
#include <gtest/gtest.h>

#include <chrono>

// This one imports the module: it comes after all that includes standard headers.
#include "file_system_conformance.hpp"

namespace millrace {
namespace {

class SimulatedUnderTest final : public FileSystemUnderTest {
 public:
  explicit SimulatedUnderTest(SimulatedFileOptions options)
      : executor_(options.seed), disk_(options.seed), files_(disk_, executor_, options) {
    run(make());
  }

  FileSystem& files() override { return files_; }
  std::string directory() const override { return "/data"; }
  Executor& executor() override { return executor_; }
  void run(Task<void> task) override {
    const auto ended = executor_.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message;
  }

 private:
  Task<void> make() { EXPECT_TRUE(co_await files_.make_directory("/data")); }

  SimulatedExecutor executor_;
  SimulatedDisk disk_;
  SimulatedFileSystem files_;
};

[[nodiscard]] FileSystemCase simulated(std::string name, SimulatedFileOptions options) {
  return {std::move(name), [options] { return std::make_unique<SimulatedUnderTest>(options); }};
}

INSTANTIATE_TEST_SUITE_P(
    Simulated, FileSystemConformance,
    testing::Values(simulated("immediate", {.completion = SimulatedCompletion::immediate}),
                    simulated("posted", {.completion = SimulatedCompletion::posted}),
                    simulated("mixed", {.seed = 7, .completion = SimulatedCompletion::mixed})),
    name_of_case);

}  // namespace
}  // namespace millrace
