// What a power cut may leave and what it may not: each rule of README.md, by seeds.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "simulated_machine.hpp"

namespace millrace {
namespace {

constexpr std::uint64_t seeds = 400;

using Outcomes = std::set<std::string>;

// What the file reads as after a power cut, over many seeds. `before` is synced first.
Outcomes outcomes(const std::function<void(Machine&)>& before,
                  const std::function<void(Machine&)>& after,
                  const std::function<std::string(const SimulatedDisk&)>& shown) {
  Outcomes seen;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    Machine machine(seed);
    before(machine);
    machine.disk.sync_all();
    after(machine);
    machine.power_cut(seed);
    seen.insert(shown(machine.disk));
  }
  return seen;
}

std::string shown_file(const SimulatedDisk& disk) {
  return disk.contents("/file").value_or("none");
}

TEST(SimulatedDisk, data_that_was_not_synced_survives_or_is_lost) {
  const auto seen = outcomes([](Machine& m) { m.write("/file", 0, "old"); },
                             [](Machine& m) { m.write("/file", 0, "new"); }, shown_file);
  EXPECT_EQ(seen, (Outcomes{"old", "new"}));
}

TEST(SimulatedDisk, synced_data_and_its_size_always_survive) {
  const auto seen = outcomes([](Machine& m) { m.write("/file", 0, "old"); },
                             [](Machine& m) {
                               m.write("/file", 0, "a longer text");
                               m.sync("/file");
                             },
                             shown_file);
  EXPECT_EQ(seen, Outcomes{"a longer text"});
}

TEST(SimulatedDisk, a_write_is_torn_between_sectors_and_never_within_one) {
  const std::string old(4 * 512, 'o');
  const std::string renewed(4 * 512, 'n');
  const auto seen = outcomes([&](Machine& m) { m.write("/file", 0, old); },
                             [&](Machine& m) { m.write("/file", 0, renewed); }, shown_file);
  Outcomes possible;
  for (std::size_t bits = 0; bits < 16; ++bits) {
    std::string text;
    for (std::size_t s = 0; s < 4; ++s) text += std::string(512, (bits >> s & 1) != 0 ? 'n' : 'o');
    possible.insert(text);
  }
  EXPECT_EQ(seen, possible);
}

TEST(SimulatedDisk, an_earlier_version_of_a_sector_may_survive) {
  const auto seen = outcomes([](Machine& m) { m.write("/file", 0, "one"); },
                             [](Machine& m) {
                               m.write("/file", 0, "two");
                               m.write("/file", 0, "six");
                             },
                             shown_file);
  EXPECT_EQ(seen, (Outcomes{"one", "two", "six"}));
}

TEST(SimulatedDisk, the_size_of_an_append_survives_without_its_data_and_the_other_way_round) {
  const std::string grown = std::string(512, 'a') + std::string(512, 'b');
  const auto seen =
      outcomes([](Machine& m) { m.write("/file", 0, std::string(512, 'a')); },
               [&](Machine& m) { m.write("/file", 512, std::string(512, 'b')); }, shown_file);
  EXPECT_TRUE(seen.contains(grown.substr(0, 512))) << "the append is lost";
  EXPECT_TRUE(seen.contains(grown)) << "the append survives";
  EXPECT_TRUE(seen.contains(grown.substr(0, 512) + std::string(512, '\0'))) << "only its size";
  const auto is_partial = [&](const std::string& text) {
    return text.size() > 512 && text.size() < 1024 && grown.starts_with(text);
  };
  EXPECT_TRUE(std::any_of(seen.begin(), seen.end(), is_partial)) << "a part of it";
  for (const std::string& text : seen) {
    ASSERT_GE(text.size(), 512);
    ASSERT_LE(text.size(), 1024);
    EXPECT_EQ(text.substr(0, 512), std::string(512, 'a'));
    EXPECT_TRUE(grown.starts_with(text) ||
                text == text.substr(0, 512) + std::string(text.size() - 512, '\0'));
  }
}

TEST(SimulatedDisk, a_truncation_that_was_not_synced_may_be_undone) {
  const std::string old(1024, 'o');
  const auto seen = outcomes([&](Machine& m) { m.write("/file", 0, old); },
                             [](Machine& m) { m.set_size("/file", 100); }, shown_file);
  EXPECT_TRUE(seen.contains(old));
  EXPECT_TRUE(seen.contains(old.substr(0, 100)));
  // The zeros that follow the new end in its sector may arrive before the size does.
  EXPECT_TRUE(seen.contains(old.substr(0, 100) + std::string(412, '\0') + old.substr(512)));
}

TEST(SimulatedDisk, a_synced_truncation_stays_and_nothing_comes_back_behind_it) {
  const auto seen = outcomes([](Machine& m) { m.write("/file", 0, std::string(9000, 'o')); },
                             [](Machine& m) {
                               m.set_size("/file", 100);
                               m.sync("/file");
                               m.set_size("/file", 9000);
                             },
                             shown_file);
  for (const std::string& text : seen) {
    EXPECT_EQ(text.substr(0, 100), std::string(100, 'o'));
    EXPECT_EQ(text.substr(100).find_first_not_of('\0'), std::string::npos);
  }
  EXPECT_GT(seen.size(), 2);
}

TEST(SimulatedDisk, a_lost_end_reads_as_zeros_when_the_file_grows_again) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    Machine machine(seed);
    machine.write("/file", 0, "durable");
    machine.disk.sync_all();
    machine.write("/file", 7, std::string(5000, 'x'));
    machine.power_cut(seed);
    const std::size_t size = machine.disk.contents("/file")->size();
    machine.set_size("/file", 10'000);
    const std::string text = *machine.disk.contents("/file");
    EXPECT_EQ(text.substr(size).find_first_not_of('\0'), std::string::npos);
  }
}

