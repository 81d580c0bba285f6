// The generated codec against the table-driven one and against what Kafka's own classes wrote.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agreement.hpp"
#include "byte_difference.hpp"
#include "json.hpp"
#include "mutation.hpp"
#include "random_value.hpp"
#include "support.hpp"
#include "table_codec.hpp"

// This one imports modules: it comes after all that includes standard headers.
#include "generated_codecs.hpp"

namespace millrace::table {
namespace {

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

class GeneratedCodecs : public testing::Test {
 protected:
  GeneratedCodecs() {
    auto paired = pair_up(messages_, codecs_);
    EXPECT_TRUE(paired) << paired.error();
    if (paired) subjects_ = std::move(*paired);
  }

  void for_each_version(const std::function<void(const Subject&, int)>& visit) const {
    for (const Subject& subject : subjects_) {
      const Versions versions = subject.message->versions;
      for (int version = versions.low; version <= versions.high; ++version) visit(subject, version);
    }
  }

  // Says what to run again when the codecs differ over an input made from this seed.
  static void expect_agreement(const Subject& subject, int version, std::uint64_t seed,
                               std::string_view input, CompareJson json) {
    EXPECT_EQ(disagreement(subject, version, input, json).value_or(""), "") << "seed " << seed;
  }

  [[nodiscard]] Subject subject(std::string_view name) const {
    for (const Subject& candidate : subjects_) {
      if (candidate.message->name == name) return candidate;
    }
    ADD_FAILURE() << "no message " << name;
    return subjects_.front();
  }

  static std::string random_bytes(const Subject& subject, int version, Random& random,
                                  WithUnknownTags tags) {
    const Value value = random_value(*subject.message, version, random, tags);
    const auto bytes = encode(*subject.message, version, value);
    EXPECT_TRUE(bytes) << subject.message->name << ' ' << version << ": " << bytes.error().what;
    return bytes.value_or("");
  }

  const std::vector<Message> messages_ = project_messages();
  const std::vector<protocol::GeneratedCodec> codecs_ = protocol::generated_codecs();
  std::vector<Subject> subjects_;
};

TEST_F(GeneratedCodecs, are_there_for_every_message_and_version) {
  EXPECT_EQ(subjects_.size(), messages_.size());
}

TEST_F(GeneratedCodecs, read_and_write_random_values_as_the_table_driven_one) {
  constexpr std::uint64_t seeds = 300 / MILLRACE_SLOWNESS;
  for_each_version([](const Subject& subject, int version) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      Random random(seed);
      const auto tags = seed % 2 == 0 ? WithUnknownTags::no : WithUnknownTags::yes;
      const std::string bytes = random_bytes(subject, version, random, tags);
      expect_agreement(subject, version, seed, bytes, CompareJson::yes);
    }
  });
}

TEST_F(GeneratedCodecs, write_or_refuse_a_value_of_another_version_as_the_table_driven_one) {
  constexpr std::uint64_t seeds = 40 / MILLRACE_SLOWNESS;
  for_each_version([](const Subject& subject, int version) {
    const Versions others = subject.message->versions;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      Random random(seed);
      const auto tags = seed % 4 == 0 ? WithUnknownTags::yes : WithUnknownTags::no;
      const std::string bytes = random_bytes(subject, version, random, tags);
      for (int other = others.low; other <= others.high; ++other) {
        EXPECT_EQ(disagreement_across(subject, version, other, bytes).value_or(""), "")
            << "seed " << seed;
      }
    }
  });
}

TEST_F(GeneratedCodecs, read_and_write_what_kafka_wrote) {
  for (const Subject& subject : subjects_) {
    for (const GoldenLine& line : golden_lines(*subject.message)) {
      EXPECT_EQ(disagreement(subject, line.version, line.bytes, CompareJson::yes).value_or(""), "")
          << line.place;
      const auto found = run_generated(subject, line.version, line.bytes);
      ASSERT_TRUE(found) << line.place << ": " << found.error();
      if (line.label != "unknown-tags" || subject.message->keeps_unknown_tags) {
        EXPECT_EQ(byte_difference(line.bytes, found->bytes).value_or(""), "") << line.place;
      }
      const auto expected = parse_json(line.json);
      const auto json = parse_json(found->json);
      ASSERT_TRUE(expected && json) << line.place;
      EXPECT_EQ(first_difference(*expected, *json).value_or(""), "") << line.place;
    }
  }
}

// Nothing but a tagged struct that may be null, whose tag holds `value`.
std::string with_classic_member(std::string_view value) {
  const auto size = static_cast<char>(value.size());
  return "\x00\x00\x01\x01\x01\x00\x00\x00\x00\x01\x00\x01\x00"s + size + std::string(value);
}

TEST_F(GeneratedCodecs, keep_the_unknown_tags_of_a_tagged_struct_that_has_only_defaults) {
  const Subject member = subject("ConsumerGroupMemberMetadataValue");
  const std::string bytes = with_classic_member("\x01\x00\x00\x00\x00\x01\x01\x07\x02xy"sv);
  EXPECT_EQ(disagreement(member, 0, bytes, CompareJson::no).value_or(""), "");
  const auto kept = decode(*member.message, 0, bytes, UnknownTags::keep);
  ASSERT_TRUE(kept) << kept.error().what;
  EXPECT_EQ(encode(*member.message, 0, kept->value), bytes);
}

