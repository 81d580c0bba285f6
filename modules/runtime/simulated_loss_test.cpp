// Random changes and a power cut, held against a plain model of what may be left.
// Also proves simulated_contents.cpp, simulated_tree.cpp.
#include <gtest/gtest.h>

#include <algorithm>
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

constexpr std::size_t sector = 512;

// All that a file has been since it was last synced; the last is what it is now.
using Versions = std::vector<std::string>;

void overwrite(std::string& text, std::uint64_t position, std::string_view with) {
  if (with.empty()) return;
  if (text.size() < position + with.size()) text.resize(position + with.size(), '\0');
  text.replace(position, with.size(), with);
}

// One random change of the file, in the machine and in the model.
void change(Machine& machine, FileHandle file, Versions& versions, Random& random) {
  std::string next = versions.back();
  const std::uint64_t position = random.below(12'000);
  const std::size_t length = random.below(random.chance(0.2) ? 6000 : 300);
  switch (random.below(10)) {
    case 0: {
      next.resize(position, '\0');
      const auto done = machine.wait([&] { return machine.files().set_size(file, position); });
      EXPECT_TRUE(done);
      break;
    }
    case 1: {
      for (std::size_t i = position; i < std::min(next.size(), position + length); ++i) {
        next[i] = '\0';
      }
      const auto done = machine.wait([&] { return machine.files().punch(file, position, length); });
      EXPECT_TRUE(done);
      break;
    }
    case 2: {
      EXPECT_TRUE(machine.wait([&] { return machine.files().sync_data(file); }));
      versions = {next};
      return;
    }
    default: {
      const std::string text(length, static_cast<char>('a' + random.below(26)));
      const std::uint64_t at = random.chance(0.7) ? next.size() : position;
      overwrite(next, at, text);
      machine.write(file, at, text);
    }
  }
  versions.push_back(std::move(next));
}

// A sector of a version: zeros behind its end, and no more than the file kept.
std::string sector_of(const std::string& text, std::size_t at, std::size_t size) {
  std::string part = at < text.size() ? text.substr(at, sector) : std::string();
  part.resize(std::min(sector, size - at), '\0');
  return part;
}

bool may_be_left(const Versions& versions, const std::string& left) {
  const auto [least, most] = std::minmax_element(
      versions.begin(), versions.end(),
      [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
  if (left.size() < least->size() || left.size() > most->size()) return false;
  for (std::size_t at = 0; at < left.size(); at += sector) {
    const std::string part = left.substr(at, sector);
    if (std::none_of(versions.begin(), versions.end(), [&](const std::string& version) {
          return sector_of(version, at, left.size()) == part;
        })) {
      return false;
    }
  }
  return true;
}

TEST(SimulatedLoss, every_sector_that_is_left_is_one_that_was_there_since_the_last_sync) {
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    Random random(seed);
    Machine machine(seed, {.slow = 0.05});
    const FileHandle file = machine.open("/file");
    machine.sync_directory("/");
    Versions versions = {""};
    for (std::uint64_t i = random.below(25); i > 0; --i) {
      change(machine, file, versions, random);
      if (!random.chance(0.3)) continue;
      const std::string& expected = versions.back();
      EXPECT_TRUE(machine.read(file, 0, expected.size() + 1) == expected) << "seed " << seed;
    }
    machine.power_cut(seed);
    const std::string left = machine.disk.contents("/file").value();
    EXPECT_TRUE(may_be_left(versions, left)) << "seed " << seed << '\n' << machine.disk.dump();
    const FileHandle again = machine.open("/file");
    EXPECT_TRUE(machine.read(again, 0, left.size() + 1) == left) << "seed " << seed;
  }
}

// The names of one directory, each leading to a file that is told by its contents.
using Names = std::map<std::string, std::string>;

struct NameModel {
  std::vector<Names> states = {{}};  // since the directory was last synced
  std::set<std::string> moved_only;  // files of the first state that were renamed at most
  int made = 0;
};

void change_names(Machine& machine, NameModel& model, Random& random) {
  constexpr std::array<const char*, 4> all = {"/a", "/b", "/c", "/d"};
  Names next = model.states.back();
  const std::string name = all[random.below(all.size())];
  const std::string other = all[random.below(all.size())];
  switch (random.below(5)) {
    case 0:
      machine.sync_directory("/");
      model.states = {next};
      model.moved_only.clear();
      for (const auto& [entry, contents] : next) model.moved_only.insert(contents);
      return;
    case 1:
      if (!next.contains(name)) return;
      machine.remove(name);
      model.moved_only.erase(next[name]);
      next.erase(name);
      break;
    case 2:
      if (next.contains(name)) return;
      next[name] = "file " + std::to_string(model.made++);
      machine.write(name, 0, next[name]);
      machine.sync(name);
      break;
    default:
      if (!next.contains(name) || name == other) return;
      machine.rename(name, other);
      if (next.contains(other)) model.moved_only.erase(next[other]);
      next[other] = next[name];
      next.erase(name);
  }
  model.states.push_back(std::move(next));
}

std::string value_or_none(const Names& names, const std::string& name) {
  const auto found = names.find(name);
  return found == names.end() ? "none" : found->second;
}

TEST(SimulatedLoss, every_name_leads_to_what_it_led_to_since_the_last_sync_and_renames_are_whole) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    Machine machine(seed);
    NameModel model;
    for (std::uint64_t i = random.below(20); i > 0; --i) change_names(machine, model, random);
    machine.power_cut(seed);
    std::map<std::string, int> found;
    for (const std::string name : {"/a", "/b", "/c", "/d"}) {
      const std::string left = machine.disk.contents(name).value_or("none");
      EXPECT_TRUE(
          std::any_of(model.states.begin(), model.states.end(),
                      [&](const Names& state) { return value_or_none(state, name) == left; }))
          << "seed " << seed << ": " << name << " is " << left;
      ++found[left];
    }
    for (const std::string& file : model.moved_only) {
      EXPECT_EQ(found[file], 1) << "seed " << seed << ": " << file << '\n' << machine.disk.dump();
    }
  }
}

