#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <variant>

#include "millrace/millrace.hpp"

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

const Profiles two{
    .current = "staging",
    .profiles = {
        {"local", {{"bootstrap.servers", "localhost:9092"}}},
        {"staging", {{"bootstrap.servers", "a:9092,b:9092"}, {"sasl.password", "a=b [c] # d"}}}}};

TEST(Profiles, survive_being_written) {
  const auto read = parse_profiles(text_of(two));
  ASSERT_TRUE(std::holds_alternative<Profiles>(read));
  EXPECT_EQ(std::get<Profiles>(read), two);
}

TEST(Profiles, that_are_wrong_name_the_line) {
  const auto read = parse_profiles("# mine\n[a]\n\nnonsense\n");
  ASSERT_TRUE(std::holds_alternative<Failure>(read));
  EXPECT_EQ(std::get<Failure>(read).message, "line 4 of the profiles is wrong: nonsense");
  EXPECT_TRUE(std::holds_alternative<Failure>(parse_profiles("bootstrap.servers = x\n")));
}

TEST(Profiles, lie_in_a_file_for_the_user_alone) {
  std::string folder = testing::TempDir() + "millrace-profiles-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/deeper/config";
  EXPECT_EQ(std::get<Profiles>(read_profiles(path)), Profiles());
  EXPECT_FALSE(write_profiles(path, two));
  EXPECT_EQ(std::get<Profiles>(read_profiles(path)), two);
  struct stat status = {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_TRUE(write_profiles(path + "/under-a-file/config", two));
  const auto read = read_profiles(folder);
  ASSERT_TRUE(std::holds_alternative<Failure>(read)) << "a folder is no file";
  EXPECT_EQ(std::get<Failure>(read).message, folder + ": Is a directory");
  std::filesystem::remove_all(folder);
}

TEST(Profiles, know_what_is_shared_and_what_is_secret) {
  EXPECT_TRUE(is_shared_setting("sasl.mechanism"));
  EXPECT_TRUE(is_shared_setting("bootstrap.servers"));
  EXPECT_FALSE(is_shared_setting("acks"));
  EXPECT_FALSE(is_shared_setting("group.id"));
}

TEST(Profiles, show_no_key_no_certificate_and_no_password) {
  for (const char* name :
       {"ssl.key.password", "sasl.jaas.config", "ssl.keystore.key", "SSL.Keystore.Password",
        "ssl.keystore.certificate.chain", "ssl.truststore.certificates", "ssl.key.pem",
        "ssl.certificate.pem", "ssl.ca.pem", "sasl.oauthbearer.client.credentials.client.secret",
        "listener.name.outer.ssl.keystore.certificate.chain", "delegation.token.secret.key"})
    EXPECT_TRUE(is_secret_setting(name)) << name;
  for (const char* name :
       {"bootstrap.servers", "sasl.mechanism", "sasl.username", "ssl.protocol", "ssl.keystore.type",
        "ssl.truststore.type", "cleanup.policy", "segment.bytes"})
    EXPECT_FALSE(is_secret_setting(name)) << name;
}

TEST(Profiles, hold_what_every_kind_of_client_knows) {
  for (const char* name : {"request.timeout.ms", "connections.max.idle.ms", "metadata.max.age.ms",
                           "retry.backoff.ms", "reconnect.backoff.ms"}) {
    EXPECT_TRUE(is_shared_setting(name)) << name;
    const v1::Config config{{"bootstrap.servers", "localhost:1"}, {name, "10000"}};
    EXPECT_TRUE(v1::Producer::open(config)) << name;
    EXPECT_TRUE(v1::Consumer::open(config)) << name;
    EXPECT_TRUE(v1::Admin::open(config)) << name;
  }
}

}  // namespace
}  // namespace millrace::cli
