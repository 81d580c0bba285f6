// The definitions against Apache Kafka's own, which tests/golden/data/kafka_configs.tsv holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.base;
import millrace.config;

namespace millrace::config {
namespace {

struct KafkaProperty {
  std::string type;
  std::string default_value;
  std::string valid;
  std::string importance;
  std::string mode;
  std::string synonyms;
};

using KafkaProperties = std::map<std::string, KafkaProperty>;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char character : text) {
    if (character == separator) {
      parts.emplace_back();
    } else {
      parts.back() += character;
    }
  }
  return parts;
}

// Of one set: "broker" or "topic".
KafkaProperties kafka_properties(std::string_view set) {
  std::ifstream file(MILLRACE_SOURCE_DIR "/tests/golden/data/kafka_configs.tsv");
  KafkaProperties properties;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> fields = split(line, '\t');
    if (fields.size() != 9 || fields[0] != set) continue;
    properties[fields[1]] = {.type = fields[2],
                             .default_value = fields[3],
                             .valid = fields[4],
                             .importance = fields[5],
                             .mode = fields[7],
                             .synonyms = fields[8]};
  }
  return properties;
}

bool is_ours(const Definition& definition) {
  return definition.name.starts_with("millrace.");
}

std::string lower(std::string text) {
  return lower_case(text);
}

// Where we differ on purpose, and why.
const std::map<std::string, std::string>& other_defaults() {
  static const std::map<std::string, std::string> reasons = {
      {"log.dir", "data in a folder for temporary files gets lost"},
      {"controller.listener.names", "brokers reach controllers without a Kafka listener"},
  };
  return reasons;
}
const std::map<std::string, std::string>& other_modes() {
  static const std::map<std::string, std::string> reasons = {
      {"config.providers", "references are followed at the start only"},
      {"listeners", "sockets are opened at the start only"},
      {"listener.security.protocol.map", "sockets are opened at the start only"},
      {"num.recovery.threads.per.data.dir", "logs are recovered at the start only"},
  };
  return reasons;
}
const std::map<std::string, std::string>& other_values() {
  static const std::map<std::string, std::string> reasons = {
      {"group.consumer.assignors", "other assignors are Java classes"},
  };
  return reasons;
}

std::string default_of(const Definition& definition) {
  if (definition.default_value.is_none()) return "<null>";
  if (definition.default_value.is_required()) return "<required>";
  return std::string(definition.default_value.text());
}

// "[1,...,9] or -1", "[0,...]", as Kafka prints its ranges.
std::string range_of(const Definition& definition) {
  const Range& range = definition.range;
  if (range == Range{}) return "";
  const bool has_max = range.max != std::numeric_limits<std::int64_t>::max();
  std::string text = "[" + std::to_string(range.min) + ",..." +
                     (has_max ? "," + std::to_string(range.max) : "") + "]";
  if (range.also) text += " or " + std::to_string(*range.also);
  return text;
}

// The words of "[a, b]".
std::set<std::string> words_of(const std::string& valid) {
  std::set<std::string> words;
  const std::size_t begin = valid.find('[');
  const std::size_t end = valid.find(']');
  if (begin == std::string::npos || end == std::string::npos) return words;
  for (const std::string_view word :
       split_list(std::string_view(valid).substr(begin + 1, end - begin - 1))) {
    words.insert(lower(std::string(word)));
  }
  return words;
}

std::set<std::string> words_of(const Words& choices) {
  std::set<std::string> words;
  for (const std::string_view word : choices.all()) words.insert(lower(std::string(word)));
  return words;
}

void expect_same_values(const Definition& definition, const KafkaProperty& kafka) {
  const std::string name(definition.name);
  if (other_values().contains(name)) return;
  if (definition.meaning == Meaning::choice) {
    EXPECT_EQ(words_of(definition.choices), words_of(kafka.valid)) << name;
    const bool ignores_case = kafka.valid.starts_with("(case insensitive)");
    EXPECT_EQ(definition.ignores_case, ignores_case) << name;
  }
  if (kafka.valid.starts_with('[') && definition.meaning != Meaning::choice) {
    EXPECT_EQ(range_of(definition), kafka.valid) << name;
  }
  if (definition.type == Type::list) {
    const bool may_be_empty = kafka.valid.find("not empty") == std::string::npos;
    const bool may_repeat = kafka.valid.find("repeated") != std::string::npos;
    EXPECT_EQ(definition.list.may_be_empty, may_be_empty) << name;
    EXPECT_EQ(definition.list.may_repeat, may_repeat) << name;
  }
}

