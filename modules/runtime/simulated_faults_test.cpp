#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "simulated_machine.hpp"

namespace millrace {
namespace {

IoResult<void> try_write(Machine& machine, FileHandle file, std::uint64_t position,
                         std::string_view text) {
  const ByteView piece = as_bytes(text);
  return machine.wait([&] { return machine.files().write(file, position, std::span(&piece, 1)); });
}

IoResult<void> try_sync(Machine& machine, FileHandle file) {
  return machine.wait([&] { return machine.files().sync_data(file); });
}

TEST(SimulatedFaults, the_planned_operation_fails_and_no_other) {
  Machine machine(1);
  const FileHandle log = machine.open("/00.log");
  const FileHandle index = machine.open("/00.index");
  machine.disk.faults().plan({.kind = IoKind::write, .path_part = ".log", .after = 2, .times = 2});
  std::string seen;
  for (int i = 0; i < 6; ++i) {
    machine.write(index, 0, "entry");
    seen += try_write(machine, log, 0, "batch") ? 'y' : 'n';
  }
  EXPECT_EQ(seen, "yynnyy");
  EXPECT_EQ(machine.disk.faults().injected(), 2);
  EXPECT_EQ(machine.disk.faults().injected(IoKind::write), 2);
  EXPECT_EQ(machine.disk.faults().injected(IoKind::read), 0);
}

TEST(SimulatedFaults, an_error_looks_like_the_real_one) {
  Machine machine(1);
  machine.disk.faults().plan({.kind = IoKind::open, .fault = IoFault::denied});
  const auto denied = machine.wait([&] { return machine.files().open("/file", OpenMode::create); });
  ASSERT_FALSE(denied);
  EXPECT_EQ(describe(denied.error(), "/file"), "open /file: not permitted (errno 13)");
  EXPECT_EQ(machine.disk.contents("/file"), std::nullopt);
}

TEST(SimulatedFaults, a_failed_write_says_how_much_is_in_the_file) {
  Machine machine(1);
  const FileHandle file = machine.open("/file");
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space, .done = 3});
  const std::array pieces = {as_bytes("ab"), as_bytes("cdef")};
  const auto result = machine.wait([&] { return machine.files().write(file, 0, pieces); });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().fault, IoFault::no_space);
  EXPECT_EQ(result.error().done, 3);
  EXPECT_EQ(machine.disk.contents("/file"), "abc");
}

TEST(SimulatedFaults, a_write_that_fails_at_random_is_done_in_part) {
  std::set<std::size_t> done;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Machine machine(seed);
    const FileHandle file = machine.open("/file");
    machine.disk.faults().rates.write = 1;
    const auto result = try_write(machine, file, 0, "1234");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().fault, IoFault::failed);
    EXPECT_EQ(machine.disk.contents("/file")->size(), result.error().done);
    done.insert(result.error().done);
  }
  EXPECT_EQ(done, (std::set<std::size_t>{0, 1, 2, 3, 4}));
}

TEST(SimulatedFaults, rates_make_some_operations_fail) {
  Machine machine(1);
  const FileHandle file = machine.open("/file");
  machine.write(file, 0, "text");
  machine.disk.faults().rates = {.read = 0.3, .open = 0.5, .change = 0.5};
  std::map<std::string, int> failed;
  for (int i = 0; i < 200; ++i) {
    std::array<std::byte, 4> buffer;
    if (!machine.wait([&] { return machine.files().read(file, 0, buffer); })) ++failed["read"];
    const auto opened = machine.wait([&] { return machine.files().open("/file", OpenMode::read); });
    if (opened) {
      machine.close(*opened);
    } else {
      EXPECT_EQ(opened.error().fault, IoFault::too_many_open);
      ++failed["open"];
    }
    if (!machine.wait([&] { return machine.files().set_size(file, 4); })) ++failed["set_size"];
  }
  EXPECT_EQ(failed.size(), 3);
  for (const auto& [kind, count] : failed) {
    EXPECT_GT(count, 20) << kind;
    EXPECT_LT(count, 180) << kind;
  }
  machine.disk.faults().clear();
  EXPECT_EQ(machine.read(file, 0, 4), "text");
}

TEST(SimulatedFaults, a_full_disk_takes_what_fits_and_more_once_there_is_space) {
  Machine machine(1);
  machine.disk.set_capacity(3 * 4096);
  const auto free = [&] {
    return machine.wait([&] { return machine.files().free_bytes("/"); }).value();
  };
  EXPECT_EQ(free(), 3 * 4096);
  machine.write("/other", 0, "x");
  EXPECT_EQ(free(), 2 * 4096);
  const FileHandle file = machine.open("/file");
  const auto result = try_write(machine, file, 0, std::string(10'000, 'y'));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().fault, IoFault::no_space);
  EXPECT_EQ(result.error().done, 2 * 4096);
  EXPECT_EQ(free(), 0);
  machine.write(file, 0, "an overwrite needs no space");
  EXPECT_FALSE(try_write(machine, file, 2 * 4096, "z"));
  machine.remove("/other");
  EXPECT_EQ(free(), 4096);
  machine.write(file, 2 * 4096, "z");
  EXPECT_TRUE(machine.wait([&] { return machine.files().punch(file, 0, 4096); }));
  EXPECT_EQ(free(), 4096);
  EXPECT_TRUE(machine.wait([&] { return machine.files().set_size(file, 0); }));
  EXPECT_EQ(free(), 3 * 4096);
}

TEST(SimulatedFaults, a_removed_file_takes_space_until_it_is_closed) {
  Machine machine(1);
  machine.disk.set_capacity(4096);
  const FileHandle file = machine.open("/file");
  machine.write(file, 0, "text");
  machine.remove("/file");
  const FileHandle other = machine.open("/other");
  EXPECT_FALSE(try_write(machine, other, 0, "text"));
  machine.close(file);
  EXPECT_TRUE(try_write(machine, other, 0, "text"));
}

TEST(SimulatedFaults, space_is_taken_again_when_a_power_cut_brings_a_file_back) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Machine machine(seed);
    machine.disk.set_capacity(10 * 4096);
    machine.write("/file", 0, std::string(3 * 4096, 'x'));
    machine.disk.sync_all();
    machine.remove("/file");
    machine.power_cut(seed);
    const auto free = machine.wait([&] { return machine.files().free_bytes("/"); });
    const bool came_back = machine.disk.contents("/file").has_value();
    EXPECT_EQ(free.value(), came_back ? 7 * 4096 : 10 * 4096);
  }
}

