#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

// Tue Jul 01 09:05:07 UTC 2025.
constexpr Timestamp now{1'751'360'707'123};

// What the golden files hold.
MetaProperties sample() {
  return {.cluster_id = "MkU3OEVBNTcwNTJENDM2Qg",
          .node_id = BrokerId(2'147'483'647),
          .directory_id = uuid_from_string("b0Tz-k4YQ1uCq2eJ_gYV7w").value()};
}
MetaProperties sample_without_directory() {
  MetaProperties properties = sample();
  properties.directory_id.reset();
  return properties;
}
MetaProperties sample_escaped() {
  MetaProperties properties = sample();
  properties.cluster_id = " a=b:c#d!e\\f g\th";
  properties.node_id = BrokerId(0);
  return properties;
}

// As the generator of the golden files leaves it: without the date.
std::string undated(std::string text) {
  const std::size_t begin = text.find('\n') + 1;
  EXPECT_EQ(text[begin], '#');
  return text.replace(begin, text.find('\n', begin) - begin, "#date");
}

StorageError error_of(std::string_view text) {
  const auto parsed = parse_meta_properties(text, "F");
  EXPECT_FALSE(parsed) << text;
  return parsed ? StorageError{} : parsed.error();
}

TEST(MetaProperties, is_that_of_kafka_but_for_the_date) {
  EXPECT_EQ(undated(format_meta_properties(sample(), now)), golden("text/meta.properties"));
  EXPECT_EQ(undated(format_meta_properties(sample_without_directory(), now)),
            golden("text/meta.properties-without-directory"));
  EXPECT_EQ(undated(format_meta_properties(sample_escaped(), now)),
            golden("text/meta.properties-escaped"));
}

TEST(MetaProperties, bears_the_date_as_java_writes_it) {
  EXPECT_TRUE(
      format_meta_properties(sample(), now).starts_with("#\n#Tue Jul 01 09:05:07 UTC 2025\n"));
  EXPECT_TRUE(format_meta_properties(sample(), Timestamp(0))
                  .starts_with("#\n#Thu Jan 01 00:00:00 UTC 1970\n"));
}

TEST(MetaProperties, looks_as_the_example_of_its_page) {
  MetaProperties properties = sample();
  properties.node_id = BrokerId(3);
  EXPECT_EQ(format_meta_properties(properties, now),
            "#\n#Tue Jul 01 09:05:07 UTC 2025\nnode.id=3\ndirectory.id=b0Tz-k4YQ1uCq2eJ_gYV7w\n"
            "version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\n");
}

TEST(MetaProperties, reads_what_kafka_writes) {
  EXPECT_EQ(parse_meta_properties(golden("text/meta.properties"), "F").value(), sample());
  EXPECT_EQ(parse_meta_properties(golden("text/meta.properties-without-directory"), "F").value(),
            sample_without_directory());
  EXPECT_EQ(parse_meta_properties(golden("text/meta.properties-escaped"), "F").value(),
            sample_escaped());
}

TEST(MetaProperties, passes_over_what_it_does_not_know) {
  EXPECT_EQ(parse_meta_properties("\n#x\nversion=1\nnode.id=3\nother=\\u0041\ncluster.id=c\n", "F")
                .value(),
            (MetaProperties{.cluster_id = "c", .node_id = BrokerId(3)}));
}

TEST(MetaProperties, that_says_less_than_it_must_is_corrupt) {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& test : {
           Case{"version=1\nnode.id=3\n", "F: there is no cluster.id"},
           Case{"version=1\nnode.id=3\ncluster.id=\n", "F: there is no cluster.id"},
           Case{"version=1\ncluster.id=c\n", "F: there is no node.id"},
           Case{"version=1\ncluster.id=c\nnode.id=-1\n", "F: node.id is not a number from 0 on"},
           Case{"version=1\ncluster.id=c\nnode.id=x\n", "F: node.id is not a number from 0 on"},
           Case{"version=1\ncluster.id=c\nnode.id=3\ndirectory.id=x\n",
                "F: directory.id is not an id"},
           Case{"version=1\ncluster.id=c\nnode.id=3\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAA\n",
                "F: directory.id is not an id"},
           Case{"version=x\ncluster.id=c\nnode.id=3\n", "F: version is not a number"},
           Case{"version=1\ncluster.id=c\nnode.id=3", "F, line 3: the file is cut off"},
           Case{"version=1\nversion=1\n", "F, line 2: the property is set for the second time"},
           Case{"cluster.id=c\\\n", "F, line 1: the value ends in an escape, or has a \\u"},
           Case{"cluster.id=\\u0041\n", "F, line 1: the value ends in an escape, or has a \\u"},
           Case{"version\n", "F, line 1: not a name and a value"},
       }) {
    const StorageError error = error_of(test.text);
    EXPECT_EQ(error.fault, StorageFault::corrupt) << test.text;
    EXPECT_EQ(error.message, test.message);
  }
}