void expect_same(const Definition& definition, const KafkaProperty& kafka) {
  const std::string name(definition.name);
  EXPECT_EQ(kafka_name(definition.type), kafka.type) << name;
  EXPECT_EQ(lower(std::string(name_of(definition.importance))), lower(kafka.importance)) << name;
  if (!other_modes().contains(name)) EXPECT_EQ(name_of(definition.change), kafka.mode) << name;
  if (!other_defaults().contains(name)) {
    EXPECT_EQ(default_of(definition), kafka.default_value) << name;
  }
  expect_same_values(definition, kafka);
}

void expect_same(std::span<const Definition> definitions, const KafkaProperties& kafka) {
  for (const Definition& definition : definitions) {
    if (is_ours(definition)) continue;
    const auto found = kafka.find(std::string(definition.name));
    if (found == kafka.end()) {
      ADD_FAILURE() << definition.name << " is no property of Kafka";
      continue;
    }
    expect_same(definition, found->second);
  }
}

TEST(Registry, agrees_with_kafka_on_every_server_property) {
  const KafkaProperties kafka = kafka_properties("broker");
  ASSERT_GT(kafka.size(), 300u);
  expect_same(server_definitions, kafka);
}

TEST(Registry, agrees_with_kafka_on_every_topic_property) {
  const KafkaProperties kafka = kafka_properties("topic");
  ASSERT_GT(kafka.size(), 30u);
  expect_same(topic_definitions, kafka);
}

TEST(Registry, agrees_with_kafka_on_the_synonyms_of_topic_properties) {
  const KafkaProperties kafka = kafka_properties("topic");
  for (const Definition& definition : topic_definitions) {
    std::string synonyms;
    for (const Synonym& synonym : definition.synonyms.all()) {
      if (!synonyms.empty()) synonyms += ",";
      synonyms += std::string(synonym.name) + "*" + std::to_string(synonym.factor);
    }
    EXPECT_EQ(synonyms, kafka.at(std::string(definition.name)).synonyms) << definition.name;
  }
}

TEST(Registry, differs_from_kafka_only_where_it_says_so) {
  const KafkaProperties kafka = kafka_properties("broker");
  const DefinitionSet set = ServerSet::definitions();
  for (const auto& [name, reason] : other_defaults()) {
    EXPECT_NE(default_of(set[*set.find(name)]), kafka.at(name).default_value) << name;
  }
  for (const auto& [name, reason] : other_modes()) {
    EXPECT_NE(name_of(set[*set.find(name)].change), kafka.at(name).mode) << name;
  }
  for (const auto& [name, reason] : other_values()) {
    EXPECT_NE(words_of(set[*set.find(name)].choices), words_of(kafka.at(name).valid)) << name;
  }
}

bool is_foreign(std::span<const ForeignName> names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](const ForeignName& foreign) {
    return foreign.name.ends_with('.') ? name.starts_with(foreign.name) : name == foreign.name;
  });
}

TEST(Registry, has_an_answer_to_every_name_of_kafka) {
  for (const auto& [name, property] : kafka_properties("broker")) {
    const DefinitionSet set = ServerSet::definitions();
    EXPECT_TRUE(set.find(name) || is_foreign(set.foreign_names, name)) << name;
  }
  for (const auto& [name, property] : kafka_properties("topic")) {
    const DefinitionSet set = TopicSet::definitions();
    EXPECT_TRUE(set.find(name) || is_foreign(set.foreign_names, name)) << name;
  }
}

TEST(Registry, names_nothing_both_defined_and_foreign_but_by_a_prefix) {
  for (const DefinitionSet& set : {ServerSet::definitions(), TopicSet::definitions()}) {
    for (const ForeignName& foreign : set.foreign_names) {
      EXPECT_FALSE(set.find(foreign.name)) << foreign.name;
      EXPECT_FALSE(foreign.reason.empty()) << foreign.name;
    }
  }
}

