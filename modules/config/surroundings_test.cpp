#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

import millrace.base;
import millrace.config;

namespace millrace::config {
namespace {

class ProcessSurroundingsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& text) const {
    const std::string path = (folder_ / "file").string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  std::filesystem::path folder_;
  ProcessSurroundings surroundings_;
};

TEST_F(ProcessSurroundingsTest, reads_files_of_every_size_up_to_the_limit) {
  for (const std::size_t size : {0u, 1u, 65535u, 65536u, 65537u, 200'000u}) {
    const std::string text(size, 'x');
    const auto read = surroundings_.read_file(write(text), 200'000);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, text);
  }
}

TEST_F(ProcessSurroundingsTest, refuses_larger_files) {
  const auto read = surroundings_.read_file(write(std::string(1001, 'x')), 1000);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::limit_exceeded);
  EXPECT_EQ(surroundings_.read_file("/dev/zero", 100'000).error().kind, ErrorKind::limit_exceeded);
}

TEST_F(ProcessSurroundingsTest, says_why_a_file_cannot_be_read) {
  const auto missing = surroundings_.read_file((folder_ / "none").string(), 1000);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
  const auto folder = surroundings_.read_file(folder_.string(), 1000);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().kind, ErrorKind::io);
}

TEST_F(ProcessSurroundingsTest, reads_the_environment) {
  ASSERT_EQ(setenv("MILLRACE_SURROUNDINGS_TEST", "value", 1), 0);
  EXPECT_EQ(surroundings_.variable("MILLRACE_SURROUNDINGS_TEST"), "value");
  ASSERT_EQ(unsetenv("MILLRACE_SURROUNDINGS_TEST"), 0);
  EXPECT_EQ(surroundings_.variable("MILLRACE_SURROUNDINGS_TEST"), std::nullopt);
}

TEST(MemorySurroundings, keeps_to_the_limit_as_well) {
  MemorySurroundings surroundings;
  surroundings.files["/a"] = "12345";
  EXPECT_EQ(surroundings.read_file("/a", 5).value(), "12345");
  EXPECT_EQ(surroundings.read_file("/a", 4).error().kind, ErrorKind::limit_exceeded);
  EXPECT_EQ(surroundings.read_file("/b", 4).error().kind, ErrorKind::not_found);
  EXPECT_EQ(surroundings.variable("A"), std::nullopt);
}

}  // namespace
}  // namespace millrace::config