TEST(MetaProperties, of_another_version_is_refused_with_advice) {
  for (const char* const text :
       {"", "version=0\nbroker.id=3\ncluster.id=c\n", "version=2\nnode.id=3\ncluster.id=c\n"}) {
    const StorageError error = error_of(text);
    EXPECT_EQ(error.fault, StorageFault::invalid) << text;
    EXPECT_NE(error.message.find("must first be migrated to KRaft"), std::string::npos);
  }
}

TEST(MetaProperties, that_is_cut_off_never_reads_as_the_whole) {
  const std::string text = format_meta_properties(sample(), now);
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(parse_meta_properties(text.substr(0, size), "F")) << size;
  }
}

TEST(MetaProperties, survives_any_flipped_bit) {
  for_each_bit_flip(format_meta_properties(sample(), now), [](const std::string& damaged) {
    const auto parsed = parse_meta_properties(damaged, "F");
    if (!parsed) EXPECT_NE(parsed.error().message, "");
  });
}

RC_GTEST_PROP(MetaProperties, comes_back_whatever_it_holds, (std::string cluster_id)) {
  RC_PRE(!cluster_id.empty());
  const MetaProperties properties{.cluster_id = cluster_id,
                                  .node_id = BrokerId(*rc::gen::nonNegative<std::int32_t>())};
  const auto parsed = parse_meta_properties(format_meta_properties(properties, now), "F");
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(*parsed == properties);
}

TEST(MetaProperties, is_saved_and_loaded) {
  TestDisk disk;
  ASSERT_TRUE(disk.run(save_meta_properties(disk.files(), "/log", sample(), now)));
  disk.disk.power_cut(3);
  disk.start();
  EXPECT_EQ(disk.run(load_meta_properties(disk.files(), "/log")).value(), sample());
}

TEST(CleanShutdown, is_that_of_kafka_byte_for_byte) {
  const std::string text = golden("text/kafka_cleanshutdown");
  EXPECT_EQ(format_clean_shutdown(BrokerEpoch(1'234'567'890'123)), text);
  EXPECT_EQ(parse_clean_shutdown(text).broker_epoch, BrokerEpoch(1'234'567'890'123));
}

TEST(CleanShutdown, of_an_older_kafka_or_damaged_has_no_epoch) {
  for (const char* const text :
       {"", "{}", "{\"version\":0,\"brokerEpoch\":}", "{\"version\":0,\"brokerEpoch\":x}",
        "{\"version\":0,\"brokerEpoch\":-1}", "{\"version\":0,\"brokerEpoch\":1",
        "{\"version\":0,\"brokerEpoch\":9223372036854775808}", "{\"version\":0,\"brokerEpoch\":"}) {
    EXPECT_EQ(parse_clean_shutdown(text), CleanShutdown{}) << text;
  }
}

TEST(CleanShutdown, is_found_after_an_orderly_stop_and_not_after_a_crash) {
  TestDisk disk;
  EXPECT_EQ(disk.run(load_clean_shutdown(disk.files(), "/log")).value(), std::nullopt);
  ASSERT_TRUE(disk.run(save_clean_shutdown(disk.files(), "/log", BrokerEpoch(7))));
  disk.disk.power_cut(1);
  disk.start();
  const auto found = disk.run(load_clean_shutdown(disk.files(), "/log"));
  ASSERT_TRUE(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->broker_epoch, BrokerEpoch(7));
  ASSERT_TRUE(disk.run(remove_clean_shutdown(disk.files(), "/log")));
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    disk.disk.power_cut(seed);
    disk.start();
    EXPECT_EQ(disk.run(load_clean_shutdown(disk.files(), "/log")).value(), std::nullopt);
  }
  EXPECT_TRUE(disk.run(remove_clean_shutdown(disk.files(), "/log"))) << "also where there is none";
}

TEST(CleanShutdown, that_cannot_be_read_for_its_size_is_still_there) {
  TestDisk disk;
  disk.write("/log/.kafka_cleanshutdown", std::string(clean_shutdown_bytes_max + 1, 'x'));
  EXPECT_EQ(disk.run(load_clean_shutdown(disk.files(), "/log")).value(), CleanShutdown{});
  disk.disk.faults().plan({.kind = IoKind::open, .fault = IoFault::too_many_open});
  const auto failed = disk.run(load_clean_shutdown(disk.files(), "/log"));
  ASSERT_FALSE(failed) << "not to be able to look says nothing";
  EXPECT_EQ(failed.error().fault, StorageFault::limit);
}

TEST(DirectoryLock, is_held_by_one_process_at_a_time) {
  TestDisk disk;
  const auto first = disk.run(lock_directory(disk.files(), "/log"));
  ASSERT_TRUE(first);
  const auto second = disk.run(lock_directory(disk.files(), "/log"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, StorageFault::locked);
  EXPECT_EQ(second.error().message,
            "/log/.lock is locked: another process uses this log directory");
  EXPECT_EQ(disk.files().open_files(), 1u) << "who fails leaves nothing open";
  disk.files().kill(1);
  disk.start();
  EXPECT_TRUE(disk.run(lock_directory(disk.files(), "/log"))) << "the lock ends with its holder";
}

}  // namespace
}  // namespace millrace::storage
