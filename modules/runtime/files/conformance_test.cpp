// The conformance suite over both real file systems, on a disk and in memory, in place and not, and
// with hardly any room in their queues.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// These import modules: they come after all that includes standard headers.
#include "../file_system_conformance.hpp"
#include "test_support.hpp"

namespace millrace {
namespace {

class RealUnderTest final : public FileSystemUnderTest {
 public:
  RealUnderTest(const std::string& below, const RealFilesSetup& setup)
      : directory_(below), real_(setup) {}

  FileSystem& files() override { return real_.files(); }
  Executor& executor() override { return real_.loop(); }
  std::string directory() const override { return directory_.path(); }
  void run(Task<void> task) override { real_.loop().run(std::move(task)); }

 private:
  TemporaryDirectory directory_;
  RealFiles real_;
};

[[nodiscard]] FileSystemOptions hardly_any_room() {
  FileSystemOptions options = nothing_in_place();
  options.pool_operations_max = 2;
  options.ring_operations_max = 2;
  return options;
}

[[nodiscard]] std::vector<FileSystemCase> cases(FileSystemKind kind) {
  std::vector<FileSystemCase> all;
  const auto add = [&](std::string name, std::string below, RealFilesSetup setup) {
    all.push_back({std::move(name),
                   [below, setup] { return std::make_unique<RealUnderTest>(below, setup); }});
  };
  add("disk", std::filesystem::temp_directory_path().string(), {.kind = kind, .options = {}});
  add("disk_nothing_in_place", std::filesystem::temp_directory_path().string(),
      {.kind = kind, .options = nothing_in_place()});
  add("disk_hardly_any_room", std::filesystem::temp_directory_path().string(),
      {.kind = kind, .options = hardly_any_room(), .pool_threads = 1});
  if (has_tmpfs()) add("memory", tmpfs_directory, {.kind = kind, .options = {}});
  return all;
}

[[nodiscard]] std::vector<FileSystemCase> ring_cases() {
  if (!probe_io_uring()) return {};
  return cases(FileSystemKind::io_uring);
}

TEST(FileSystemConformanceCases, there_is_a_file_system_in_memory) {
  if (!has_tmpfs()) GTEST_SKIP() << tmpfs_directory << " is not a tmpfs";
}

TEST(FileSystemConformanceCases, there_is_io_uring) {
  if (const auto probed = probe_io_uring(); !probed) GTEST_SKIP() << probed.error().message;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(FileSystemConformance);
INSTANTIATE_TEST_SUITE_P(ThreadPool, FileSystemConformance,
                         testing::ValuesIn(cases(FileSystemKind::thread_pool)), name_of_case);
INSTANTIATE_TEST_SUITE_P(IoUring, FileSystemConformance, testing::ValuesIn(ring_cases()),
                         name_of_case);

}  // namespace
}  // namespace millrace
