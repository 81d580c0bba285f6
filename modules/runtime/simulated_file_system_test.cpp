// Also proves simulated_operations.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "simulated_machine.hpp"

namespace millrace {
namespace {

using std::chrono::milliseconds;

constexpr SimulatedFileOptions immediate{.completion = SimulatedCompletion::immediate};
constexpr SimulatedFileOptions posted{.completion = SimulatedCompletion::posted};

// Writes `number` as a digit at its place and notes it when that has ended.
Task<void> write_digit(FileSystem& files, FileHandle file, std::uint64_t number,
                       std::vector<std::string>& ended) {
  const std::string text = std::to_string(number % 10);
  const ByteView piece = as_bytes(text);
  const auto result = co_await files.write(file, number, std::span(&piece, 1));
  ended.push_back(result ? text : std::string(name_of(result.error().fault)));
}

TEST(SimulatedFileSystem, ends_operations_at_once_if_asked) {
  Machine machine(1, immediate);
  const FileHandle file = machine.open("/file");
  TaskGroup group;
  std::vector<std::string> ended;
  group.start(write_digit(machine.files(), file, 0, ended));
  EXPECT_EQ(group.running(), 0);
  EXPECT_EQ(ended, std::vector<std::string>{"0"});
}

TEST(SimulatedFileSystem, ends_posted_operations_in_a_later_turn_in_any_order) {
  std::set<std::vector<std::string>> orders;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Machine machine(seed, posted);
    const FileHandle file = machine.open("/file");
    TaskGroup group;
    std::vector<std::string> ended;
    for (std::uint64_t i = 0; i < 3; ++i) {
      group.start(write_digit(machine.files(), file, i, ended));
    }
    EXPECT_EQ(group.running(), 3);
    EXPECT_EQ(machine.files().in_flight(), 3);
    machine.executor.run_until_idle();
    EXPECT_EQ(group.running(), 0);
    orders.insert(ended);
  }
  EXPECT_EQ(orders.size(), 6);
}

TEST(SimulatedFileSystem, a_posted_operation_has_its_effect_at_its_start_or_at_its_end) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Machine machine(seed, posted);
    const FileHandle file = machine.open("/file");
    TaskGroup group;
    std::vector<std::string> ended;
    group.start(write_digit(machine.files(), file, 0, ended));
    seen.insert(machine.disk.contents("/file").value());
    machine.executor.run_until_idle();
    EXPECT_EQ(machine.disk.contents("/file"), "0");
  }
  EXPECT_EQ(seen, (std::set<std::string>{"", "0"}));
}

TEST(SimulatedFileSystem, slow_operations_take_simulated_time) {
  Machine machine(
      1, {.completion = SimulatedCompletion::immediate, .slow = 1, .slow_max = milliseconds(50)});
  const FileHandle file = machine.open("/file");
  std::set<MonotonicTime> times;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const MonotonicTime before = machine.executor.clock().now();
    machine.write(file, i, "x");
    EXPECT_LE(machine.executor.clock().now() - before, milliseconds(50));
    times.insert(machine.executor.clock().now());
  }
  EXPECT_GT(times.size(), 10);
}

// All that a run shows: what ended when and how, and what is left on the disk.
std::string trace(std::uint64_t seed) {
  Machine machine(seed, {.slow = 0.2});
  machine.disk.faults().rates = {.write = 0.1, .sync = 0.1};
  const FileHandle file = machine.open("/file");
  TaskGroup group;
  std::vector<std::string> ended;
  for (std::uint64_t i = 0; i < 50; ++i) {
    group.start(write_digit(machine.files(), file, i * 100, ended));
    machine.executor.advance(milliseconds(2));
  }
  machine.power_cut(seed);
  std::string text = machine.disk.dump() + machine.disk.contents("/file").value_or("none");
  for (const std::string& end : ended) text += end + ' ';
  return text;
}

TEST(SimulatedFileSystem, a_seed_replays_everything) {
  std::set<std::string> traces;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::string first = trace(seed);
    EXPECT_EQ(first, trace(seed)) << "seed " << seed;
    traces.insert(first);
  }
  EXPECT_EQ(traces.size(), 20);
}