TEST(SimulatedDisk, a_punched_range_that_was_not_synced_may_be_undone) {
  const auto punched = [](Machine& m) { m.punch("/file", 0, 4); };
  const auto seen =
      outcomes([](Machine& m) { m.write("/file", 0, "12345678"); }, punched, shown_file);
  EXPECT_EQ(seen, (Outcomes{"12345678", std::string("\0\0\0\0", 4) + "5678"}));
}

TEST(SimulatedDisk, a_new_name_survives_or_is_lost_whatever_its_file_synced) {
  const auto seen = outcomes([](Machine&) {},
                             [](Machine& m) {
                               m.write("/file", 0, "text");
                               m.sync("/file");
                             },
                             shown_file);
  EXPECT_EQ(seen, (Outcomes{"none", "text"}));
}

TEST(SimulatedDisk, syncing_the_directory_saves_the_name_and_not_the_contents) {
  const auto seen = outcomes([](Machine&) {},
                             [](Machine& m) {
                               m.write("/file", 0, "text");
                               m.sync_directory("/");
                             },
                             shown_file);
  EXPECT_FALSE(seen.contains("none"));
  EXPECT_TRUE(seen.contains(""));
  EXPECT_TRUE(seen.contains("text"));
  EXPECT_TRUE(seen.contains(std::string(4, '\0')));
}

TEST(SimulatedDisk, a_removed_name_may_come_back_until_its_directory_is_synced) {
  const auto make = [](Machine& m) { m.write("/file", 0, "text"); };
  const auto seen = outcomes(make, [](Machine& m) { m.remove("/file"); }, shown_file);
  EXPECT_EQ(seen, (Outcomes{"none", "text"}));
  const auto synced = outcomes(
      make,
      [](Machine& m) {
        m.remove("/file");
        m.sync_directory("/");
      },
      shown_file);
  EXPECT_EQ(synced, Outcomes{"none"});
}

// The names of the root and what is in them, as "name=contents".
std::string shown_names(const SimulatedDisk& disk) {
  std::string text;
  for (const char* name : {"/file", "/new", "/third"}) {
    const auto contents = disk.contents(name);
    if (contents) text += std::string(name + 1) + '=' + *contents + ' ';
  }
  return text;
}

TEST(SimulatedDisk, a_rename_survives_or_is_undone_and_is_never_half_done) {
  const auto make = [](Machine& m) { m.write("/file", 0, "text"); };
  const auto rename = [](Machine& m) { m.rename("/file", "/new"); };
  EXPECT_EQ(outcomes(make, rename, shown_names), (Outcomes{"file=text ", "new=text "}));
  const auto rename_and_sync = [](Machine& m) {
    m.rename("/file", "/new");
    m.sync_directory("/");
  };
  EXPECT_EQ(outcomes(make, rename_and_sync, shown_names), Outcomes{"new=text "});
}

