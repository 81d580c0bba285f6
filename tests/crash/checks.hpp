// Holds a log against its model, and its indexes against its batches.
#pragma once

#include "machine.hpp"
#include "model.hpp"

namespace millrace::storage::crash {

// All batches in the files of the log, whose indexes are checked on the way: each entry of each
// index says what is true of the log file, and no entry is missing.
[[nodiscard]] Found found_in(Machine& machine);

// After found_in(): reads through the log as clients do, by offset and by time, and compares all
// else that it knows: epochs, producers, aborted transactions.
class Comparison {
 public:
  Comparison(Machine& machine, Model& model, Random& random)
      : machine_(machine), model_(model), random_(random) {}

  void read_from_the_start();
  void find_offsets(std::size_t times);
  void find_times(std::size_t times);
  void compare_epochs();
  void compare_producers();
  void compare_transactions(const Found& found);
  // They are just these.
  void require_producers(const std::vector<ProducerSnapshotEntry>& right,
                         const std::string& when) const;
  void compare_all(const Found& found);

 private:
  struct Read {
    Offset base = no_offset;
    Bytes bytes;
    std::string problem;
  };
  [[nodiscard]] Task<Read> read(Offset offset, Offset up_to, std::uint64_t bytes_max);
  [[nodiscard]] std::optional<TimestampOffset> first_at(Timestamp timestamp) const;
  [[nodiscard]] std::optional<Offset> first_left(const AbortedTransaction& transaction) const;
  [[nodiscard]] bool are_aborted(const std::vector<AbortedTransaction>& found) const;
  [[nodiscard]] std::vector<AbortedTransaction> from_the_start(
      std::vector<AbortedTransaction> transactions) const;

  Machine& machine_;
  Model& model_;
  Random& random_;
};

}  // namespace millrace::storage::crash
