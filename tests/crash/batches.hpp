// Batches as clients and leaders send them, and as they are expected in the log.
#pragma once

#include "support.hpp"

namespace millrace::storage::crash {

using Bytes = std::vector<std::byte>;

struct RecordPlace {
  std::int32_t offset_delta = 0;
  Timestamp timestamp;
  int key = -1;  // without one
  bool tombstone = false;
};

// What a batch is to hold.
struct BatchPlan {
  std::size_t records = 1;
  std::size_t value_bytes = 10;
  // Of so many keys; without them records have none.
  std::uint64_t keys = 0;
  // Each record is up to so much older or younger.
  Timestamp timestamp{1'000};
  std::int64_t timestamp_spread = 0;
  // Offsets that no record has, behind each record.
  std::int32_t gap = 0;
  protocol::ProducerState producer{};
  bool transactional = false;
  // The end of a transaction, instead of records.
  std::optional<protocol::ControlRecordType> marker = std::nullopt;
};

// A batch that was made and has no place in the log yet.
struct Draft {
  Bytes bytes;
  std::vector<RecordPlace> records;
};

// A batch at its place.
struct Batch {
  Bytes bytes;
  std::vector<RecordPlace> records;
  protocol::BatchHeader header;

  [[nodiscard]] Offset base() const { return header.base_offset; }
  [[nodiscard]] Offset last() const { return header.last_offset(); }
  [[nodiscard]] protocol::BatchView view() const;
};
using BatchPtr = std::shared_ptr<const Batch>;

// What the producers have to say of a batch.
[[nodiscard]] ProducerCheck check_of(const ProducerStates& producers, const Batch& batch,
                                     AppendOrigin origin, protocol::Decompressor& decompressor);

[[nodiscard]] BatchPtr placed(const Draft& draft, Offset base, LeaderEpoch epoch);

// Makes batches of which no two are alike.
class BatchMaker {
 public:
  [[nodiscard]] Draft make(const BatchPlan& plan, Random& random);

 private:
  BufferPool pool_;
  protocol::BatchStorage records_{pool_};
  protocol::BatchStorage compressed_{pool_};
  protocol::Compressor compressor_;
  protocol::BatchBuilder builder_{records_, compressed_, compressor_};
  std::uint64_t made_ = 0;
};

}  // namespace millrace::storage::crash
