// What compaction makes of the batches of a damaged log. The first two bytes of the input say up to
// where and at what time is cleaned; the others are batches, whose CRC is put right so that they
// get past it. Whatever is taken comes out as good batches within the ranges of the old ones, of
// which a second cleaning leaves the same.
#include <cstddef>
#include <cstdint>
#include <vector>

import millrace.storage.cleaner;

namespace {

using namespace millrace;
using namespace millrace::storage;
using protocol::BatchView;

using Bytes = std::vector<std::byte>;

constexpr std::int64_t retention_ms = 100;

class Fuzzer {
 public:
  void run(ByteView input) {
    if (input.size() < 2) return;
    const Offset end(static_cast<std::int64_t>(input[0]));
    // Horizons of the seeds lie around the first of these times.
    const Timestamp now(1'700'000'000'000 + 1000 * static_cast<std::int64_t>(input[1]));
    const std::vector<Bytes> log = batches_of(input.subspan(2));
    std::vector<Bytes> once;
    if (!clean(log, end, now, once)) return;
    std::vector<Bytes> twice;
    check(clean(once, end, now, twice), "what was cleaned can be cleaned again");
    check(twice.size() <= once.size(), "cleaning adds no batches");
  }

 private:
  static std::vector<Bytes> batches_of(ByteView data) {
    std::vector<Bytes> batches;
    Bytes all(data.begin(), data.end());
    protocol::BatchSplitter splitter(all);
    std::size_t position = 0;
    for (BatchView batch; splitter.next(batch);) {
      const MutableBytes bytes = MutableBytes(all).subspan(position, batch.bytes().size());
      store_big_endian(bytes.data() + protocol::batch_layout::crc,
                       protocol::compute_batch_crc(bytes));
      batches.emplace_back(bytes.begin(), bytes.end());
      position += bytes.size();
    }
    return batches;
  }

  static BatchView view_of(const Bytes& bytes) {
    const auto view = BatchView::parse(bytes);
    check(view.has_value() && view->crc_matches(), "a batch with its CRC");
    return *view;
  }

  // As the scanner gives them: offsets rise from batch to batch.
  static bool in_order(const std::vector<Bytes>& log) {
    Offset next{0};
    for (const Bytes& bytes : log) {
      const auto header = view_of(bytes).header();
      if (header.base_offset < next || header.last_offset_delta < 0 ||
          header.base_offset > Offset(std::int64_t{1} << 62)) {
        return false;
      }
      next = header.last_offset().next();
    }
    return true;
  }

  bool clean(const std::vector<Bytes>& log, Offset end, Timestamp now, std::vector<Bytes>& left) {
    if (!in_order(log)) return false;
    KeyOffsets keys(1, 1000);
    keys.start(40);
    CleanedTransactions mapped;
    KeyMapper mapper(keys, mapped, walk_, Offset(0), end);
    bool has_room = true;
    for (const Bytes& bytes : log) {
      const auto added = mapper.add(view_of(bytes));
      if (!added) return false;
      has_room = *added;
      if (!has_room) break;
    }
    if (has_room) mapper.finish();
    CleanedTransactions transactions;
    BatchFilter filter(keys, transactions, producers_,
                       {mapper.mapped_end(), end, now, retention_ms}, walk_, buffers_, compressor_);
    for (const Bytes& bytes : log) {
      const BatchView before = view_of(bytes);
      const auto filtered = filter.filter(before);
      if (!filtered) return false;
      if (filtered->bytes.empty()) continue;
      left.emplace_back(filtered->bytes.begin(), filtered->bytes.end());
      const auto header = view_of(left.back()).header();
      check(header == filtered->header, "the header is that of the bytes");
      check(header.base_offset == before.header().base_offset &&
                header.last_offset_delta == before.header().last_offset_delta,
            "the range of a batch stays");
      check(header.record_count <= before.header().record_count, "cleaning adds no records");
    }
    return true;
  }

  protocol::Decompressor decompressor_;
  protocol::Compressor compressor_;
  RecordWalk walk_{decompressor_};
  BufferPool buffers_;
  ProducerBudget budget_;
  ProducerStates producers_{budget_};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fuzzer fuzzer;
  fuzzer.run(ByteView(reinterpret_cast<const std::byte*>(data), size));
  return 0;
}
