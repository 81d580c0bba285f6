#include "schema.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace millrace::table {
namespace {

Message parsed(std::string_view text) {
  auto message = parse_message(text, "x.schema");
  EXPECT_TRUE(message) << message.error();
  return message ? std::move(*message) : Message{};
}

std::string error_of(std::string_view text) {
  const auto message = parse_message(text, "x.schema");
  return message ? "no error" : message.error();
}

// A message with one field, whose line is `line`.
std::string error_of_field(std::string_view line) {
  return error_of("data Thing versions=0-5 flexible=2+\n" + std::string(line) + "\n");
}

TEST(Versions, reads_single_ranges_open_and_none) {
  EXPECT_EQ(Versions::parse("3"), (Versions{3, 3}));
  EXPECT_EQ(Versions::parse("3-5"), (Versions{3, 5}));
  EXPECT_EQ(Versions::parse("3+"), (Versions{3, version_highest}));
  EXPECT_EQ(Versions::parse("none"), Versions{});
}

TEST(Versions, refuses_what_is_no_version_set) {
  for (const char* text : {"", "+", "-", "3-", "-3", "5-3", "3+4", "v1", "3 ", "40000", "1-2-3"}) {
    EXPECT_FALSE(Versions::parse(text)) << '"' << text << '"';
  }
}

TEST(Schema, reads_every_file_of_the_project) {
  const auto messages = read_schemas(MILLRACE_SOURCE_DIR "/modules/protocol/schema");
  ASSERT_TRUE(messages) << messages.error();
  EXPECT_EQ(messages->size(), 216U);
  std::set<std::string> names;
  for (const Message& message : *messages) {
    EXPECT_TRUE(names.insert(message.name).second) << message.name << " twice";
  }
}

TEST(Schema, reads_the_first_line) {
  const Message message = parsed(
      "# a comment\n"
      "request FetchRequest key=1 versions=4-18 flexible=12+ latest=unstable "
      "listeners=broker,controller unknown_tags=keep\n");
  EXPECT_EQ(message.kind, "request");
  EXPECT_EQ(message.name, "FetchRequest");
  EXPECT_EQ(message.stem(), "x");
  EXPECT_EQ(message.key, 1);
  EXPECT_EQ(message.versions, (Versions{4, 18}));
  EXPECT_EQ(message.flexible, (Versions{12, 18}));
  EXPECT_TRUE(message.latest_unstable);
  EXPECT_EQ(message.listeners, (std::vector<std::string>{"broker", "controller"}));
  EXPECT_TRUE(message.keeps_unknown_tags);
  EXPECT_TRUE(message.top->fields.empty());
}

TEST(Schema, takes_nothing_for_granted_on_the_first_line) {
  const Message message = parsed("header Small versions=3 flexible=none");
  EXPECT_EQ(message.key, std::nullopt);
  EXPECT_EQ(message.versions, (Versions{3, 3}));
  EXPECT_TRUE(message.flexible.empty());
  EXPECT_FALSE(message.latest_unstable);
  EXPECT_TRUE(message.listeners.empty());
  EXPECT_FALSE(message.keeps_unknown_tags);
}

TEST(Schema, reads_each_attribute_of_a_field) {
  const Message message = parsed(
      "data Thing versions=0-5 flexible=2+\n"
      "Plain  int32     0-9\n"
      "Text   string    1+   nullable=3+ default=null ignorable entity=topicName\n"
      "Old    []string  0+   map_key flexible=none   # stays as it was\n"
      "Tag    bool      0+   tag=4 tagged=3+ default=true\n");
  const Field& plain = message.top->fields[0];
  EXPECT_EQ(plain.type, Type::int32);
  EXPECT_EQ(plain.versions, (Versions{0, 5}));
  EXPECT_EQ(plain.default_value, Value(std::int64_t{0}));
  EXPECT_TRUE(plain.nullable.empty());
  EXPECT_TRUE(plain.tagged.empty());
  EXPECT_FALSE(plain.is_array || plain.ignorable || plain.map_key || plain.never_compact);
  const Field& text = message.top->fields[1];
  EXPECT_EQ(text.nullable, (Versions{3, 5}));
  EXPECT_TRUE(text.default_value.is_null());
  EXPECT_TRUE(text.ignorable);
  EXPECT_EQ(text.entity, "topicName");
  EXPECT_EQ(text.line, 3);
  const Field& old = message.top->fields[2];
  EXPECT_TRUE(old.is_array);
  EXPECT_TRUE(old.map_key);
  EXPECT_TRUE(old.never_compact);
  EXPECT_EQ(old.default_value, Value(List()));
  const Field& tag = message.top->fields[3];
  EXPECT_EQ(tag.tag, 4U);
  EXPECT_EQ(tag.tagged, (Versions{3, 5}));
  EXPECT_TRUE(tag.is_plain_in(2));
  EXPECT_FALSE(tag.is_plain_in(3));
  EXPECT_EQ(tag.default_value, Value(true));
}

TEST(Schema, reads_defaults_of_every_type) {
  const Message message = parsed(
      "data Thing versions=0 flexible=none\n"
      "A int64 0 default=9223372036854775807\n"
      "B int32 0 default=0x7fffffff\n"
      "C int8 0 default=-128\n"
      "D string 0 default=\"abc\"\n"
      "E float64 0 default=-2.5\n"
      "F uuid 0\n"
      "G bytes 0\n"
      "H records 0\n"
      "I bool 0\n"
      "J string 0\n"
      "K uint16 0 default=65535\n"
      "L uint32 0 default=4294967295\n");
  const auto value = [&](const char* name) { return message.top->find(name)->default_value; };
  EXPECT_EQ(value("A"), Value(std::int64_t{0x7fffffffffffffff}));
  EXPECT_EQ(value("B"), Value(std::int64_t{0x7fffffff}));
  EXPECT_EQ(value("C"), Value(std::int64_t{-128}));
  EXPECT_EQ(value("D"), Value(std::string("abc")));
  EXPECT_EQ(value("E"), Value(-2.5));
  EXPECT_EQ(value("F"), Value(std::string(16, '\0')));
  EXPECT_EQ(value("G"), Value(std::string()));
  EXPECT_TRUE(value("H").is_null());
  EXPECT_EQ(value("I"), Value(false));
  EXPECT_EQ(value("J"), Value(std::string()));
  EXPECT_EQ(value("K"), Value(std::int64_t{65535}));
  EXPECT_EQ(value("L"), Value(std::int64_t{4294967295}));
}

TEST(Schema, nests_structs_and_finds_common_ones_by_name) {
  const Message message = parsed(
      "data Thing versions=1-4 flexible=3+\n"
      "struct Outer 0+\n"
      "  Inner  Common  2+\n"
      "\n"
      "struct Common 0+\n"
      "  Port  uint16  0+\n"
      "\n"
      "Items    []Item  0-3\n"
      "  Id     int8    0+\n"
      "  Deep   Deeper  2+  nullable=2+ default=null\n"
      "    X    int8    0+\n"
      "Again    Outer   0+\n"
      "Gone     Ghost   5+\n"
      "  Y      int8    0+\n");
  ASSERT_EQ(message.top->fields.size(), 2U);
  const Field& deep = *message.top->find("Items")->structure->find("Deep");
  EXPECT_EQ(deep.versions, (Versions{2, 3})) << "within those of Items";
  EXPECT_TRUE(deep.default_value.is_null());
  EXPECT_EQ(deep.structure->name, "Deeper");
  const Struct& outer = *message.top->find("Again")->structure;
  EXPECT_EQ(outer.find("Inner")->structure->name, "Common");
  const Fields& defaults = *outer.default_value.fields();
  EXPECT_EQ(defaults.members[0].fields()->members[0], Value(std::int64_t{0}));
}

TEST(Schema, knows_the_fewest_bytes_of_a_struct_in_each_version) {
  const Message message = parsed(
      "data Thing versions=0-2 flexible=2+\n"
      "Id     int32   0+\n"
      "Name   string  1+\n"
      "Data   bytes   1+\n"
      "List   []int8  1+\n"
      "Place  Place   1+\n"
      "  X    int8    1+\n"
      "Maybe  Maybe   2+  nullable=2+\n"
      "  Y    int64   2+\n"
      "Tag    int64   2+  tag=0\n");
  EXPECT_EQ(message.top->smallest_bytes,
            (std::vector<std::size_t>{4, 4 + 2 + 4 + 4 + 1, 4 + 1 + 1 + 1 + 2 + 1 + 1}));
}

TEST(Schema, names_file_and_line_of_a_mistake_on_the_first_line) {
  EXPECT_EQ(error_of(""), "x.schema:1: the file is empty");
  EXPECT_EQ(error_of("\n\nrequest\n"), "x.schema:3: the first line is `kind Name attributes`");
  EXPECT_EQ(error_of("question X versions=0 flexible=none"),
            "x.schema:1: unknown kind of message 'question'");
  EXPECT_EQ(error_of("data X flexible=none"), "x.schema:1: no versions=");
  EXPECT_EQ(error_of("data X versions=0"), "x.schema:1: no flexible=");
  EXPECT_EQ(error_of("data X versions=0+ flexible=none"),
            "x.schema:1: versions must be a closed range");
  EXPECT_EQ(error_of("data X versions=a flexible=none"), "x.schema:1: bad versions 'a'");
  EXPECT_EQ(error_of("data X key=-1 versions=0 flexible=none"), "x.schema:1: bad key '-1'");
  EXPECT_EQ(error_of("data X colour=red versions=0 flexible=none"),
            "x.schema:1: unknown attribute 'colour'");
  EXPECT_EQ(error_of("data X versions=0 versions=0 flexible=none"),
            "x.schema:1: attribute 'versions' twice");
  EXPECT_EQ(error_of("data X versions=0 flexible=none latest=stable"),
            "x.schema:1: latest can only be unstable");
}

TEST(Schema, names_file_and_line_of_a_bad_field) {
  EXPECT_EQ(error_of_field("A int8"), "x.schema:2: a field is `Name type versions [attributes]`");
  EXPECT_EQ(error_of_field("A int8 x"), "x.schema:2: bad versions 'x'");
  EXPECT_EQ(error_of_field("A int7 0+"), "x.schema:2: unknown type int7");
  EXPECT_EQ(error_of_field("A int8 0+ nullable=0+"), "x.schema:2: a int8 is never null");
  EXPECT_EQ(error_of_field("A int8 0+ tag=x"), "x.schema:2: bad tag 'x'");
  EXPECT_EQ(error_of_field("A int8 0+ tagged=2+"), "x.schema:2: tagged= without tag=");
  EXPECT_EQ(error_of_field("A int8 0+ tag=0"),
            "x.schema:2: tagged in a version that is not flexible");
  EXPECT_EQ(error_of_field("A int8 0+ ignorable=yes"), "x.schema:2: ignorable can only be ");
  EXPECT_EQ(error_of_field("A int8 0+\nA int8 0+"), "x.schema:3: a second field A");
  EXPECT_EQ(error_of_field("A int8 2+ tag=0\nB int8 2+ tag=0"), "x.schema:3: tag 0 is taken");
}

TEST(Schema, names_file_and_line_of_a_bad_default) {
  EXPECT_EQ(error_of_field("A int8 0+ default=128"), "x.schema:2: bad default '128' of A");
  EXPECT_EQ(error_of_field("A uint16 0+ default=-1"), "x.schema:2: bad default '-1' of A");
  EXPECT_EQ(error_of_field("A int64 0+ default=9223372036854775808"),
            "x.schema:2: bad default '9223372036854775808' of A");
  EXPECT_EQ(error_of_field("A int32 0+ default="), "x.schema:2: bad default '' of A");
  EXPECT_EQ(error_of_field("A bool 0+ default=yes"), "x.schema:2: bad default 'yes' of A");
  EXPECT_EQ(error_of_field("A float64 0+ default=1x"), "x.schema:2: bad default '1x' of A");
  EXPECT_EQ(error_of_field("A string 0+ default=text"), "x.schema:2: bad default 'text' of A");
  EXPECT_EQ(error_of_field("A string 0+ default=\""), "x.schema:2: bad default '\"' of A");
  EXPECT_EQ(error_of_field("A string 0+ default=null"), "x.schema:2: A is never null");
  EXPECT_EQ(error_of_field("A []int8 0+ default=1"), "x.schema:2: bad default '1' of A");
  EXPECT_EQ(error_of_field("A uuid 0+ default=1"), "x.schema:2: bad default '1' of A");
}

TEST(Schema, names_file_and_line_of_a_bad_struct) {
  EXPECT_EQ(error_of_field("A int8 0+\n  B int8 0+"),
            "x.schema:3: only a struct has fields of its own");
  EXPECT_EQ(error_of_field("  A int8 0+"), "x.schema:2: indented by 2 spaces where 0 are expected");
  EXPECT_EQ(error_of_field("A T 0+\n   B int8 0+"),
            "x.schema:3: indented by 3 spaces where 2 are expected");
  EXPECT_EQ(error_of_field("A T 0+\n  X int8 0+\nB T 0+\n  X int8 0+"),
            "x.schema:4: a second struct T");
  EXPECT_EQ(error_of_field("A int8 0+\nstruct T 0+"),
            "x.schema:3: a struct block must come before the fields");
  EXPECT_EQ(error_of_field("struct T"),
            "x.schema:2: a struct block starts with `struct Name versions`");
  EXPECT_EQ(error_of_field("struct T 0+\n  A T 0+\nB T 0+"), "x.schema:3: T contains itself");
  EXPECT_EQ(error_of_field("struct T 2+\n  A int8 2+\nB []T 0+"),
            "x.schema:4: elements of B take no bytes in version 0");
}

TEST(Schema, says_which_folder_is_missing) {
  const auto messages = read_schemas("/nowhere/at/all");
  ASSERT_FALSE(messages);
  EXPECT_TRUE(messages.error().starts_with("/nowhere/at/all: ")) << messages.error();
}

}  // namespace
}  // namespace millrace::table