// Anything that may happen to a small tree of directories; most of it is refused for some reason.
Task<void> disorder(FileSystem& files, Random& random, int steps) {
  constexpr std::array<const char*, 3> names = {"/a", "/b", "/c"};
  const auto path = [&] {
    std::string text;
    for (std::uint64_t depth = random.below(3) + 1; depth > 0; --depth) {
      text += names[random.below(names.size())];
    }
    return text;
  };
  const std::string text(random.below(20'000), 'x');
  const ByteView piece = as_bytes(text);
  for (int i = 0; i < steps; ++i) {
    const std::string from = path();
    const std::string to = path();
    switch (random.below(8)) {
      case 0:
      case 1:
        static_cast<void>(co_await files.make_directory(from));
        break;
      case 2:
      case 3: {
        // Sometimes left open.
        const auto file = co_await files.open(from, OpenMode::create);
        if (!file) break;
        static_cast<void>(co_await files.write(*file, random.below(9000), std::span(&piece, 1)));
        if (random.chance(0.5)) static_cast<void>(co_await files.sync_data(*file));
        if (random.chance(0.7)) static_cast<void>(co_await files.close(*file));
        break;
      }
      case 4:
        static_cast<void>(co_await files.rename(from, to));
        break;
      case 5:
        static_cast<void>(co_await files.remove(from));
        break;
      case 6:
        static_cast<void>(co_await files.remove_directory(from));
        break;
      default:
        static_cast<void>(co_await files.sync_directory(random.chance(0.3) ? "/" : from));
    }
  }
}

Task<void> remove_all(FileSystem& files, std::string directory) {
  const auto entries = co_await files.list(directory.empty() ? "/" : directory);
  EXPECT_TRUE(entries);
  if (!entries) co_return;
  for (const DirectoryEntry& entry : *entries) {
    const std::string path = directory + '/' + entry.name;
    if (entry.kind == EntryKind::directory) {
      co_await remove_all(files, path);
      EXPECT_TRUE(co_await files.remove_directory(path));
    } else {
      EXPECT_TRUE(co_await files.remove(path));
    }
  }
}

// It is found as it was when the file was synced, or as it is; a new file is never of 1970.
TEST(SimulatedLoss, the_time_of_the_last_change_lasts_as_long_as_what_changed) {
  std::set<std::int64_t> seen;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Machine machine(seed);
    machine.executor.manual_clock().set_wall(Timestamp(1'000'000));
    machine.write("/synced", 0, "12345");
    machine.sync("/synced");
    machine.write("/new", 0, "12345");
    machine.sync_directory("/");
    machine.executor.manual_clock().set_wall(Timestamp(2'000'000));
    machine.write("/synced", 5, "67890");
    machine.write("/new", 5, "67890");
    machine.power_cut(seed);
    for (const std::string_view path : {"/synced", "/new"}) {
      const auto status = machine.wait([&] { return machine.files().status(path); });
      ASSERT_TRUE(status);
      seen.insert(status->modified.value());
      if (status->size < 10) EXPECT_EQ(status->modified, Timestamp(1'000'000)) << path;
    }
  }
  EXPECT_EQ(seen, (std::set<std::int64_t>{1'000'000, 2'000'000}));
}

// Only the sync of a size that changed saves it for certain. If it is lost, the file has the time
// at which it was written.
TEST(SimulatedLoss, the_time_that_was_set_lasts_when_it_was_saved_with_a_size) {
  std::map<std::string, std::set<std::int64_t>> seen;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Machine machine(seed);
    const auto set_time = [&](const std::string& path) {
      const FileHandle file = machine.open(path);
      EXPECT_TRUE(machine.wait([&] { return machine.files().set_time(file, Timestamp(7)); }));
      machine.close(file);
    };
    machine.executor.manual_clock().set_wall(Timestamp(1'000'000));
    for (const std::string path : {"/saved", "/synced_before", "/synced_again", "/unsynced"}) {
      machine.write(path, 0, "12345");
      if (path == "/synced_before" || path == "/synced_again") machine.sync(path);
      set_time(path);
      if (path == "/saved" || path == "/synced_again") machine.sync(path);
    }
    machine.sync_directory("/");
    machine.power_cut(seed);
    for (const std::string path : {"/saved", "/synced_before", "/synced_again", "/unsynced"}) {
      const auto status = machine.wait([&] { return machine.files().status(path); });
      ASSERT_TRUE(status);
      seen[path].insert(status->modified.value());
    }
  }
  EXPECT_EQ(seen["/saved"], std::set<std::int64_t>{7});
  for (const std::string path : {"/synced_before", "/synced_again", "/unsynced"}) {
    EXPECT_EQ(seen[path], (std::set<std::int64_t>{7, 1'000'000})) << path;
  }
}

TEST(SimulatedLoss, no_space_is_lost_by_anything_that_happens_to_a_tree) {
  constexpr std::uint64_t capacity = 100 * 4096;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    Machine machine(seed, {.slow = 0.1});
    machine.disk.set_capacity(capacity);
    machine.disk.faults().rates = {.write = 0.02, .sync = 0.05, .change = 0.02};
    for (int life = 0; life < 4; ++life) {
      machine.disk.cut_power_at(machine.disk.steps() + random.below(60) + 1, random.next());
      machine.run(disorder(machine.files(), random, 60));
      if (random.chance(0.3)) machine.files().kill(random.next());
      machine.start();
    }
    machine.disk.faults().clear();
    machine.disk.cut_power_at(0, 0);
    machine.run(remove_all(machine.files(), ""));
    const auto free = machine.wait([&] { return machine.files().free_bytes("/"); });
    EXPECT_EQ(free.value(), capacity) << "seed " << seed << '\n' << machine.disk.dump();
  }
}

}  // namespace
}  // namespace millrace
