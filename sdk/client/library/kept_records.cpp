#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/records.hpp"

import millrace.base;
import millrace.client.consumer;
import millrace.protocol.batch;
import millrace.protocol.compression;

namespace millrace::inline v1 {

namespace {

ByteView view_of(const std::optional<std::string>& text) {
  return text ? as_bytes(*text) : ByteView{};
}

// Records of the application in the form of fetched ones. Headers are views of a batch, as they
// came: so those that have some lie in one, too.
class KeptRecords {
 public:
  explicit KeptRecords(std::vector<OwnedRecord> records) : owned_(std::move(records)) {
    views_.reserve(owned_.size());
    for (const OwnedRecord& record : owned_) {
      client::ConsumedRecord& view = views_.emplace_back();
      view.topic = record.topic;
      view.partition = PartitionIndex(record.partition);
      view.offset = Offset(record.offset);
      view.timestamp = decltype(view.timestamp)(record.timestamp.time_since_epoch().count());
      view.key = view_of(record.key);
      view.value = view_of(record.value);
      if (!record.headers.empty()) view.headers = headers_of(record);
    }
  }

  [[nodiscard]] const client::ConsumedRecord* first() const { return views_.data(); }
  [[nodiscard]] std::size_t size() const { return views_.size(); }

 private:
  protocol::RecordHeaders headers_of(const OwnedRecord& record) {
    std::vector<protocol::RecordHeader> headers;
    std::size_t bytes = message_bytes_max_default;
    for (const OwnedHeader& header : record.headers) {
      headers.push_back({header.key, view_of(header.value)});
      bytes += header.key.size() + (header.value ? header.value->size() : 0) + 2 * varint_bytes_max;
    }
    BufferPool pool;
    protocol::BatchStorage storage(pool);
    protocol::BatchStorage unused(pool);
    protocol::Compressor compressor;
    protocol::BatchBuilder builder(storage, unused, compressor);
    builder.start({.batch_bytes_max = bytes});
    const auto added = builder.append(
        {.timestamp = decltype(client::ConsumedRecord::timestamp)(0), .headers = headers});
    check(added.has_value(), "the headers of a record fit into a batch");
    const auto built = builder.finish();
    check(built.has_value(), "a batch of one record is finished");
    const auto& batch = batches_.emplace_back(built->begin(), built->end());
    return only_record_of(batch).headers;
  }

  static protocol::RecordView only_record_of(ByteView bytes) {
    protocol::Decompressor decompressor;
    protocol::RecordReader reader(decompressor);
    const auto batch = protocol::BatchView::parse(bytes);
    check(batch.has_value(), "a batch that was built is read");
    protocol::RecordView record;
    check(reader.open(*batch).has_value() && reader.next(record), "and so is its record");
    return record;
  }

  const std::vector<OwnedRecord> owned_;
  std::vector<std::vector<std::byte>> batches_;
  std::vector<client::ConsumedRecord> views_;
};

}  // namespace

Records Records::of(std::vector<OwnedRecord> records) {
  const auto kept = std::make_shared<const KeptRecords>(std::move(records));
  return Records(kept, kept->first(), kept->size());
}

}  // namespace millrace::inline v1