TEST(SimulatedDisk, a_rename_over_a_file_leaves_the_old_or_the_new_one) {
  const auto make = [](Machine& m) {
    m.write("/file", 0, "old");
    m.write("/new", 0, "new");
  };
  const auto rename = [](Machine& m) { m.rename("/new", "/file"); };
  EXPECT_EQ(outcomes(make, rename, shown_names), (Outcomes{"file=old new=new ", "file=new "}));
}

TEST(SimulatedDisk, a_rename_of_an_unsynced_file_may_leave_an_empty_one) {
  const auto seen = outcomes([](Machine& m) { m.write("/file", 0, "old"); },
                             [](Machine& m) {
                               m.write("/new", 0, "new");
                               m.rename("/new", "/file");
                               m.sync_directory("/");
                             },
                             shown_file);
  EXPECT_TRUE(seen.contains(""));
  EXPECT_TRUE(seen.contains("new"));
  EXPECT_FALSE(seen.contains("old"));
}

TEST(SimulatedDisk, changes_of_different_names_survive_on_their_own) {
  const auto make = [](Machine& m) { m.write("/file", 0, "1"); };
  const auto change = [](Machine& m) {
    m.remove("/file");
    m.write("/new", 0, "2");
    m.sync("/new");
  };
  EXPECT_EQ(outcomes(make, change, shown_names),
            (Outcomes{"", "file=1 ", "new=2 ", "file=1 new=2 "}));
}

TEST(SimulatedDisk, changes_of_one_name_survive_in_their_order) {
  const auto make = [](Machine& m) { m.write("/file", 0, "1"); };
  const auto change = [](Machine& m) {
    m.rename("/file", "/new");
    m.write("/file", 0, "2");
    m.sync("/file");
  };
  EXPECT_EQ(outcomes(make, change, shown_names), (Outcomes{"file=1 ", "new=1 ", "file=2 new=1 "}));
}

TEST(SimulatedDisk, a_directory_that_was_not_synced_takes_its_files_with_it) {
  const auto shown = [](const SimulatedDisk& disk) {
    return disk.contents("/folder/file").value_or("none");
  };
  const auto make = [](Machine& m) {
    m.make_directory("/folder");
    m.write("/folder/file", 0, "text");
    m.sync("/folder/file");
    m.sync_directory("/folder");
  };
  EXPECT_EQ(outcomes([](Machine&) {}, make, shown), (Outcomes{"none", "text"}));
  const auto make_durable = [&](Machine& m) {
    make(m);
    m.sync_directory("/");
  };
  EXPECT_EQ(outcomes([](Machine&) {}, make_durable, shown), Outcomes{"text"});
}

TEST(SimulatedDisk, a_removed_directory_comes_back_with_what_was_not_durably_removed) {
  const auto shown = [](const SimulatedDisk& disk) {
    if (disk.dump().find("folder/") == std::string::npos) return std::string("gone");
    return disk.contents("/folder/file").value_or("empty");
  };
  const auto make = [](Machine& m) {
    m.make_directory("/folder");
    m.write("/folder/file", 0, "text");
  };
  const auto remove = [](Machine& m) {
    m.remove("/folder/file");
    m.remove_directory("/folder");
  };
  EXPECT_EQ(outcomes(make, remove, shown), (Outcomes{"gone", "empty", "text"}));
}

TEST(SimulatedDisk, a_move_between_directories_needs_both_synced_and_is_never_half_done) {
  const auto shown = [](const SimulatedDisk& disk) {
    std::string text;
    if (disk.contents("/one/file")) text += "one ";
    if (disk.contents("/two/file")) text += "two ";
    return text;
  };
  const auto make = [](Machine& m) {
    m.make_directory("/one");
    m.make_directory("/two");
    m.write("/one/file", 0, "text");
  };
  const auto move = [](std::vector<std::string> synced) {
    return [synced](Machine& m) {
      m.rename("/one/file", "/two/file");
      for (const std::string& directory : synced) m.sync_directory(directory);
    };
  };
  EXPECT_EQ(outcomes(make, move({}), shown), (Outcomes{"one ", "two "}));
  EXPECT_EQ(outcomes(make, move({"/one"}), shown), (Outcomes{"one ", "two "}));
  EXPECT_EQ(outcomes(make, move({"/two"}), shown), (Outcomes{"one ", "two "}));
  EXPECT_EQ(outcomes(make, move({"/one", "/two"}), shown), Outcomes{"two "});
  const auto move_and_remove = [](Machine& m) {
    m.rename("/one/file", "/two/file");
    m.remove_directory("/one");
    m.sync_directory("/");
  };
  EXPECT_EQ(outcomes(make, move_and_remove, shown), Outcomes{"two "});
}

