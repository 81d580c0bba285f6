// Entries of the controllers' log and snapshots of the metadata, from any bytes. The first byte of
// the input says which. What is read is written and read again as the same; what an image takes in
// makes a snapshot that gives the image again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

import millrace.base;
import millrace.metadata;

namespace {

using namespace millrace;
using namespace millrace::metadata;

void check_refusal(const Error& error) {
  check(error.kind == ErrorKind::corrupt || error.kind == ErrorKind::unsupported,
        "damage is reported as damage");
  check(!error.message.empty(), "a refusal has a sentence");
}

void check_snapshot(const Image& image) {
  ImageBuilder builder(empty_image());
  builder.begin_snapshot();
  write_snapshot(image, [&](const OwnedBytes& piece) {
    const auto applied = builder.apply_snapshot(piece);
    // Without a cluster there is no first record; what follows is the same.
    check(applied.has_value(), "an image makes a snapshot that can be read");
  });
  check(builder.end_snapshot(image.offset()).has_value(), "a snapshot is whole");
  const auto again = builder.take().first;
  const bool same = again->same_cluster(image);
  // The highest broker epoch lies in the record of the cluster.
  check(same || image.cluster_id().is_zero(), "a snapshot gives the image again");
}

void read(ByteView entry) {
  ImageBuilder builder(empty_image());
  std::vector<Record> records;
  const auto done = read_entry(entry, [&](Record record) -> Result<void> {
    auto applied = builder.apply(record);
    if (!applied) return applied;
    records.push_back(std::move(record));
    return applied;
  });
  if (!done) check_refusal(done.error());
  const OwnedBytes written = entry_of(records);
  std::vector<Record> again;
  const auto reread = read_entry(written, [&](Record record) -> Result<void> {
    again.push_back(std::move(record));
    return {};
  });
  check(reread.has_value() && again == records, "what is written is read as the same");
  if (done) check_snapshot(*builder.take().first);
}

void restore(ByteView bytes) {
  ImageBuilder builder(empty_image());
  builder.begin_snapshot();
  constexpr std::size_t part = 100;
  for (std::size_t at = 0; at < bytes.size(); at += part) {
    const auto applied =
        builder.apply_snapshot(bytes.subspan(at, std::min(part, bytes.size() - at)));
    if (!applied) return check_refusal(applied.error());
  }
  if (const auto ended = builder.end_snapshot(MetadataOffset(1)); !ended) {
    return check_refusal(ended.error());
  }
  check_snapshot(*builder.take().first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(reinterpret_cast<const std::byte*>(data), size);
  if (input.empty()) return 0;
  if ((input[0] & std::byte{1}) == std::byte{0}) {
    read(input.subspan(1));
  } else {
    restore(input.subspan(1));
  }
  return 0;
}