TEST(SimulatedFaults, the_limit_of_open_files_holds) {
  Machine machine(1, {.open_files_max = 2});
  const FileHandle one = machine.open("/one");
  machine.open("/two");
  const auto third = machine.wait([&] { return machine.files().open("/three", OpenMode::create); });
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().fault, IoFault::too_many_open);
  EXPECT_EQ(machine.disk.contents("/three"), std::nullopt);
  machine.close(one);
  machine.open("/three");
}

TEST(SimulatedFaults, after_a_failed_sync_reads_show_new_or_old_bytes) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Machine machine(seed);
    machine.write("/file", 0, "old");
    machine.disk.sync_all();
    const FileHandle file = machine.open("/file");
    machine.write(file, 0, "new");
    machine.disk.faults().plan({.kind = IoKind::sync_data});
    const auto result = try_sync(machine, file);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().fault, IoFault::failed);
    seen.insert(machine.read(file, 0, 3));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"old", "new"}));
}

TEST(SimulatedFaults, after_a_failed_sync_of_a_cut_the_file_grows_with_zeros) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Machine machine(seed);
    machine.write("/file", 0, "old bytes");
    machine.disk.sync_all();
    const FileHandle file = machine.open("/file");
    machine.set_size("/file", 3);
    machine.disk.faults().plan({.kind = IoKind::sync_data});
    ASSERT_FALSE(try_sync(machine, file));
    machine.set_size("/file", 9);
    EXPECT_EQ(machine.read(file, 0, 9), "old" + std::string(6, '\0'));
  }
}

TEST(SimulatedFaults, a_sync_after_a_failed_one_does_not_save_what_was_given_up) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Machine machine(seed);
    machine.write("/file", 0, "old");
    machine.disk.sync_all();
    const FileHandle file = machine.open("/file");
    machine.write(file, 0, "new");
    machine.disk.faults().plan({.kind = IoKind::sync_data});
    EXPECT_FALSE(try_sync(machine, file));
    EXPECT_TRUE(try_sync(machine, file));
    const std::string before = machine.read(file, 0, 3);
    machine.power_cut(seed);
    seen.insert(before + '>' + *machine.disk.contents("/file"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"old>old", "new>old", "new>new"}));
}

TEST(SimulatedFaults, what_a_failed_sync_gave_up_is_lost_by_every_power_cut) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::set<std::string> left;
    for (std::uint64_t cut = 0; cut < 8; ++cut) {
      Machine machine(seed);
      machine.write("/file", 0, "old");
      machine.disk.sync_all();
      const FileHandle file = machine.open("/file");
      machine.write(file, 0, "new");
      machine.disk.faults().plan({.kind = IoKind::sync_data});
      EXPECT_FALSE(try_sync(machine, file));
      EXPECT_TRUE(try_sync(machine, file));
      machine.power_cut(cut);
      left.insert(*machine.disk.contents("/file"));
    }
    EXPECT_EQ(left.size(), 1) << "seed " << seed;
  }
}

TEST(SimulatedFaults, a_write_after_a_failed_sync_can_be_made_durable) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Machine machine(seed);
    const FileHandle file = machine.open("/file");
    machine.disk.sync_all();
    machine.write(file, 0, "one");
    machine.disk.faults().plan({.kind = IoKind::sync_data});
    EXPECT_FALSE(try_sync(machine, file));
    machine.write(file, 0, "two");
    EXPECT_TRUE(try_sync(machine, file));
    machine.power_cut(seed);
    EXPECT_EQ(machine.disk.contents("/file"), "two");
  }
}

TEST(SimulatedFaults, a_failed_change_of_names_changes_nothing) {
  Machine machine(1);
  machine.write("/file", 0, "text");
  machine.disk.faults().plan({.kind = IoKind::rename, .path_part = "/file"});
  machine.disk.faults().plan({.kind = IoKind::remove, .path_part = "/file"});
  EXPECT_FALSE(machine.wait([&] { return machine.files().rename("/file", "/new"); }));
  EXPECT_FALSE(machine.wait([&] { return machine.files().remove("/file"); }));
  EXPECT_EQ(machine.disk.contents("/file"), "text");
  machine.rename("/file", "/new");
}

TEST(SimulatedFaults, a_failed_close_closes_all_the_same) {
  Machine machine(1);
  const FileHandle file = machine.open("/file");
  machine.disk.faults().plan({.kind = IoKind::close});
  EXPECT_FALSE(machine.wait([&] { return machine.files().close(file); }));
  EXPECT_EQ(machine.files().open_files(), 0);
}

}  // namespace
}  // namespace millrace
