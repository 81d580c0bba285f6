// Conformance of open files: opening, reading, writing, sizes, syncing, mapping.
#include <array>
#include <set>

// This one imports the module: it comes after all that includes standard headers.
#include "file_system_conformance.hpp"

namespace millrace {
namespace {

TEST_P(FileSystemConformance, open_gives_not_found_for_a_file_that_must_exist) {
  EXPECT_TRUE(fails_with(open("missing", OpenMode::read), IoFault::not_found));
  EXPECT_TRUE(fails_with(open("missing", OpenMode::read_write), IoFault::not_found));
  EXPECT_TRUE(fails_with(status("missing"), IoFault::not_found));
}

TEST_P(FileSystemConformance, open_gives_not_found_when_the_directory_is_missing) {
  EXPECT_TRUE(fails_with(open("missing/file", OpenMode::create), IoFault::not_found));
}

TEST_P(FileSystemConformance, create_makes_an_empty_file) {
  const FileHandle file = opened("file", OpenMode::create);
  EXPECT_EQ(file_size(file).value(), 0);
  EXPECT_EQ(status("file").value().kind, EntryKind::file);
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, create_keeps_what_a_file_holds) {
  make_file("file", "kept");
  const FileHandle file = opened("file", OpenMode::create);
  EXPECT_EQ(text(read(file, 0, 10)), "kept");
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, create_new_refuses_a_file_that_exists) {
  const auto first = open("file", OpenMode::create_new);
  ASSERT_TRUE(succeeds(first));
  EXPECT_TRUE(fails_with(open("file", OpenMode::create_new), IoFault::already_exists));
  EXPECT_TRUE(succeeds(write(*first, 0, "usable")));
  EXPECT_TRUE(succeeds(close(*first)));
}

TEST_P(FileSystemConformance, create_truncated_empties_a_file) {
  make_file("file", "old contents");
  const FileHandle file = opened("file", OpenMode::create_truncated);
  EXPECT_EQ(file_size(file).value(), 0);
  EXPECT_TRUE(succeeds(write(file, 4, "new")));
  EXPECT_EQ(text(read(file, 0, 20)), std::string("\0\0\0\0new", 7));
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, create_truncated_makes_a_file) {
  const auto file = open("file", OpenMode::create_truncated);
  ASSERT_TRUE(succeeds(file));
  EXPECT_TRUE(succeeds(close(*file)));
}

TEST_P(FileSystemConformance, a_directory_is_not_opened_for_writing) {
  ASSERT_TRUE(succeeds(make_directory("folder")));
  EXPECT_TRUE(fails_with(open("folder", OpenMode::read_write), IoFault::invalid));
  EXPECT_TRUE(fails_with(open("folder", OpenMode::create), IoFault::invalid));
}

TEST_P(FileSystemConformance, a_path_through_a_file_is_invalid) {
  make_file("file", "");
  EXPECT_TRUE(fails_with(open("file/below", OpenMode::create), IoFault::invalid));
  EXPECT_TRUE(fails_with(make_directory("file/below"), IoFault::invalid));
}

TEST_P(FileSystemConformance, a_name_that_is_too_long_is_invalid) {
  EXPECT_TRUE(succeeds(make_directory(std::string(255, 'n'))));
  EXPECT_TRUE(fails_with(open(std::string(256, 'n'), OpenMode::create), IoFault::invalid));
}

TEST_P(FileSystemConformance, a_file_opened_for_reading_is_not_changed) {
  make_file("file", "contents");
  const FileHandle file = opened("file", OpenMode::read);
  EXPECT_TRUE(fails_with(write(file, 0, "x"), IoFault::invalid));
  EXPECT_TRUE(fails_with(set_size(file, 1), IoFault::invalid));
  EXPECT_TRUE(fails_with(punch(file, 0, 4), IoFault::invalid));
  EXPECT_EQ(text(read(file, 0, 20)), "contents");
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, one_file_opened_twice_is_one_file) {
  const FileHandle writer = opened("file", OpenMode::create_new);
  const FileHandle reader = opened("file", OpenMode::read);
  EXPECT_TRUE(writer != reader);
  ASSERT_TRUE(succeeds(write(writer, 0, "seen")));
  EXPECT_EQ(text(read(reader, 0, 10)), "seen");
  EXPECT_TRUE(succeeds(close(writer)));
  EXPECT_EQ(text(read(reader, 0, 10)), "seen");
  EXPECT_TRUE(succeeds(close(reader)));
}

TEST_P(FileSystemConformance, a_closed_handle_is_invalid_for_every_operation) {
  const FileHandle file = opened("file");
  ASSERT_TRUE(succeeds(close(file)));
  EXPECT_TRUE(fails_with(close(file), IoFault::invalid));
  EXPECT_TRUE(fails_with(read(file, 0, 1), IoFault::invalid));
  EXPECT_TRUE(fails_with(read_in(file, 0, 1), IoFault::invalid));
  EXPECT_TRUE(fails_with(write(file, 0, "x"), IoFault::invalid));
  EXPECT_TRUE(fails_with(sync_data(file), IoFault::invalid));
  EXPECT_TRUE(fails_with(set_size(file, 0), IoFault::invalid));
  EXPECT_TRUE(fails_with(punch(file, 0, 1), IoFault::invalid));
  EXPECT_TRUE(fails_with(file_size(file), IoFault::invalid));
  EXPECT_TRUE(fails_with(lock(file), IoFault::invalid));
  EXPECT_TRUE(fails_with(set_time(file, Timestamp(1)), IoFault::invalid));
}

TEST_P(FileSystemConformance, a_handle_that_was_never_given_is_invalid) {
  EXPECT_TRUE(fails_with(read(no_file, 0, 1), IoFault::invalid));
  EXPECT_TRUE(fails_with(close(no_file), IoFault::invalid));
  EXPECT_TRUE(fails_with(file_size(FileHandle(1'000'000)), IoFault::invalid));
  EXPECT_EQ(files().descriptor(no_file), -1);
}

TEST_P(FileSystemConformance, handles_stay_valid_while_others_come_and_go) {
  const FileHandle kept = opened("kept");
  ASSERT_TRUE(succeeds(write(kept, 0, "kept")));
  std::vector<FileHandle> others;
  for (int i = 0; i < 200; ++i) others.push_back(opened("other" + std::to_string(i)));
  std::set<std::int32_t> values{kept.value()};
  for (const FileHandle other : others) values.insert(other.value());
  EXPECT_EQ(values.size(), 201);
  for (const FileHandle other : others) ASSERT_TRUE(succeeds(close(other)));
  EXPECT_EQ(text(read(kept, 0, 10)), "kept");
  EXPECT_TRUE(succeeds(close(kept)));
}

TEST_P(FileSystemConformance, what_was_written_is_read) {
  const FileHandle file = opened("file");
  ASSERT_TRUE(succeeds(write(file, 0, "hello, world")));
  EXPECT_EQ(text(read(file, 0, 12)), "hello, world");
  EXPECT_EQ(text(read(file, 7, 5)), "world");
  EXPECT_EQ(file_size(file).value(), 12);
  EXPECT_EQ(status("file").value().size, 12);
  EXPECT_TRUE(succeeds(close(file)));
  EXPECT_EQ(contents("file"), "hello, world");
}

TEST_P(FileSystemConformance, a_write_replaces_what_was_there_and_nothing_else) {
  const FileHandle file = opened("file");
  ASSERT_TRUE(succeeds(write(file, 0, "aaaaaaaaaa")));
  ASSERT_TRUE(succeeds(write(file, 3, "bbb")));
  EXPECT_EQ(text(read(file, 0, 20)), "aaabbbaaaa");
  ASSERT_TRUE(succeeds(write(file, 8, "cccc")));
  EXPECT_EQ(text(read(file, 0, 20)), "aaabbbaacccc");
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, a_read_past_the_end_gives_nothing) {
  const FileHandle file = opened("file");
  EXPECT_EQ(text(read(file, 0, 5)), "");
  ASSERT_TRUE(succeeds(write(file, 0, "12345")));
  EXPECT_EQ(text(read(file, 5, 5)), "");
  EXPECT_EQ(text(read(file, 1'000'000, 5)), "");
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, a_read_across_the_end_gives_what_is_there) {
  const FileHandle file = opened("file");
  ASSERT_TRUE(succeeds(write(file, 0, "12345")));
  EXPECT_EQ(text(read(file, 3, 100)), "45");
  EXPECT_EQ(text(read(file, 0, 100'000)), "12345");
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, reading_in_takes_any_range_and_changes_nothing) {
  const FileHandle file = opened("file");
  EXPECT_TRUE(succeeds(read_in(file, 0, 5)));
  const std::string text(3'000'000, 'x');
  ASSERT_TRUE(succeeds(write(file, 0, text)));
  EXPECT_TRUE(succeeds(read_in(file, 0, text.size())));
  EXPECT_TRUE(succeeds(read_in(file, 100, 0)));
  EXPECT_TRUE(succeeds(read_in(file, 2'999'999, 1'000'000)));
  EXPECT_TRUE(succeeds(read_in(file, 50'000'000, 1'000'000)));
  EXPECT_TRUE(succeeds(read_in(file, 4097, ~std::uint64_t{0})));
  EXPECT_EQ(file_size(file).value(), text.size());
  EXPECT_TRUE(succeeds(close(file)));
  EXPECT_TRUE(contents("file") == text);
}

TEST_P(FileSystemConformance, a_file_opened_for_reading_can_be_read_in) {
  make_file("file", "text");
  const FileHandle file = opened("file", OpenMode::read);
  EXPECT_TRUE(succeeds(read_in(file, 0, 4)));
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, empty_reads_and_writes_succeed_and_change_nothing) {
  const FileHandle file = opened("file");
  EXPECT_TRUE(succeeds(write(file, 0, "")));
  EXPECT_TRUE(succeeds(write(file, 100, "")));
  EXPECT_TRUE(succeeds(write_pieces(file, 100, {})));
  const std::array<ByteView, 2> empty_pieces{};
  EXPECT_TRUE(succeeds(write_pieces(file, 100, empty_pieces)));
  EXPECT_EQ(file_size(file).value(), 0);
  ASSERT_TRUE(succeeds(write(file, 0, "x")));
  EXPECT_EQ(text(read(file, 0, 0)), "");
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, pieces_are_written_one_after_the_other) {
  const FileHandle file = opened("file");
  const std::array pieces = {as_bytes("one "), ByteView{}, as_bytes("two "), as_bytes("three")};
  ASSERT_TRUE(succeeds(write_pieces(file, 2, pieces)));
  EXPECT_EQ(text(read(file, 2, 100)), "one two three");
  EXPECT_EQ(file_size(file).value(), 15);
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, pieces_may_be_more_than_one_system_call_takes) {
  const FileHandle file = opened("file");
  std::vector<std::string> texts;
  std::string whole;
  for (int i = 0; i < 5000; ++i) {
    texts.push_back(std::to_string(i) + ' ');
    whole += texts.back();
  }
  std::vector<ByteView> pieces;
  for (const std::string& piece : texts) pieces.push_back(as_bytes(piece));
  ASSERT_TRUE(succeeds(write_pieces(file, 7, pieces)));
  EXPECT_EQ(file_size(file).value(), 7 + whole.size());
  EXPECT_EQ(text(read(file, 7, whole.size())), whole);
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, large_writes_and_reads_are_whole) {
  const FileHandle file = opened("file");
  std::string large(9'000'001, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 + i / 1000);
  ASSERT_TRUE(succeeds(write(file, 1, large)));
  const auto back = read(file, 1, large.size() + 10);
  ASSERT_TRUE(succeeds(back));
  EXPECT_TRUE(*back == large);
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, a_gap_that_was_never_written_reads_as_zeros) {
  const FileHandle file = opened("file");
  ASSERT_TRUE(succeeds(write(file, 0, "begin")));
  ASSERT_TRUE(succeeds(write(file, 20'000, "end")));
  EXPECT_EQ(file_size(file).value(), 20'003);
  EXPECT_EQ(text(read(file, 0, 20'003)), "begin" + std::string(19'995, '\0') + "end");
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, positions_beyond_four_gibibytes_work) {
  const FileHandle file = opened("file");
  const std::uint64_t position = (std::uint64_t{5} << 30) + 123;
  ASSERT_TRUE(succeeds(write(file, position, "far away")));
  EXPECT_EQ(file_size(file).value(), position + 8);
  EXPECT_EQ(text(read(file, position + 4, 100)), "away");
  EXPECT_EQ(text(read(file, position - 2, 4)), std::string("\0\0fa", 4));
  EXPECT_EQ(text(read(file, (std::uint64_t{1} << 32) - 1, 3)), std::string(3, '\0'));
  ASSERT_TRUE(succeeds(punch(file, position, 4)));
  EXPECT_EQ(text(read(file, position, 100)), std::string("\0\0\0\0away", 8));
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, a_position_that_no_file_reaches_is_an_error) {
  const FileHandle file = opened("file");
  EXPECT_FALSE(write(file, ~std::uint64_t{0} - 2, "text"));
  EXPECT_FALSE(set_size(file, ~std::uint64_t{0}));
  EXPECT_EQ(file_size(file).value(), 0);
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, a_file_that_is_made_larger_ends_in_zeros) {
  const FileHandle file = opened("file");
  ASSERT_TRUE(succeeds(write(file, 0, "text")));
  ASSERT_TRUE(succeeds(set_size(file, 6000)));
  EXPECT_EQ(file_size(file).value(), 6000);
  EXPECT_EQ(text(read(file, 0, 10'000)), "text" + std::string(5996, '\0'));
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, what_was_cut_off_does_not_come_back) {
  const FileHandle file = opened("file");
  ASSERT_TRUE(succeeds(write(file, 0, std::string(10'000, 'x'))));
  ASSERT_TRUE(succeeds(set_size(file, 5001)));
  EXPECT_EQ(text(read(file, 4999, 100)), "xx");
  ASSERT_TRUE(succeeds(set_size(file, 10'000)));
  EXPECT_EQ(text(read(file, 5000, 10'000)), 'x' + std::string(4999, '\0'));
  ASSERT_TRUE(succeeds(set_size(file, 0)));
  ASSERT_TRUE(succeeds(write(file, 3, "y")));
  EXPECT_EQ(text(read(file, 0, 100)), std::string("\0\0\0y", 4));
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, a_punched_range_reads_as_zeros_and_keeps_the_size) {
  const FileHandle file = opened("file");
  ASSERT_TRUE(succeeds(write(file, 0, std::string(30'000, 'x'))));
  ASSERT_TRUE(succeeds(punch(file, 100, 20'000)));
  EXPECT_EQ(file_size(file).value(), 30'000);
  EXPECT_EQ(text(read(file, 0, 30'000)),
            std::string(100, 'x') + std::string(20'000, '\0') + std::string(9900, 'x'));
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, a_punch_past_the_end_does_not_change_the_size) {
  const FileHandle file = opened("file");
  ASSERT_TRUE(succeeds(write(file, 0, std::string(10, 'x'))));
  ASSERT_TRUE(succeeds(punch(file, 5, 100'000)));
  ASSERT_TRUE(succeeds(punch(file, 50'000, 100'000)));
  EXPECT_EQ(text(read(file, 0, 100)), std::string(5, 'x') + std::string(5, '\0'));
  EXPECT_EQ(file_size(file).value(), 10);
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, synced_data_is_read_as_before) {
  const FileHandle file = opened("file");
  EXPECT_TRUE(succeeds(sync_data(file)));
  ASSERT_TRUE(succeeds(write(file, 0, "text")));
  EXPECT_TRUE(succeeds(sync_data(file)));
  EXPECT_TRUE(succeeds(sync_data(file)));
  EXPECT_TRUE(succeeds(sync_directory("")));
  EXPECT_EQ(text(read(file, 0, 10)), "text");
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, a_file_opened_for_reading_can_be_synced) {
  make_file("file", "text");
  const FileHandle file = opened("file", OpenMode::read);
  EXPECT_TRUE(succeeds(sync_data(file)));
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, syncing_a_directory_needs_a_directory) {
  EXPECT_TRUE(fails_with(sync_directory("missing"), IoFault::not_found));
  make_file("file", "text");
  EXPECT_TRUE(fails_with(sync_directory("file"), IoFault::invalid));
  ASSERT_TRUE(succeeds(make_directory("folder")));
  EXPECT_TRUE(succeeds(sync_directory("folder")));
}

}  // namespace
}  // namespace millrace
