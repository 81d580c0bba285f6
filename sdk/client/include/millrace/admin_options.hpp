// What the calls of an Admin have in common.
#pragma once
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/admin_security.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1 {

// What became of each thing that was asked for, in the order of asking. Never one error for all.
template <class Key, class Value>
using Outcomes = std::vector<std::pair<Key, Result<Value>>>;

struct AdminOptions {
  // Of the whole call; default.api.timeout.ms when not given.
  std::optional<std::chrono::milliseconds> timeout = {};
  // What creates or changes is checked, and not done.
  bool validate_only = false;
  // What describes topics, groups or the cluster tells what who asks may do with them.
  bool authorized_operations = false;
  // What describes settings tells what brokers say of each.
  bool documentation = false;
};

// What who asks may do with a thing; none: it was not asked for, or the broker does not tell.
using AuthorizedOperations = std::optional<std::vector<AclOperation>>;

}  // namespace millrace::inline v1
