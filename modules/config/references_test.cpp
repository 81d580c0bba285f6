// Also proves providers.cpp.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

import millrace.base;
import millrace.config;

namespace millrace::config {
namespace {

MemorySurroundings surroundings() {
  MemorySurroundings given;
  given.files["/run/secrets.properties"] = "key.password = hunter2\nother=${env:HOME}\n";
  given.files["/run/secrets/password"] = "swordfish\n";
  given.variables["MILLRACE_PASSWORD"] = "correct horse";
  given.variables["EMPTY"] = "";
  return given;
}

std::string resolved(std::string_view value, Providers providers = default_providers()) {
  MemorySurroundings given = surroundings();
  References references(std::move(providers), given);
  const auto result = references.resolve(value);
  if (!result) return "refused: " + result.error();
  return result->text + (result->by_reference ? " (by reference)" : "");
}

TEST(References, leave_ordinary_text_alone) {
  for (const std::string_view text : {"", "plain", "$HOME", "${", "${}", "${name}", "a${b", "}${",
                                      "$${x}", "a}b", "RULE:^CN=(.*)$/$1/"}) {
    EXPECT_EQ(resolved(text), text);
  }
}

TEST(References, take_a_key_of_a_property_file) {
  EXPECT_EQ(resolved("${file:/run/secrets.properties:key.password}"), "hunter2 (by reference)");
}

TEST(References, take_a_whole_file_of_a_folder) {
  EXPECT_EQ(resolved("${directory:/run/secrets:password}"), "swordfish\n (by reference)");
}

TEST(References, take_an_environment_variable) {
  EXPECT_EQ(resolved("${env:MILLRACE_PASSWORD}"), "correct horse (by reference)");
  EXPECT_EQ(resolved("${env:EMPTY}"), " (by reference)");
}

TEST(References, may_stand_anywhere_in_a_value_and_more_than_once) {
  EXPECT_EQ(resolved("<${env:MILLRACE_PASSWORD}|${x}|${env:EMPTY}${env:MILLRACE_PASSWORD}>"),
            "<correct horse|${x}|correct horse> (by reference)");
}

TEST(References, in_what_a_reference_gives_are_not_followed) {
  EXPECT_EQ(resolved("${file:/run/secrets.properties:other}"), "${env:HOME} (by reference)");
}

TEST(References, that_lead_nowhere_are_refused_with_the_reason) {
  EXPECT_EQ(resolved("${vault:/x:y}"),
            "refused: reference ${vault:/x:y}: no config provider has this name; known: directory, "
            "env, file");
  EXPECT_EQ(resolved("${file:/run/none:key}"),
            "refused: reference ${file:/run/none:key}: cannot open /run/none: no such file");
  EXPECT_EQ(resolved("${file:/run/secrets.properties:none}"),
            "refused: reference ${file:/run/secrets.properties:none}: the file has no such key");
  EXPECT_EQ(resolved("${file:key}"),
            "refused: reference ${file:key}: needs a path and a key, path:key");
  EXPECT_EQ(resolved("${env:NONE}"),
            "refused: reference ${env:NONE}: the environment has no such variable");
  for (const std::string_view text : {"${env:}", "${env:A:B}"}) {
    EXPECT_NE(resolved(text).find("needs the name of an environment variable"), std::string::npos);
  }
}

TEST(References, to_a_folder_do_not_leave_it) {
  for (const std::string_view key : {"../secrets.properties", "..", ".", "", "a/b"}) {
    EXPECT_NE(resolved("${directory:/run/secrets:" + std::string(key) + "}")
                  .find("the key must be the name of a file in the folder"),
              std::string::npos)
        << key;
  }
}

TEST(References, to_a_malformed_file_do_not_repeat_its_contents) {
  MemorySurroundings given;
  given.files["/s"] = "a=hunter2\\u12\nb=1\n";
  References references(default_providers(), given);
  const auto result = references.resolve("${file:/s:b}");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().find("hunter2"), std::string::npos) << result.error();
}

TEST(References, are_limited_in_number_and_size) {
  std::string many;
  for (std::size_t i = 0; i < references_per_value_max; ++i) many += "${env:EMPTY}";
  EXPECT_EQ(resolved(many), " (by reference)");
  EXPECT_EQ(resolved(many + "${env:EMPTY}"), "refused: more than 16 references");

  MemorySurroundings given;
  given.variables["LONG"] = std::string(line_bytes_max, 'x');
  References references(default_providers(), given);
  EXPECT_TRUE(references.resolve("${env:LONG}"));
  EXPECT_FALSE(references.resolve("${env:LONG}${env:LONG}"));
}

TEST(References, read_each_file_once_and_not_too_many) {
  MemorySurroundings given;
  References references(default_providers(), given);
  for (std::size_t i = 0; i < reference_files_max; ++i) {
    const std::string path = "/" + std::to_string(i);
    given.files[path] = "k=v";
    EXPECT_TRUE(references.resolve("${file:" + path + ":k}"));
    given.files.erase(path);
    EXPECT_TRUE(references.resolve("${file:" + path + ":k}"));
  }
  given.files["/more"] = "k=v";
  const auto result = references.resolve("${file:/more:k}");
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().find("more than 64 files"), std::string::npos);
}

