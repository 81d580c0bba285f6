// The indexes of a segment, compared with its log while that is read from front to back.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

export module millrace.storage.dump:index_check;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.index;
import :dumper;
import :findings;
import :verify;

namespace millrace::storage {

// What the indexes must agree with: a batch, and what the log says up to its end.
struct CheckedBatch {
  const protocol::BatchHeader& header;
  std::uint64_t position = 0;
  Timestamp largest = no_timestamp;  // of all batches so far
  bool may_abort = false;            // a marker of an abort, or a control batch without records
  bool believed = true;              // its CRC is right
};

// How an index is judged.
struct IndexRules {
  Offset base;
  // Of what is found: less where recovery makes the index again.
  FindingSeverity severity = FindingSeverity::wrong;
  // Zeros at the end are those of a file that was made at its full size.
  bool padding_allowed = false;
};

// Reads the entries of one index file in the order of the batches. A local of the check of a
// segment: open(), see() for each batch, finish(). Without a file there are no entries.
class IndexCheck {
 public:
  IndexCheck(DumpContext& context, FindingTarget& target, std::string path, IndexRules rules,
             std::size_t entry_bytes)
      : rules_(rules),
        findings_(target, std::move(path)),
        context_(context),
        entry_bytes_(entry_bytes) {}
  virtual ~IndexCheck() = default;
  IndexCheck(const IndexCheck&) = delete;
  IndexCheck& operator=(const IndexCheck&) = delete;

  [[nodiscard]] Task<StorageResult<void>> open();
  // Most batches have no entry: this says so without a coroutine.
  [[nodiscard]] bool must_see(const CheckedBatch& batch) const {
    return !ended_ && (at_ == window_bytes_ || concerns(entry(), batch));
  }
  [[nodiscard]] Task<StorageResult<void>> see(const CheckedBatch& batch);
  // Behind the last batch: what is left is about nothing. Closes the file.
  [[nodiscard]] Task<StorageResult<void>> finish();
  // A part of the log cannot be read: less can be said.
  void doubt() { doubtful_ = true; }

  [[nodiscard]] std::uint64_t entries() const { return index_; }
  [[nodiscard]] FileFindings& findings() { return findings_; }

 protected:
  // Whether an entry is about this batch or one before it.
  [[nodiscard]] virtual bool concerns(ByteView entry, const CheckedBatch& batch) const = 0;
  // By itself and after the entry before it; empty if there is nothing to say.
  [[nodiscard]] virtual std::string look_at(ByteView entry) = 0;
  // The first batch that the entry concerns has come; null where there is none any more.
  virtual void compare(ByteView entry, const CheckedBatch* batch) = 0;

  void wrong(FindingKind kind, std::string message) {
    findings_.add(rules_.severity, kind, position_, std::move(message));
  }
  [[nodiscard]] bool doubtful() const { return doubtful_; }

  IndexRules rules_;

 private:
  [[nodiscard]] ByteView entry() const {
    return ByteView(window_.bytes()).subspan(at_, entry_bytes_);
  }
  // Whether there is an entry to look at.
  [[nodiscard]] Task<StorageResult<bool>> ready();
  [[nodiscard]] Task<StorageResult<void>> read_on();
  [[nodiscard]] bool is_padding() const;
  [[nodiscard]] Task<StorageResult<void>> pass_padding();
  void step();

  FileFindings findings_;
  DumpContext& context_;
  std::size_t entry_bytes_;
  FileHandle file_ = no_file;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t read_ = 0;      // bytes of the file that were read
  std::uint64_t position_ = 0;  // of the entry
  std::uint64_t index_ = 0;
  Buffer window_;
  std::size_t window_bytes_ = 0;
  std::size_t at_ = 0;
  bool ended_ = true;
  bool looked_at_ = false;
  bool doubtful_ = false;
};

// Each entry leads to the beginning of a batch and has its last offset.
class OffsetIndexCheck final : public IndexCheck {
 public:
  OffsetIndexCheck(DumpContext& context, FindingTarget& target, std::string path, IndexRules rules)
      : IndexCheck(context, target, std::move(path), rules, offset_index_entry_bytes) {}

  // Entries that lead there may have been right.
  void skip(std::uint64_t from, std::uint64_t to) {
    gap_from_ = from;
    gap_to_ = to;
  }

 private:
  [[nodiscard]] bool concerns(ByteView entry, const CheckedBatch& batch) const override;
  [[nodiscard]] std::string look_at(ByteView entry) override;
  void compare(ByteView entry, const CheckedBatch* batch) override;

  std::optional<OffsetPosition> last_;
  std::uint64_t gap_from_ = 0;
  std::uint64_t gap_to_ = 0;
};

// Each entry has the largest timestamp up to the end of the batch that holds its offset.
class TimeIndexCheck final : public IndexCheck {
 public:
  TimeIndexCheck(DumpContext& context, FindingTarget& target, std::string path, IndexRules rules)
      : IndexCheck(context, target, std::move(path), rules, time_index_entry_bytes) {}

  [[nodiscard]] Timestamp last_timestamp() const { return last_ ? last_->timestamp : no_timestamp; }

 private:
  [[nodiscard]] bool concerns(ByteView entry, const CheckedBatch& batch) const override;
  [[nodiscard]] std::string look_at(ByteView entry) override;
  void compare(ByteView entry, const CheckedBatch* batch) override;

  std::optional<TimestampOffset> last_;
};

// Each entry is about a marker that aborts.
class AbortedIndexCheck final : public IndexCheck {
 public:
  AbortedIndexCheck(DumpContext& context, FindingTarget& target, std::string path, IndexRules rules)
      : IndexCheck(context, target, std::move(path), rules, transaction_index_entry_bytes) {}

  // After see(): whether this marker, the last one, has an entry of a transaction that begins early
  // enough.
  [[nodiscard]] bool has(Offset marker, Offset transaction_start) const {
    return found_ && found_->last_offset == marker && found_->first_offset <= transaction_start;
  }

 private:
  [[nodiscard]] bool concerns(ByteView entry, const CheckedBatch& batch) const override;
  [[nodiscard]] std::string look_at(ByteView entry) override;
  void compare(ByteView entry, const CheckedBatch* batch) override;

  std::optional<AbortedTransaction> last_;
  std::optional<AbortedTransaction> found_;
};

}  // namespace millrace::storage