// Keeps one operation of every kind in flight until it fails.
Task<void> until_it_fails(FileSystem& files, int kind, std::string name, int& ended) {
  const std::string other = name + ".other";
  std::array<std::byte, 100> buffer{};
  const ByteView piece(buffer);
  const auto file = co_await files.open(name, OpenMode::create);
  IoFault fault = IoFault::invalid;
  bool failed = !file;
  if (failed) fault = file.error().fault;
  const auto note = [&](const auto& result) {
    failed = !result && result.error().fault == IoFault::failed;
    if (failed) fault = result.error().fault;
  };
  while (!failed) {
    switch (kind % 8) {
      case 0:
        note(co_await files.write(*file, 0, std::span(&piece, 1)));
        break;
      case 1:
        note(co_await files.read(*file, 0, buffer));
        break;
      case 2:
        note(co_await files.sync_data(*file));
        break;
      case 3:
        note(co_await files.rename(name, other));
        break;
      case 4:
        note(co_await files.list("/"));
        break;
      case 5:
        note(co_await files.sync_directory("/"));
        break;
      case 6:
        note(co_await files.set_size(*file, 10));
        break;
      default:
        note(co_await files.remove(other));
    }
  }
  EXPECT_EQ(fault, IoFault::failed);
  // What comes after the end fails at once.
  const auto late = co_await files.open(name, OpenMode::create);
  EXPECT_FALSE(late);
  ++ended;
}

TEST(SimulatedFileSystem, every_operation_in_flight_ends_as_failed_when_power_goes_away) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Machine machine(seed, {.completion = SimulatedCompletion::posted, .slow = 0.3});
    TaskGroup group;
    int ended = 0;
    for (int i = 0; i < 100; ++i) {
      group.start(until_it_fails(machine.files(), i, "/file" + std::to_string(i), ended));
    }
    machine.executor.advance(milliseconds(seed * 10));
    EXPECT_EQ(machine.files().in_flight(), 100);
    machine.disk.power_cut(seed);
    EXPECT_EQ(machine.files().in_flight(), 100);
    EXPECT_EQ(ended, 0);
    machine.executor.run_until_idle();
    EXPECT_EQ(machine.files().in_flight(), 0);
    EXPECT_EQ(ended, 100);
    EXPECT_EQ(group.running(), 0);
    EXPECT_EQ(machine.files().open_files(), 0);
  }
}

TEST(SimulatedFileSystem, every_operation_in_flight_ends_as_failed_when_the_process_dies) {
  Machine machine(3, posted);
  TaskGroup group;
  int ended = 0;
  for (int i = 0; i < 100; ++i) {
    group.start(until_it_fails(machine.files(), i, "/file" + std::to_string(i), ended));
  }
  machine.files().kill(1);
  EXPECT_FALSE(machine.files().alive());
  machine.executor.run_until_idle();
  EXPECT_EQ(ended, 100);
}

// A small life with all kinds of steps; gives how far it came.
Task<void> life(FileSystem& files, int& steps) {
  const ByteView piece = as_bytes("some text");
  if (!co_await files.make_directory("/folder")) co_return;
  ++steps;
  const auto file = co_await files.open("/folder/file", OpenMode::create_new);
  if (!file) co_return;
  ++steps;
  for (std::uint64_t i = 0; i < 3; ++i) {
    if (!co_await files.write(*file, i * 600, std::span(&piece, 1))) co_return;
    ++steps;
  }
  if (!co_await files.set_size(*file, 700)) co_return;
  ++steps;
  if (!co_await files.sync_data(*file)) co_return;
  ++steps;
  if (!co_await files.rename("/folder/file", "/folder/renamed")) co_return;
  ++steps;
  if (!co_await files.sync_directory("/folder")) co_return;
  ++steps;
  if (!co_await files.close(*file)) co_return;
  if (!co_await files.remove("/folder/renamed")) co_return;
  ++steps;
}

TEST(SimulatedFileSystem, the_power_can_be_cut_at_every_step) {
  for (const SimulatedFileOptions& options : {immediate, posted, SimulatedFileOptions{}}) {
    for (std::uint64_t step = 1; step <= 11; ++step) {
      Machine machine(step, options);
      int steps = 0;
      machine.disk.cut_power_at(step, step);
      machine.run(life(machine.files(), steps));
      EXPECT_EQ(steps, step == 11 ? 10 : static_cast<int>(step) - 1);
      EXPECT_EQ(machine.disk.power_cuts(), step == 11 ? 0 : 1);
      EXPECT_EQ(machine.files().alive(), step == 11);
      machine.start();
      EXPECT_TRUE(machine.files().alive());
    }
  }
}

