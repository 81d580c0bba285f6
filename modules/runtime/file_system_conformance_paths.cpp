// Conformance of what works on paths: names, directories, locks of files, free space.
#include <set>

// This one imports the module: it comes after all that includes standard headers.
#include "file_system_conformance.hpp"

namespace millrace {
namespace {

[[nodiscard]] std::set<std::string> names(const std::vector<DirectoryEntry>& entries,
                                          EntryKind kind) {
  std::set<std::string> found;
  for (const DirectoryEntry& entry : entries) {
    if (entry.kind == kind) found.insert(entry.name);
  }
  return found;
}

TEST_P(FileSystemConformance, status_tells_files_from_directories) {
  make_file("file", "12345");
  ASSERT_TRUE(succeeds(make_directory("folder")));
  EXPECT_EQ(status("file").value().kind, EntryKind::file);
  EXPECT_EQ(status("file").value().size, 5);
  EXPECT_EQ(status("folder").value().kind, EntryKind::directory);
}

// The clock of a file system may be a little behind.
TEST_P(FileSystemConformance, status_tells_when_a_file_changed_last) {
  make_file("old", "12345");
  const Timestamp made = status("old").value().modified;
  EXPECT_GE(made, wall_now().plus(-60'000));
  EXPECT_LE(made, wall_now().plus(1'000));
  const FileHandle file = opened("old");
  EXPECT_EQ(text(read(file, 0, 10)), "12345");
  ASSERT_TRUE(succeeds(rename("old", "new")));
  EXPECT_EQ(status("new").value().modified, made);
  pass(std::chrono::milliseconds(50));
  ASSERT_TRUE(succeeds(write(file, 0, "later")));
  const Timestamp written = status("new").value().modified;
  EXPECT_GT(written, made);
  pass(std::chrono::milliseconds(50));
  ASSERT_TRUE(succeeds(set_size(file, 2)));
  EXPECT_GT(status("new").value().modified, written);
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, the_time_of_the_last_change_is_what_was_set_until_the_next_change) {
  make_file("old", "12345");
  const FileHandle file = opened("old");
  for (const std::int64_t time : {std::int64_t{1'234'567'890'123}, std::int64_t{999},
                                  std::int64_t{0}, std::int64_t{-1}, std::int64_t{-86'400'001}}) {
    ASSERT_TRUE(succeeds(set_time(file, Timestamp(time))));
    EXPECT_EQ(status("old").value().modified, Timestamp(time));
  }
  ASSERT_TRUE(succeeds(set_time(file, Timestamp(86'400'007))));
  ASSERT_TRUE(succeeds(sync_data(file)));
  EXPECT_EQ(text(read(file, 0, 10)), "12345");
  ASSERT_TRUE(succeeds(close(file)));
  ASSERT_TRUE(succeeds(rename("old", "new")));
  EXPECT_EQ(status("new").value().modified, Timestamp(86'400'007));
  EXPECT_EQ(status("new").value().size, 5);
  const FileHandle again = opened("new");
  ASSERT_TRUE(succeeds(write(again, 5, "6")));
  EXPECT_GE(status("new").value().modified, wall_now().plus(-60'000));
  EXPECT_TRUE(succeeds(close(again)));
  EXPECT_TRUE(fails_with(set_time(again, Timestamp(1)), IoFault::invalid));
}

TEST_P(FileSystemConformance, a_renamed_file_keeps_its_contents) {
  make_file("old", "text");
  ASSERT_TRUE(succeeds(rename("old", "new")));
  EXPECT_EQ(contents("new"), "text");
  EXPECT_TRUE(fails_with(status("old"), IoFault::not_found));
}

TEST_P(FileSystemConformance, a_rename_replaces_the_file_of_that_name) {
  make_file("old", "replaced");
  make_file("new", "text");
  const FileHandle replaced = opened("old", OpenMode::read);
  ASSERT_TRUE(succeeds(rename("new", "old")));
  EXPECT_EQ(contents("old"), "text");
  EXPECT_EQ(text(read(replaced, 0, 100)), "replaced");
  EXPECT_TRUE(fails_with(status("new"), IoFault::not_found));
  EXPECT_TRUE(succeeds(close(replaced)));
}

TEST_P(FileSystemConformance, an_open_file_follows_its_rename) {
  const FileHandle file = opened("old");
  ASSERT_TRUE(succeeds(rename("old", "new")));
  ASSERT_TRUE(succeeds(write(file, 0, "later")));
  EXPECT_TRUE(succeeds(close(file)));
  EXPECT_EQ(contents("new"), "later");
}

TEST_P(FileSystemConformance, a_rename_to_the_same_name_changes_nothing) {
  make_file("file", "text");
  EXPECT_TRUE(succeeds(rename("file", "file")));
  EXPECT_EQ(contents("file"), "text");
}

TEST_P(FileSystemConformance, a_rename_needs_its_source_and_its_target_directory) {
  make_file("file", "text");
  EXPECT_TRUE(fails_with(rename("missing", "new"), IoFault::not_found));
  EXPECT_TRUE(fails_with(rename("file", "missing/new"), IoFault::not_found));
  EXPECT_EQ(contents("file"), "text");
}

TEST_P(FileSystemConformance, a_directory_is_renamed_with_all_that_is_in_it) {
  ASSERT_TRUE(succeeds(make_directory("old")));
  make_file("old/file", "text");
  const FileHandle open_inside = opened("old/file", OpenMode::read);
  ASSERT_TRUE(succeeds(rename("old", "new")));
  EXPECT_EQ(contents("new/file"), "text");
  EXPECT_EQ(text(read(open_inside, 0, 10)), "text");
  EXPECT_TRUE(fails_with(status("old"), IoFault::not_found));
  EXPECT_TRUE(succeeds(close(open_inside)));
}

TEST_P(FileSystemConformance, a_directory_replaces_only_an_empty_directory) {
  ASSERT_TRUE(succeeds(make_directory("source")));
  make_file("source/file", "text");
  ASSERT_TRUE(succeeds(make_directory("full")));
  make_file("full/file", "");
  ASSERT_TRUE(succeeds(make_directory("empty")));
  make_file("plain", "");
  EXPECT_TRUE(fails_with(rename("source", "full"), IoFault::not_empty));
  EXPECT_TRUE(fails_with(rename("source", "plain"), IoFault::invalid));
  EXPECT_TRUE(fails_with(rename("plain", "empty"), IoFault::invalid));
  EXPECT_TRUE(fails_with(rename("source", "source/inside"), IoFault::invalid));
  EXPECT_TRUE(succeeds(rename("source", "empty")));
  EXPECT_EQ(contents("empty/file"), "text");
}

TEST_P(FileSystemConformance, a_file_moves_between_directories) {
  ASSERT_TRUE(succeeds(make_directory("one")));
  ASSERT_TRUE(succeeds(make_directory("two")));
  make_file("one/file", "text");
  ASSERT_TRUE(succeeds(rename("one/file", "two/moved")));
  EXPECT_EQ(contents("two/moved"), "text");
  EXPECT_TRUE(succeeds(remove_directory("one")));
}

TEST_P(FileSystemConformance, a_removed_file_is_gone) {
  make_file("file", "text");
  ASSERT_TRUE(succeeds(remove("file")));
  EXPECT_TRUE(fails_with(status("file"), IoFault::not_found));
  EXPECT_TRUE(fails_with(remove("file"), IoFault::not_found));
  EXPECT_TRUE(succeeds(close(opened("file", OpenMode::create_new))));
}

TEST_P(FileSystemConformance, a_removed_file_stays_usable_while_it_is_open) {
  const FileHandle file = opened("file");
  ASSERT_TRUE(succeeds(write(file, 0, "still here")));
  ASSERT_TRUE(succeeds(remove("file")));
  make_file("file", "another");
  EXPECT_EQ(text(read(file, 0, 100)), "still here");
  EXPECT_TRUE(succeeds(write(file, 10, ", and growing")));
  EXPECT_EQ(file_size(file).value(), 23);
  EXPECT_TRUE(succeeds(sync_data(file)));
  EXPECT_TRUE(succeeds(close(file)));
  EXPECT_EQ(contents("file"), "another");
}

TEST_P(FileSystemConformance, directories_are_not_removed_as_files_nor_files_as_directories) {
  ASSERT_TRUE(succeeds(make_directory("folder")));
  make_file("file", "text");
  EXPECT_TRUE(fails_with(remove("folder"), IoFault::invalid));
  EXPECT_TRUE(fails_with(remove_directory("file"), IoFault::invalid));
}

TEST_P(FileSystemConformance, directories_are_made_once_and_in_directories) {
  ASSERT_TRUE(succeeds(make_directory("folder")));
  EXPECT_TRUE(fails_with(make_directory("folder"), IoFault::already_exists));
  EXPECT_TRUE(fails_with(make_directory("missing/folder"), IoFault::not_found));
  EXPECT_TRUE(succeeds(make_directory("folder/inside")));
}

TEST_P(FileSystemConformance, only_an_empty_directory_is_removed) {
  ASSERT_TRUE(succeeds(make_directory("folder")));
  make_file("folder/file", "text");
  EXPECT_TRUE(fails_with(remove_directory("folder"), IoFault::not_empty));
  ASSERT_TRUE(succeeds(remove("folder/file")));
  EXPECT_TRUE(succeeds(remove_directory("folder")));
  EXPECT_TRUE(fails_with(remove_directory("folder"), IoFault::not_found));
}

TEST_P(FileSystemConformance, a_list_names_what_is_there_and_its_kind) {
  EXPECT_TRUE(list("").value().empty());
  make_file("one", "1");
  make_file("two", "2");
  ASSERT_TRUE(succeeds(make_directory("folder")));
  make_file("folder/inside", "");
  const auto entries = list("").value();
  EXPECT_EQ(entries.size(), 3);
  EXPECT_EQ(names(entries, EntryKind::file), (std::set<std::string>{"one", "two"}));
  EXPECT_EQ(names(entries, EntryKind::directory), std::set<std::string>{"folder"});
}

TEST_P(FileSystemConformance, a_list_follows_changes) {
  make_file("one", "");
  make_file("two", "");
  ASSERT_TRUE(succeeds(rename("one", "three")));
  ASSERT_TRUE(succeeds(remove("two")));
  EXPECT_EQ(names(list("").value(), EntryKind::file), std::set<std::string>{"three"});
}

TEST_P(FileSystemConformance, a_list_may_be_long) {
  std::set<std::string> made;
  for (int i = 0; i < 1500; ++i) {
    const std::string name = "a-name-of-some-length-for-number-" + std::to_string(i);
    ASSERT_TRUE(succeeds(make_directory(name)));
    made.insert(name);
  }
  const auto entries = list("").value();
  EXPECT_EQ(entries.size(), made.size());
  EXPECT_EQ(names(entries, EntryKind::directory), made);
}

TEST_P(FileSystemConformance, a_list_needs_a_directory) {
  make_file("file", "");
  EXPECT_TRUE(fails_with(list("missing"), IoFault::not_found));
  EXPECT_TRUE(fails_with(list("file"), IoFault::invalid));
}

TEST_P(FileSystemConformance, a_lock_is_held_by_one_open_file) {
  const FileHandle holder = opened("file");
  const FileHandle other = opened("file");
  ASSERT_TRUE(succeeds(lock(holder)));
  EXPECT_TRUE(fails_with(lock(other), IoFault::locked));
  EXPECT_TRUE(succeeds(lock(holder)));
  EXPECT_TRUE(succeeds(close(holder)));
  EXPECT_TRUE(succeeds(lock(other)));
  EXPECT_TRUE(succeeds(close(other)));
}

TEST_P(FileSystemConformance, a_lock_ends_with_its_file_and_not_with_another) {
  const FileHandle holder = opened("file");
  const FileHandle other = opened("file");
  ASSERT_TRUE(succeeds(lock(holder)));
  EXPECT_TRUE(succeeds(close(other)));
  const FileHandle third = opened("file");
  EXPECT_TRUE(fails_with(lock(third), IoFault::locked));
  EXPECT_TRUE(succeeds(close(holder)));
  EXPECT_TRUE(succeeds(lock(third)));
  EXPECT_TRUE(succeeds(close(third)));
}

TEST_P(FileSystemConformance, locks_of_two_files_do_not_meet) {
  const FileHandle one = opened("one");
  const FileHandle two = opened("two");
  EXPECT_TRUE(succeeds(lock(one)));
  EXPECT_TRUE(succeeds(lock(two)));
  EXPECT_TRUE(succeeds(close(one)));
  EXPECT_TRUE(succeeds(close(two)));
}

TEST_P(FileSystemConformance, free_space_is_told_for_any_path_that_exists) {
  make_file("file", "text");
  EXPECT_GT(free_bytes("").value(), 0);
  EXPECT_GT(free_bytes("file").value(), 0);
  EXPECT_TRUE(fails_with(free_bytes("missing"), IoFault::not_found));
}

TEST_P(FileSystemConformance, an_error_names_its_operation) {
  const auto missing = open("missing", OpenMode::read);
  ASSERT_FALSE(missing);
  EXPECT_STREQ(missing.error().operation, "open");
  EXPECT_EQ(describe(missing.error(), "/a"), "open /a: not found (errno 2)");
  const auto renamed = rename("missing", "new");
  ASSERT_FALSE(renamed);
  EXPECT_STREQ(renamed.error().operation, "rename");
}

}  // namespace
}  // namespace millrace