TEST(SimulatedDisk, directories_never_end_up_inside_each_other) {
  const auto make = [](Machine& m) {
    m.make_directory("/a");
    m.make_directory("/a/b");
    m.write("/a/file", 0, "in a");
    m.write("/a/b/file", 0, "in b");
  };
  const auto swap = [](Machine& m) {
    m.rename("/a/b", "/b");
    m.rename("/a", "/b/a");
  };
  const auto shown = [](const SimulatedDisk& disk) {
    std::string text;
    for (const char* path : {"/a/file", "/a/b/file", "/b/file", "/b/a/file"}) {
      if (disk.contents(path)) text += std::string(path) + ' ';
    }
    return text;
  };
  EXPECT_EQ(outcomes(make, swap, shown),
            (Outcomes{"/a/file /a/b/file ", "/a/file /b/file ", "/b/file /b/a/file "}));
  // Nothing leaks without a power cut either.
  Machine machine(1);
  make(machine);
  machine.disk.sync_all();
  swap(machine);
}

TEST(SimulatedDisk, changes_of_names_that_are_never_synced_do_not_pile_up) {
  Machine machine(1);
  for (int i = 0; i < 30'000; ++i) {
    machine.close(machine.open("/file"));
    machine.remove("/file");
  }
  const std::string dump = machine.disk.dump();
  EXPECT_NE(dump.find(" 10000 changes of names pending"), std::string::npos) << dump;
  machine.write("/file", 0, "text");
  EXPECT_EQ(machine.disk.contents("/file"), "text");
}

TEST(SimulatedDisk, nothing_is_lost_when_only_the_process_dies) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Machine machine(seed);
    machine.write("/file", 0, "text");
    machine.rename("/file", "/new");
    machine.kill(seed);
    EXPECT_EQ(machine.disk.contents("/new"), "text");
    EXPECT_EQ(machine.disk.contents("/file"), std::nullopt);
  }
}

TEST(SimulatedDisk, what_survived_one_power_cut_survives_the_next) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Machine machine(seed);
    machine.write("/file", 0, std::string(5000, 'a'));
    machine.rename("/file", "/new");
    machine.write("/third", 0, "text");
    machine.power_cut(seed);
    const std::string left = shown_names(machine.disk);
    machine.power_cut(seed + 1);
    EXPECT_EQ(shown_names(machine.disk), left);
  }
}

TEST(SimulatedDisk, an_open_file_that_was_removed_is_gone_after_the_power_cut) {
  Machine machine(1);
  const FileHandle file = machine.open("/file");
  machine.remove("/file");
  machine.sync_directory("/");
  machine.write(file, 0, "text");
  machine.power_cut(1);
  EXPECT_EQ(machine.disk.contents("/file"), std::nullopt);
}

TEST(SimulatedDisk, a_flipped_bit_is_read_and_survives) {
  Machine machine(1);
  machine.write("/file", 0, "aaaa");
  machine.disk.sync_all();
  EXPECT_TRUE(machine.disk.flip_bit("/file", 2 * 8 + 1));
  EXPECT_EQ(machine.disk.contents("/file"), "aaca");
  machine.power_cut(1);
  EXPECT_EQ(machine.disk.contents("/file"), "aaca");
  EXPECT_FALSE(machine.disk.flip_bit("/file", 4 * 8));
  EXPECT_FALSE(machine.disk.flip_bit("/missing", 0));
}

TEST(SimulatedDisk, the_dump_tells_what_is_durable) {
  Machine machine(1);
  machine.make_directory("/folder");
  machine.write("/folder/kept", 0, "text");
  machine.write("/folder/gone", 0, "text");
  machine.disk.sync_all();
  machine.write("/folder/kept", 4, "text");
  machine.remove("/folder/gone");
  machine.write("/folder/new", 0, "");
  const std::string dump = machine.disk.dump();
  EXPECT_NE(dump.find("  folder/\n"), std::string::npos) << dump;
  EXPECT_NE(dump.find("    kept: 8 bytes, not synced, durable size 4\n"), std::string::npos)
      << dump;
  EXPECT_NE(dump.find("    gone: 4 bytes, removed, but not durably\n"), std::string::npos) << dump;
  EXPECT_NE(dump.find("    new: 0 bytes, entry not durable\n"), std::string::npos) << dump;
}

}  // namespace
}  // namespace millrace
