// Transactions, as operators see and end them.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1 {

// Which transactions are listed.
struct TransactionsFilter {
  std::vector<std::string> states = {};  // "Ongoing", "PrepareCommit", ...; none: all
  std::vector<std::int64_t> producers = {};
  std::optional<std::chrono::milliseconds> running_for = {};  // at least so long
  std::optional<std::string> id_pattern = {};                 // a regular expression (RE2)
};

struct ListedTransaction {
  std::string id;
  std::int64_t producer = -1;
  std::string state;
  std::int32_t coordinator = -1;
};

struct ListedTransactions {
  std::vector<ListedTransaction> transactions;
  std::vector<Error> errors = {};  // of brokers that did not answer: the rest is there all the same
};

struct DescribedTransaction {
  std::string state;
  std::int32_t coordinator = -1;
  std::int64_t producer = -1;
  std::int16_t epoch = -1;
  std::chrono::milliseconds timeout = {};
  std::optional<Timestamp> started = {};  // none: none is under way
  std::vector<TopicPartition> partitions = {};
};

// A transaction that hangs in a partition, as Admin::describe_producers() tells of it.
struct HangingTransaction {
  TopicPartition partition;
  std::int64_t producer = -1;
  std::int16_t epoch = -1;
  std::int32_t coordinator_epoch = -1;
};

struct FencedProducer {
  std::int64_t producer = -1;
  std::int16_t epoch = -1;  // what it was made to be
};

}  // namespace millrace::inline v1
