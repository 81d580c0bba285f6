#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

import millrace.cli.operations;

namespace millrace::cli {
namespace {

TEST(TarFile, has_headers_contents_and_an_end) {
  TarFile tar(1'700'000'000);
  tar.add("about.json", "{}\n");
  tar.add("empty", "");
  const std::string bytes = std::move(tar).finish();
  ASSERT_EQ(bytes.size(), 512U * 5);
  EXPECT_EQ(bytes.substr(0, 11), std::string_view("about.json\0", 11));
  EXPECT_EQ(bytes.substr(124, 12), std::string_view("00000000003\0", 12));
  EXPECT_EQ(bytes.substr(136, 12), std::string_view("14524770400\0", 12));
  EXPECT_EQ(bytes.substr(257, 8), std::string_view("ustar\00000", 8));
  EXPECT_EQ(bytes.substr(512, 4), std::string_view("{}\n\0", 4));
  EXPECT_EQ(bytes.substr(1024, 6), std::string_view("empty\0", 6));
  EXPECT_EQ(bytes.substr(1536), std::string(1024, '\0'));
}

TEST(TarFile, has_the_whole_of_a_long_name) {
  TarFile tar(1'700'000'000);
  const std::string name = "topics/" + std::string(200, 'a') + ".json";
  tar.add(name, "{}\n");
  const std::string bytes = std::move(tar).finish();
  ASSERT_EQ(bytes.size(), 512U * 6);
  EXPECT_EQ(bytes[156], 'x');
  // "222 path=" and a line feed are 10 bytes.
  EXPECT_EQ(bytes.substr(512, 222), "222 path=" + name + "\n");
  EXPECT_EQ(bytes.substr(1024, 100), name.substr(0, 100));
  EXPECT_EQ(bytes[1024 + 156], '0');
  EXPECT_EQ(bytes.substr(1536, 3), "{}\n");
}

TEST(TarFile, cannot_be_written_where_there_is_no_folder) {
  EXPECT_TRUE(write_private_file("/no/such/folder/x.tar", ""));
}

TEST(MetricsPage, that_nobody_gives_is_told_as_a_comment) {
  bool is_good = true;
  EXPECT_EQ(metrics_page_of("127.0.0.1:1", is_good), "# nobody answers at 127.0.0.1:1\n");
  EXPECT_FALSE(is_good);
  EXPECT_EQ(metrics_page_of("nonsense", is_good), "# nonsense is not HOST:PORT\n");
}

}  // namespace
}  // namespace millrace::cli
