// The committed reference is the printed one. After a change of definitions, print it anew with
// UPDATE_DOCS=1 in the environment of this test.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

import millrace.config;

namespace millrace::config {
namespace {

constexpr auto sample = std::to_array<Definition>({
    {.name = "b.size",
     .type = Type::int32,
     .meaning = Meaning::bytes,
     .default_value = "1048576",
     .range = at_least(0),
     .change = Change::cluster_wide,
     .processes = Processes::broker,
     .doc = "A size."},
    {.name = "a.time",
     .type = Type::int64,
     .meaning = Meaning::milliseconds,
     .default_value = "604800000",
     .range = or_also(at_least(1), -1),
     .importance = Importance::high,
     .processes = Processes::broker | Processes::coordinator,
     .alias = "the.time",
     .per_listener = true,
     .doc = "A time | with a bar and an <angle>."},
    {.name = "c.idle",
     .type = Type::boolean,
     .default_value = "true",
     .processes = Processes::broker,
     .without_effect = "it is to come",
     .doc = "A switch."},
});

std::vector<DocumentedArea> sample_areas() {
  return {{.title = "Area", .introduction = "About it.", .definitions = sample}};
}

TEST(Document, prints_a_markdown_table_sorted_by_name) {
  const std::string page = markdown_reference(sample_areas());
  EXPECT_NE(page.find("\n## Area\n\nAbout it.\n\n| Name |"), std::string::npos);
  const std::string first =
      "| `a.time` | whole number of milliseconds | 604800000 (7 d) | 1 or more, or -1 | high | at "
      "start | broker, coordinator | A time \\| with a bar and an \\<angle\\>. Also called "
      "the.time. For one listener: listener.name.\\<listener\\>.a.time. |\n";
  const std::string second =
      "| `b.size` | whole number of bytes | 1048576 (1 MiB) | 0 or more | medium | cluster-wide | "
      "broker | A size. |\n";
  const std::string third =
      "| `c.idle` | boolean | true | true or false | medium | no effect yet | broker | A switch. "
      "Without effect: it is to come. |\n";
  EXPECT_NE(page.find(first + second + third), std::string::npos) << page;
}

TEST(Document, prints_plain_text_sorted_by_name) {
  EXPECT_EQ(text_reference(sample_areas()),
            "Area\n====\nAbout it.\n\n"
            "a.time\n"
            "    A time | with a bar and an <angle>. Also called the.time. For one listener:\n"
            "    listener.name.<listener>.a.time.\n"
            "    whole number of milliseconds; 1 or more, or -1. Default: 604800000 (7 d).\n"
            "    Importance: high. Changes: at start. Taken by: broker, coordinator.\n"
            "\n"
            "b.size\n"
            "    A size.\n"
            "    whole number of bytes; 0 or more. Default: 1048576 (1 MiB).\n"
            "    Importance: medium. Changes: cluster-wide. Taken by: broker.\n"
            "\n"
            "c.idle\n"
            "    A switch. Without effect: it is to come.\n"
            "    boolean; true or false. Default: true.\n"
            "    Importance: medium. Changes: no effect yet. Taken by: broker.\n");
}

std::string default_cell(Definition definition) {
  const std::string text = text_of(definition);
  const std::size_t begin = text.find("Default: ") + 9;
  return text.substr(begin, text.find(".\n", begin) - begin);
}

TEST(Document, says_large_numbers_in_units_that_people_read) {
  const auto number = [](Meaning meaning, const char* text) {
    return default_cell(
        {.name = "n", .type = Type::int64, .meaning = meaning, .default_value = text});
  };
  EXPECT_EQ(number(Meaning::milliseconds, "1500"), "1500");
  EXPECT_EQ(number(Meaning::milliseconds, "9000"), "9000 (9 s)");
  EXPECT_EQ(number(Meaning::milliseconds, "9223372036854775807"), "9223372036854775807 (no limit)");
  EXPECT_EQ(number(Meaning::minutes, "10080"), "10080 (7 d)");
  EXPECT_EQ(number(Meaning::hours, "168"), "168 (7 d)");
  EXPECT_EQ(number(Meaning::seconds, "300"), "300 (5 min)");
  EXPECT_EQ(number(Meaning::seconds, "1"), "1");
  EXPECT_EQ(number(Meaning::bytes, "1048588"), "1048588");
  EXPECT_EQ(number(Meaning::bytes, "5242880"), "5242880 (5 MiB)");
  EXPECT_EQ(number(Meaning::bytes, "-1"), "-1");
  EXPECT_EQ(number(Meaning::plain, "1048576"), "1048576");
}

TEST(Document, says_when_there_is_no_default) {
  EXPECT_EQ(default_cell({.name = "n", .default_value = Default::none()}), "not set");
  EXPECT_EQ(default_cell({.name = "n", .default_value = Default::required()}), "required");
  EXPECT_EQ(default_cell({.name = "n", .default_value = ""}), "empty");
}

TEST(Document, names_every_definition) {
  const std::string page = markdown_reference(documented_areas());
  const std::string text = text_reference(documented_areas());
  for (const DefinitionSet& set : {ServerSet::definitions(), TopicSet::definitions()}) {
    for (const Definition& definition : set.definitions) {
      const std::string name(definition.name);
      EXPECT_NE(page.find("| `" + name + "` |"), std::string::npos) << name;
      EXPECT_NE(text.find("\n" + name + "\n"), std::string::npos) << name;
    }
  }
}

TEST(Document, is_committed_as_it_is_printed) {
  const std::string path = MILLRACE_SOURCE_DIR "/docs/reference/configuration.md";
  const std::string printed = markdown_reference(documented_areas());
  if (std::getenv("UPDATE_DOCS") != nullptr) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << printed;
  }
  std::ifstream file(path, std::ios::binary);
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(committed == printed)
      << path << " is not what the definitions say. Run this test with UPDATE_DOCS=1.";
}

}  // namespace
}  // namespace millrace::config