TEST(References, keep_files_within_the_allowed_paths) {
  Providers providers = default_providers();
  providers["file"].allowed_paths = {"/run", "/etc/millrace/"};
  const std::string outside = "outside of its allowed.paths";
  EXPECT_EQ(resolved("${file:/run/secrets.properties:key.password}", providers),
            "hunter2 (by reference)");
  for (const std::string_view path :
       {"/running/x", "/run/../etc/passwd", "/etc/passwd", "run/x", "/etc/millrace2/x", ""}) {
    EXPECT_NE(resolved("${file:" + std::string(path) + ":k}", providers).find(outside),
              std::string::npos)
        << path;
  }
  EXPECT_EQ(resolved("${file:/etc/millrace/a:k}", providers).find(outside), std::string::npos);
}

TEST(References, keep_variables_within_the_allowed_names) {
  Providers providers = default_providers();
  providers["env"].allowed_names = "MILLRACE_.*";
  EXPECT_EQ(resolved("${env:MILLRACE_PASSWORD}", providers), "correct horse (by reference)");
  EXPECT_NE(resolved("${env:EMPTY}", providers).find("allowlist.pattern"), std::string::npos);
  EXPECT_NE(resolved("${env:" + std::string(100'000, 'A') + "}", providers).find("refused"),
            std::string::npos);
}

struct Declared {
  Providers providers;
  std::string problems;
};

Declared declared(const std::vector<PropertyEntry>& entries) {
  const Source source{.kind = SourceKind::file, .file = "f", .line = 1};
  std::vector<LocatedEntry> located;
  for (const PropertyEntry& entry : entries) {
    located.push_back({.name = entry.name, .value = entry.value, .source = &source});
  }
  Problems problems;
  Providers providers = read_providers(located, problems);
  return {.providers = std::move(providers), .problems = problems.text()};
}

std::string names(const Providers& providers) {
  std::string text;
  for (const auto& [name, provider] : providers) text += name + " ";
  return text;
}

TEST(Providers, are_the_three_of_kafka_unless_the_user_names_some) {
  EXPECT_EQ(names(declared({}).providers), "directory env file ");
  EXPECT_EQ(names(declared({{"config.providers", "env, file"}}).providers), "env file ");
  EXPECT_EQ(names(declared({{"config.providers", ""}}).providers), "");
}

TEST(Providers, may_have_names_of_the_users_own) {
  const Declared result =
      declared({{"config.providers", "secrets"},
                {"config.providers.secrets.class",
                 "org.apache.kafka.common.config.provider.DirectoryConfigProvider"}});
  EXPECT_EQ(result.problems, "");
  ASSERT_EQ(names(result.providers), "secrets ");
  EXPECT_EQ(result.providers.at("secrets").kind, Provider::Kind::directory);
}

TEST(Providers, of_other_kinds_are_refused) {
  EXPECT_NE(declared({{"config.providers", "vault"}, {"config.providers.vault.class", "x.Vault"}})
                .problems.find("config.providers.vault.class is none of Kafka's"),
            std::string::npos);
  EXPECT_EQ(declared({{"config.providers", "vault"}}).problems,
            "error: f:1: config.providers vault needs a config.providers.vault.class\n");
}

TEST(Providers, take_confinements) {
  const Declared result = declared({{"config.providers.file.param.allowed.paths", "/a, /b"},
                                    {"config.providers.env.param.allowlist.pattern", "A.*"}});
  EXPECT_EQ(result.problems, "");
  EXPECT_EQ(result.providers.at("file").allowed_paths, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(result.providers.at("env").allowed_names, "A.*");
}

TEST(Providers, refuse_parameters_that_would_confine_nothing) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"config.providers.file.param.allowed.paths", "relative"},
           {"config.providers.file.param.alowed.paths", "/a"},
           {"config.providers.env.param.allowed.paths", "/a"},
           {"config.providers.env.param.allowlist.pattern", "(["},
           {"config.providers.env.param.allowlist.pattern", std::string(257, 'a')},
           {"config.providers.env.param.allowlist.pattern", "(a)\\1"},
           {"config.providers.file", "x"}}) {
    EXPECT_NE(declared({{name, value}}).problems.find("error: "), std::string::npos) << name;
  }
}

TEST(Providers, warn_of_settings_for_providers_that_are_not_named) {
  EXPECT_EQ(
      declared({{"config.providers", "env"}, {"config.providers.file.class", "file"}}).problems,
      "warning: f:1: config.providers.file.class has no effect: config.providers does not "
      "name this provider\n");
}

}  // namespace
}  // namespace millrace::config