void expect_sound(const Definition& definition) {
  const std::string_view name = definition.name;
  EXPECT_FALSE(definition.processes == Processes::none) << name;
  EXPECT_TRUE(definition.doc.ends_with('.')) << name;
  EXPECT_GT(definition.doc.size(), 20u) << name;
  EXPECT_EQ(definition.meaning == Meaning::choice, !definition.choices.empty()) << name;
  const bool has_text =
      !definition.default_value.is_none() && !definition.default_value.is_required();
  if (has_text) {
    const auto value = parse_value(definition, definition.default_value.text());
    EXPECT_TRUE(value) << name << ": " << (value ? "" : value.error());
  }
  for (const Synonym& synonym : definition.synonyms.all()) {
    const auto id = ServerSet::definitions().find(synonym.name);
    ASSERT_TRUE(id) << name;
    const Definition& source = ServerSet::definitions()[*id];
    // A value with a factor is multiplied without a check for overflow.
    EXPECT_TRUE(synonym.factor == 1 || source.type == Type::int32) << name;
    EXPECT_EQ(source.choices.all().size(), definition.choices.all().size()) << name;
  }
}

TEST(Registry, holds_sound_definitions_under_names_of_their_own) {
  for (const DefinitionSet& set : {ServerSet::definitions(), TopicSet::definitions()}) {
    std::set<std::string_view> names;
    for (const Definition& definition : set.definitions) {
      EXPECT_TRUE(names.insert(definition.name).second) << definition.name;
      if (!definition.alias.empty()) {
        EXPECT_TRUE(names.insert(definition.alias).second) << definition.alias;
      }
      expect_sound(definition);
    }
  }
}

// All that is written in the programs, without tests and without the definitions themselves.
std::string sources() {
  std::string all;
  for (const char* const folder : {"/modules", "/services"}) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(MILLRACE_SOURCE_DIR + std::string(folder))) {
      const std::string path = entry.path().string();
      const bool is_source = path.ends_with(".cppm") || path.ends_with(".cpp");
      const bool is_own = path.find("/modules/config/") != std::string::npos;
      if (!is_source || is_own || path.ends_with("_test.cpp")) continue;
      std::ifstream file(path);
      all.append(std::istreambuf_iterator<char>(file), {});
    }
  }
  return all;
}

// Read by the configuration itself.
const std::set<std::string_view>& read_here() {
  static const std::set<std::string_view> names = {"config.providers", "log.dir", "log.dirs"};
  return names;
}

TEST(Registry, says_of_each_property_whether_anything_reads_it) {
  const std::string text = sources();
  ASSERT_GT(text.size(), 1'000'000u);
  const auto is_named = [&](std::string_view name) {
    return text.find("get<\"" + std::string(name) + "\">") != std::string::npos ||
           text.find("get_for<\"" + std::string(name) + "\">") != std::string::npos;
  };
  std::set<std::string_view> read = read_here();
  for (const Definition& definition : server_definitions) {
    if (is_named(definition.name)) read.insert(definition.name);
  }
  for (const Definition& definition : topic_definitions) {
    EXPECT_EQ(is_named(definition.name), definition.without_effect.empty()) << definition.name;
    if (!is_named(definition.name)) continue;
    for (const Synonym& synonym : definition.synonyms.all()) read.insert(synonym.name);
  }
  for (const Definition& definition : server_definitions) {
    EXPECT_EQ(read.contains(definition.name), definition.without_effect.empty())
        << definition.name << ": without_effect says why nothing reads it";
  }
}

TEST(Registry, gives_topic_and_broker_properties_the_same_choices) {
  for (const Definition& topic : topic_definitions) {
    for (const Synonym& synonym : topic.synonyms.all()) {
      const DefinitionSet set = ServerSet::definitions();
      EXPECT_TRUE(
          std::ranges::equal(topic.choices.all(), set[*set.find(synonym.name)].choices.all()))
          << topic.name;
    }
  }
}

TEST(Registry, relates_only_properties_of_one_unit) {
  for (const DefinitionSet& set : {ServerSet::definitions(), TopicSet::definitions()}) {
    for (const Relation& relation : set.relations) {
      const auto smaller = set.find(relation.smaller);
      const auto larger = set.find(relation.larger);
      ASSERT_TRUE(smaller && larger) << relation.smaller;
      EXPECT_EQ(set[*smaller].meaning, set[*larger].meaning) << relation.smaller;
    }
  }
}

TEST(Registry, has_names_of_our_own_with_our_prefix_only) {
  const KafkaProperties kafka = kafka_properties("broker");
  std::size_t ours = 0;
  for (const Definition& definition : server_definitions) {
    if (!is_ours(definition)) continue;
    ++ours;
    EXPECT_FALSE(kafka.contains(std::string(definition.name)));
  }
  EXPECT_GT(ours, 0u);
}

}  // namespace
}  // namespace millrace::config
