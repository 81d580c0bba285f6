// The transactions of a log, as cleaning has to know them.
module;
#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

export module millrace.storage.cleaner:transactions;

import millrace.base;
import millrace.protocol.batch;
import millrace.storage.index;

export namespace millrace::storage {

// Follows the transactions while the batches of a log are read in order: which records were
// aborted, and whose markers nobody needs any more because no batch of the transaction is left.
// Belongs to one pass of a cleaner. Holds the aborted transactions that begin further on, and an
// entry for each transaction that is open where it stands.
class CleanedTransactions {
 public:
  // Aborted transactions with records in what is read next. What is known already is passed over.
  void expect(std::span<const AbortedTransaction> aborted);

  // Of the next batch with records: whether its transaction was aborted.
  [[nodiscard]] bool is_aborted(const protocol::BatchHeader& batch);
  // Of the next marker: whether the log had no batch of its transaction, so that readers need
  // neither the marker nor the entry in the transaction index. Other control records stay. A marker
  // that aborts what nobody expected to be aborted is control_record_invalid: the transaction index
  // is wrong then, and what was taken for committed is not.
  [[nodiscard]] protocol::BatchResult<bool> is_spent(const protocol::BatchHeader& marker,
                                                     protocol::ControlRecordType type);

  // The aborted transactions whose markers came since the last call and are needed: entries of the
  // transaction index of the cleaned segment.
  [[nodiscard]] std::vector<AbortedTransaction> take_needed() { return std::exchange(needed_, {}); }

 private:
  struct Aborted {
    AbortedTransaction transaction;
    bool has_batches = false;
  };

  void begin_up_to(Offset offset);

  std::map<std::pair<Offset, ProducerId>, AbortedTransaction> coming_;
  std::map<ProducerId, Aborted> aborted_;
  // Those with batches whose end is not known yet, or is a commit.
  std::set<ProducerId> committed_;
  std::vector<AbortedTransaction> needed_;
};

}  // namespace millrace::storage
