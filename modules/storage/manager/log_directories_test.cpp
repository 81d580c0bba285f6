// Whose log directories are, and what is found in them. Also proves log_directory.cpp,
// log_directory.cppm.
#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

using Paths = std::vector<std::string>;

Task<void> make_directory(FileSystem& files, std::string path) {
  EXPECT_TRUE(co_await files.make_directory(path));
}
Task<void> write_file(FileSystem& files, std::string path, std::string text) {
  const auto file = co_await files.open(path, OpenMode::create_truncated);
  EXPECT_TRUE(file);
  const ByteView piece = as_bytes(text);
  EXPECT_TRUE(co_await files.write(*file, 0, std::span(&piece, 1)));
  EXPECT_TRUE(co_await files.close(*file));
}
Task<void> remove_file(FileSystem& files, std::string path) {
  EXPECT_TRUE(co_await files.remove(path));
}

// Something happens to the disk while no server runs.
void meanwhile(ManagerMachine& machine, const std::function<Task<void>(FileSystem&)>& what) {
  SimulatedFileSystem files(machine.disk, machine.executor);
  machine.run(what(files));
}

TEST(LogDirectories, are_made_with_all_above_them_and_say_whose_they_are) {
  ManagerMachine machine(1, {"/var/lib/logs"});
  ASSERT_TRUE(machine.start());
  const Uuid id = machine.directories().at(DirectoryIndex(0)).id();
  EXPECT_FALSE(id.is_zero());
  const auto text = machine.disk.contents("/var/lib/logs/meta.properties");
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("cluster.id=test-cluster\n"), std::string::npos);
  EXPECT_NE(text->find("node.id=1\n"), std::string::npos);
  EXPECT_NE(text->find("directory.id=" + to_string(id) + "\n"), std::string::npos);
  machine.power_cut(1);
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.directories().at(DirectoryIndex(0)).id(), id);
}

TEST(LogDirectories, of_another_cluster_or_server_are_refused_with_a_sentence) {
  ManagerMachine machine(2);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.stop());
  machine.owner = {"other-cluster", BrokerId(1)};
  auto started = machine.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().fault, StorageFault::invalid);
  EXPECT_NE(started.error().message.find("/data belongs to the cluster test-cluster"),
            std::string::npos);
  machine.end_of_process();
  machine.owner = {"test-cluster", BrokerId(2)};
  started = machine.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("node.id 1, and this one has 2"), std::string::npos);
}

TEST(LogDirectories, of_an_older_kafka_get_an_id) {
  ManagerMachine machine(3);
  meanwhile(machine, [](FileSystem& files) -> Task<void> {
    co_await make_directory(files, "/data");
    co_await write_file(files, "/data/meta.properties",
                        "#\nnode.id=1\nversion=1\ncluster.id=test-cluster\n");
  });
  ASSERT_TRUE(machine.start());
  EXPECT_NE(machine.disk.contents("/data/meta.properties")->find("directory.id="),
            std::string::npos);
}

TEST(LogDirectories, with_partitions_and_no_owner_are_refused) {
  ManagerMachine machine(4);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.stop());
  meanwhile(machine, [](FileSystem& files) { return remove_file(files, "/data/meta.properties"); });
  const auto started = machine.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().fault, StorageFault::invalid);
}

TEST(LogDirectories, are_used_by_one_process_at_a_time) {
  ManagerMachine machine(5);
  ASSERT_TRUE(machine.start());
  TestProcess other(machine.disk, machine.executor, {.seed = 5}, machine.options, 1,
                    Logger(machine.lines, "other"));
  const auto opened = machine.wait(other.directories.open(machine.owner));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, StorageFault::locked);
  EXPECT_NE(opened.error().message.find("/data"), std::string::npos);
  static_cast<void>(machine.wait(other.directories.close({false}, BrokerEpoch(0))));
  // The one that has it is not disturbed.
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.stop());
}

TEST(LogDirectories, a_copy_of_another_directory_is_refused) {
  ManagerMachine machine(6, {"/one"});
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.stop());
  const std::string properties = *machine.disk.contents("/one/meta.properties");
  meanwhile(machine, [&](FileSystem& files) -> Task<void> {
    co_await make_directory(files, "/two");
    co_await write_file(files, "/two/meta.properties", properties);
  });
  machine.options.directories = {"/one", "/two"};
  const auto started = machine.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("same directory.id"), std::string::npos);
}

TEST(LogDirectories, a_partition_with_records_on_two_disks_is_refused_and_an_empty_one_removed) {
  ManagerMachine machine(7, {"/one", "/two"});
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.stop());
  const std::string log = *machine.disk.contents("/one/orders-0/00000000000000000000.log");
  meanwhile(machine, [](FileSystem& files) -> Task<void> {
    co_await make_directory(files, "/two/orders-0");
  });
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.values(orders_0), Paths({"a"}));
  ASSERT_TRUE(machine.stop());
  meanwhile(machine, [&](FileSystem& files) -> Task<void> {
    co_await make_directory(files, "/two/orders-0");
    co_await write_file(files, "/two/orders-0/00000000000000000000.log", log);
  });
  const auto started = machine.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("orders-0 is in /one and in /two"), std::string::npos);
}