TEST_F(GeneratedCodecs, read_the_null_marker_inside_a_tag_as_a_varint) {
  const Subject member = subject("ConsumerGroupMemberMetadataValue");
  for (const std::string_view marker :
       {"\x00"sv, "\x80\x00"sv, "\xff\xff\xff\xff\x0f"sv, "\x80\x80\x80\x80\x80"sv, "\x80"sv}) {
    EXPECT_EQ(disagreement(member, 0, with_classic_member(marker), CompareJson::yes).value_or(""),
              "");
    const std::string present = std::string(marker) + "\x00\x00\x00\x05\x01\x00"s;
    EXPECT_EQ(disagreement(member, 0, with_classic_member(present), CompareJson::yes).value_or(""),
              "");
  }
  const auto present = with_classic_member("\x81\x01\x00\x00\x00\x05\x01\x00"sv);
  ASSERT_TRUE(decode(*member.message, 0, present, UnknownTags::keep));
  EXPECT_EQ(disagreement(member, 0, present, CompareJson::yes).value_or(""), "");
}

// Text is counted in 16 bits where a version is not flexible, and may be no longer where it is.
TEST_F(GeneratedCodecs, take_text_up_to_its_longest_and_no_longer) {
  std::size_t taken = 0;
  for (const Subject& subject : subjects_) {
    const Message& message = *subject.message;
    const int version = message.versions.high;
    for (std::size_t i = 0; i < message.top->fields.size(); ++i) {
      if (message.top->fields[i].type != Type::string || message.top->fields[i].is_array) continue;
      Value value = message.top->default_value;
      value.fields()->members[i] = Value(std::string(32767, 'x'));
      auto bytes = encode(message, version, value);
      const std::size_t at = bytes ? bytes->find(std::string(32767, 'x')) : std::string::npos;
      if (at == std::string::npos) continue;  // the field is gone
      ++taken;
      for (int other = message.versions.low; other <= version; ++other)
        EXPECT_EQ(disagreement_across(subject, version, other, *bytes).value_or(""), "");
      // One more, where its length is a varint: 0x8000 is 80 80 02, and one more than the length.
      if (at < 3 || bytes->substr(at - 3, 3) != "\x80\x80\x02"sv) continue;
      bytes->replace(at - 3, 3, "\x81\x80\x02x"sv);
      EXPECT_EQ(disagreement(subject, version, *bytes, CompareJson::no).value_or(""), "");
      EXPECT_FALSE(decode(message, version, *bytes, UnknownTags::keep)) << message.name;
    }
  }
  EXPECT_GT(taken, 100U);
}

TEST_F(GeneratedCodecs, refuse_to_drop_kept_unknown_tags_in_a_version_without_tags) {
  const Subject commit = subject("OffsetCommitValue");
  Value value = commit.message->top->default_value;
  value.fields()->unknown_tags = {{9, "x"}};
  const auto bytes = encode(*commit.message, 4, value);
  ASSERT_TRUE(bytes) << bytes.error().what;
  EXPECT_FALSE(encode(*commit.message, 3, value));
  EXPECT_EQ(disagreement_across(commit, 4, 3, *bytes).value_or(""), "");
}

TEST_F(GeneratedCodecs, refuse_a_message_cut_off_anywhere) {
  constexpr std::size_t bytes_max = 600;
  for (const Subject& subject : subjects_) {
    for (const GoldenLine& line : golden_lines(*subject.message)) {
      if (line.bytes.size() > bytes_max) continue;
      for (std::size_t size = 0; size < line.bytes.size(); size += MILLRACE_SLOWNESS) {
        const auto cut = std::string_view(line.bytes).substr(0, size);
        EXPECT_FALSE(run_generated(subject, line.version, cut)) << line.place << ", " << size;
        EXPECT_FALSE(decode(*subject.message, line.version, cut, UnknownTags::keep))
            << line.place << ", " << size;
      }
    }
  }
}

TEST_F(GeneratedCodecs, keep_to_their_memory_limit_with_many_small_elements) {
  constexpr std::size_t elements = 2000 / MILLRACE_SLOWNESS;
  constexpr int levels = 3;
  for_each_version([](const Subject& subject, int version) {
    for (int level = 0; level < levels; ++level) {
      const Value value = smallest_value(*subject.message->top, version, level, elements);
      const auto bytes = encode(*subject.message, version, value);
      ASSERT_TRUE(bytes) << subject.message->name << ' ' << version << ": " << bytes.error().what;
      EXPECT_EQ(disagreement(subject, version, *bytes, CompareJson::no).value_or(""), "");
    }
  });
}

TEST_F(GeneratedCodecs, agree_with_the_table_driven_one_on_damaged_messages) {
  constexpr std::uint64_t seeds = 20 / MILLRACE_SLOWNESS;
  constexpr int damages = 60;
  for_each_version([](const Subject& subject, int version) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      Random random(seed);
      const std::string bytes = random_bytes(subject, version, random, WithUnknownTags::yes);
      for (int damage = 0; damage < damages; ++damage) {
        expect_agreement(subject, version, seed, mutated(bytes, random), CompareJson::no);
      }
    }
  });
}

TEST_F(GeneratedCodecs, agree_with_the_table_driven_one_on_noise) {
  constexpr std::uint64_t seeds = 400 / MILLRACE_SLOWNESS;
  constexpr std::size_t bytes_max = 64;
  for_each_version([](const Subject& subject, int version) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      Random random(seed);
      // Many zeros: they are what makes a length or a count plausible.
      std::string bytes(random.below(bytes_max), '\0');
      for (char& byte : bytes) {
        if (!random.one_in(3)) byte = static_cast<char>(random.next() >> random.below(8));
      }
      expect_agreement(subject, version, seed, bytes, CompareJson::no);
    }
  });
}

}  // namespace
}  // namespace millrace::table
