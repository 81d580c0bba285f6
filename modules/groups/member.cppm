// One member of a group.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

export module millrace.groups:member;

import millrace.base;
import :requests;
import :types;

export namespace millrace::groups {

struct Member {
  std::string id;
  std::optional<std::string> instance_id;  // of a static member
  std::string client_id;
  std::string client_host;
  Milliseconds session_timeout{0};
  Milliseconds rebalance_timeout{0};
  std::vector<Protocol> protocols;  // the one that it likes best first
  OwnedBytes assignment;

  // Requests that wait; the newest of their kind.
  std::optional<RequestId> join;
  std::optional<RequestId> sync;
  bool is_new = false;           // its first join has not been answered
  bool is_pending_sync = false;  // has joined and not yet fetched its assignment
  std::uint64_t order = 0;       // in which members came

  [[nodiscard]] const OwnedBytes* metadata_of(const std::string& protocol) const;
  [[nodiscard]] std::size_t bytes() const;  // that it takes, about
};

[[nodiscard]] Member member_of(const JoinRequest& request, std::string id);
[[nodiscard]] std::size_t bytes_of(const std::vector<Protocol>& protocols);

}  // namespace millrace::groups