TEST(LogDirectories, names_that_mean_nothing_are_warned_of_and_left) {
  ManagerMachine machine(8);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.stop());
  meanwhile(machine, [](FileSystem& files) -> Task<void> {
    for (const char* name : {"/data/notes", "/data/lost+found", "/data/__cluster_metadata-0",
                             "/data/orders-1.5f0c-future"}) {
      co_await make_directory(files, name);
    }
    co_await write_file(files, "/data/recovery-point-offset-checkpoint.tmp", "half");
  });
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.report.opened, 0u);
  EXPECT_TRUE(machine.says("notes is not the name of a directory of a partition"));
  EXPECT_FALSE(machine.says("lost+found"));
  EXPECT_FALSE(machine.says("cluster_metadata"));
  const auto described = machine.wait(machine.directories().describe());
  ASSERT_EQ(described.front().kept.size(), 1u);
  EXPECT_EQ(described.front().kept.front().kind, PartitionDirectoryKind::future);
  EXPECT_FALSE(machine.disk.contents("/data/recovery-point-offset-checkpoint.tmp"));
}

TEST(LogDirectories, deleted_partitions_are_removed_in_the_background_of_the_next_start) {
  ManagerMachine machine(9);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.remove(orders_0));
  ASSERT_TRUE(machine.stop());
  machine.disk.sync_all();
  ASSERT_NE(machine.disk.dump().find("-delete"), std::string::npos);
  ASSERT_TRUE(machine.start());
  machine.executor.advance(std::chrono::seconds(1));
  machine.disk.sync_all();
  EXPECT_EQ(machine.disk.dump().find("-delete"), std::string::npos);
}

TEST(LogDirectories, lines_of_partitions_that_are_not_there_leave_the_checkpoint_files) {
  ManagerMachine machine(14);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  ASSERT_TRUE(machine.stop());
  const std::string name = "/data/recovery-point-offset-checkpoint";
  ASSERT_EQ(machine.disk.contents(name), "0\n1\norders 0 1\n");
  meanwhile(machine, [&](FileSystem& files) {
    return write_file(files, name, "0\n2\norders 0 1\ngone 3 17\n");
  });
  ASSERT_TRUE(machine.start());
  EXPECT_TRUE(machine.says("lines of 1 partitions that are not there"));
  EXPECT_EQ(machine.disk.contents(name), "0\n1\norders 0 1\n");
  EXPECT_EQ(machine.report.recovered, 0u);
}

TEST(LogDirectories, a_full_one_leaves_new_partitions_to_the_others) {
  ManagerMachine machine(15, {"/one", "/two"});
  ASSERT_TRUE(machine.start());
  machine.disk.faults().plan({.kind = IoKind::make_directory,
                              .fault = IoFault::no_space,
                              .path_part = "/one/orders",
                              .times = PlannedFault::always});
  ASSERT_TRUE(machine.create(orders_0));
  EXPECT_EQ(machine.manager().describe().front().directory, DirectoryIndex(1));
  EXPECT_TRUE(machine.append(orders_0, "a"));
  machine.disk.faults().clear();
  // It has fewer.
  ASSERT_TRUE(machine.create({"orders", PartitionIndex(1)}));
  EXPECT_EQ(machine.manager().describe().back().directory, DirectoryIndex(0));
}

TEST(LogDirectories, one_whose_device_fails_at_the_start_is_offline_and_the_others_go_on) {
  ManagerMachine machine(10, {"/one", "/two"});
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.create({"orders", PartitionIndex(1)}));
  ASSERT_TRUE(machine.stop());
  machine.disk.faults().plan({.kind = IoKind::list, .path_part = "/one"});
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.process->observer.failed, Paths({"/one"}));
  EXPECT_EQ(machine.report.opened, 1u);
  const auto described = machine.wait(machine.directories().describe());
  EXPECT_TRUE(described[0].failed);
  EXPECT_FALSE(described[1].failed);
  EXPECT_GT(described[1].free_bytes, 0u);
}

TEST(LogDirectories, without_any_that_works_there_is_no_start) {
  ManagerMachine machine(11);
  machine.disk.faults().plan({.kind = IoKind::list, .path_part = "/data"});
  const auto started = machine.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().fault, StorageFault::offline);
  EXPECT_EQ(machine.process->observer.all_failed, 1);
}

TEST(LogDirectories, one_that_was_not_opened_gets_no_mark_of_an_orderly_stop) {
  ManagerMachine machine(13, {"/one", "/two"});
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  ASSERT_TRUE(machine.append(orders_0, "a"));
  machine.end_of_process();
  meanwhile(machine, [&](FileSystem& files) -> Task<void> {
    co_await write_file(files, "/two/meta.properties", "version=1\nnode.id=9\ncluster.id=x\n");
  });
  ASSERT_FALSE(machine.start());
  ASSERT_TRUE(machine.stop());
  EXPECT_FALSE(machine.disk.contents("/one/.kafka_cleanshutdown"));
  EXPECT_FALSE(machine.disk.contents("/two/.kafka_cleanshutdown"));
}

TEST(LogDirectories, the_mark_of_an_orderly_stop_is_gone_for_good_when_the_start_goes_on) {
  ManagerMachine machine(12);
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.stop(BrokerEpoch(41)));
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.directories().stopped_epoch(), BrokerEpoch(41));
  machine.power_cut(12);
  ASSERT_TRUE(machine.start());
  EXPECT_EQ(machine.directories().stopped_epoch(), std::nullopt);
}

}  // namespace
}  // namespace millrace::storage