TEST(SimulatedFileSystem, a_write_in_flight_at_the_cut_is_kept_wholly_or_in_part_or_not_at_all) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Machine machine(seed);
    const FileHandle file = machine.open("/file");
    machine.disk.sync_all();
    machine.disk.cut_power_at(machine.disk.steps() + 1, seed);
    const ByteView piece = as_bytes("1234");
    const auto result =
        machine.wait([&] { return machine.files().write(file, 0, std::span(&piece, 1)); });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().fault, IoFault::failed);
    seen.insert(machine.disk.contents("/file").value());
  }
  for (const char* text : {"", "1", "12", "123", "1234"}) EXPECT_TRUE(seen.contains(text)) << text;
}

TEST(SimulatedFileSystem, a_rename_in_flight_at_the_cut_has_happened_or_not) {
  std::set<bool> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Machine machine(seed);
    machine.write("/file", 0, "text");
    machine.disk.sync_all();
    machine.disk.cut_power_at(machine.disk.steps() + 1, seed);
    EXPECT_FALSE(machine.wait([&] { return machine.files().rename("/file", "/new"); }));
    EXPECT_NE(machine.disk.contents("/file"), machine.disk.contents("/new"));
    seen.insert(machine.disk.contents("/new").has_value());
  }
  EXPECT_EQ(seen.size(), 2);
}

TEST(SimulatedFileSystem, a_sync_that_has_not_ended_promises_nothing_about_later_writes) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Machine machine(seed, posted);
    const FileHandle file = machine.open("/file");
    machine.disk.sync_all();
    machine.write(file, 0, "1");
    TaskGroup group;
    const auto sync = [&]() -> Task<void> {
      EXPECT_TRUE(co_await machine.files().sync_data(file));
    };
    std::vector<std::string> ended;
    group.start(sync());
    group.start(write_digit(machine.files(), file, 2, ended));
    machine.executor.run_until_idle();
    machine.power_cut(seed);
    seen.insert(machine.disk.contents("/file").value());
  }
  EXPECT_TRUE(seen.contains("1"));
  EXPECT_TRUE(
      seen.contains(std::string("1\0"
                                "2",
                                3)));
  for (const std::string& text : seen) EXPECT_TRUE(text.starts_with('1')) << text;
}

TEST(SimulatedFileSystem, the_hook_sees_every_step_and_may_cut_the_power) {
  Machine machine(1);
  std::vector<std::string> seen;
  machine.disk.before_step = [&](const SimulatedStep& step) {
    seen.push_back(std::to_string(step.number) + ' ' + name_of(step.kind) + ' ' +
                   std::string(step.path));
    if (step.kind == IoKind::rename) machine.disk.power_cut(1);
  };
  int steps = 0;
  machine.run(life(machine.files(), steps));
  EXPECT_EQ(seen, (std::vector<std::string>{"1 make_directory /folder", "2 open /folder/file",
                                            "3 write /folder/file", "4 write /folder/file",
                                            "5 write /folder/file", "6 set_size /folder/file",
                                            "7 sync_data /folder/file", "8 rename /folder/file"}));
  EXPECT_EQ(steps, 7);
  EXPECT_EQ(machine.disk.steps(), 8);
}

TEST(SimulatedFileSystem, two_processes_share_a_disk_and_its_locks) {
  Machine machine(1);
  SimulatedFileSystem second(machine.disk, machine.executor, immediate);
  const FileHandle mine = machine.open("/.lock");
  EXPECT_TRUE(machine.wait([&] { return machine.files().lock(mine); }));
  const auto theirs = machine.wait([&] { return second.open("/.lock", OpenMode::read); }).value();
  const auto refused = machine.wait([&] { return second.lock(theirs); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, IoFault::locked);
  machine.files().kill(1);
  EXPECT_TRUE(machine.wait([&] { return second.lock(theirs); }));
  EXPECT_TRUE(second.alive());
}

TEST(SimulatedFileSystem, a_closed_handle_is_not_taken_for_the_next_file) {
  Machine machine(1);
  std::set<std::int32_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const FileHandle file = machine.open("/file");
    EXPECT_TRUE(seen.insert(file.value()).second);
    machine.close(file);
  }
}

}  // namespace
}  // namespace millrace
