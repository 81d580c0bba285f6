#include "segment_machine.hpp"

namespace millrace::storage {
namespace {

constexpr Offset base{0};

std::string text_of(MappedFiles::Mapping& mapping) {
  return std::string(as_text(mapping.bytes()));
}

TEST(MappedFiles, gives_up_what_was_not_used_for_longest) {
  SegmentMachine machine(1, {}, 3);
  MappedFiles::Mapping mappings[5];
  for (std::int64_t i = 0; i < 5; ++i) {
    machine.write_file(Offset(i), SegmentFileKind::offset_index, "index " + std::to_string(i));
  }
  const auto map = [&](std::size_t i) {
    machine.good(machine.mapped_files.map(
        mappings[i],
        machine.path(Offset(static_cast<std::int64_t>(i)), SegmentFileKind::offset_index), 7));
  };
  for (const std::size_t i : {0u, 1u, 2u}) map(i);
  EXPECT_EQ(text_of(mappings[0]), "index 0");
  map(3);
  EXPECT_EQ(machine.mapped_files.mapped(), 3u);
  EXPECT_EQ(text_of(mappings[0]), "index 0");
  EXPECT_EQ(text_of(mappings[1]), "");
  map(1);
  EXPECT_EQ(text_of(mappings[1]), "index 1");
  EXPECT_EQ(text_of(mappings[2]), "");
  machine.mapped_files.unmap(mappings[1]);
  machine.mapped_files.unmap(mappings[1]);
  EXPECT_EQ(text_of(mappings[1]), "");
  EXPECT_EQ(machine.mapped_files.mapped(), 2u);
}

TEST(MappedFiles, maps_no_more_than_the_file_has) {
  SegmentMachine machine;
  MappedFiles::Mapping mapping;
  machine.write_file(base, SegmentFileKind::offset_index, "12345678");
  const auto path = machine.path(base, SegmentFileKind::offset_index);
  const auto longer = machine.wait(machine.mapped_files.map(mapping, path, 9));
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().fault, StorageFault::corrupt);
  EXPECT_EQ(machine.wait(machine.mapped_files.map(mapping, "/log/none", 1)).error().fault,
            StorageFault::not_found);
  EXPECT_EQ(machine.mapped_files.mapped(), 0u);
  machine.good(machine.mapped_files.map(mapping, path, 4));
  EXPECT_EQ(text_of(mapping), "1234");
  machine.good(machine.mapped_files.map(mapping, path, 8));
  EXPECT_EQ(text_of(mapping), "12345678");
  EXPECT_EQ(machine.mapped_files.mapped(), 1u);
}

TEST(MappedFiles, a_mapping_goes_with_its_place) {
  SegmentMachine machine;
  machine.write_file(base, SegmentFileKind::offset_index, "12345678");
  {
    MappedFiles::Mapping mapping;
    machine.good(
        machine.mapped_files.map(mapping, machine.path(base, SegmentFileKind::offset_index), 8));
    EXPECT_EQ(machine.mapped_files.mapped(), 1u);
  }
  EXPECT_EQ(machine.mapped_files.mapped(), 0u);
}

}  // namespace
}  // namespace millrace::storage
