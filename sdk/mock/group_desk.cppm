// Where the groups of the mock are. Inside this module only.
module;
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

module millrace.mock:group_desk;

import millrace.base;
import millrace.groups;
import millrace.runtime;
import :options;
import :waiting;

namespace millrace::mock {

// Asks the groups of the whole cluster, which are those of the real coordinator, and waits for what
// they answer. What they want written counts as written at once. On the cluster's executor.
class GroupDesk {
 public:
  GroupDesk(Executor& executor, const Options& options);
  GroupDesk(const GroupDesk&) = delete;
  GroupDesk& operator=(const GroupDesk&) = delete;
  ~GroupDesk();

  // Nothing where the connection ends first.
  [[nodiscard]] Task<std::optional<groups::Reply>> ask(groups::Request request, Waiting& waiting);

 private:
  struct Tick : Timer {
    explicit Tick(GroupDesk& d)
        : Timer([](Timer& self) { static_cast<Tick&>(self).desk.tick(); }), desk(d) {}
    GroupDesk& desk;
  };
  struct Open {
    Waiting& waiting;
    std::optional<groups::Reply> reply;
  };

  [[nodiscard]] groups::Now now() const;
  void tick();
  void carry_out(groups::Effects effects);

  Executor& executor_;
  groups::Coordinator coordinator_;
  std::map<groups::RequestId, Open*> open_;
  std::uint64_t asked_ = 0;
  Tick tick_{*this};
};

}  // namespace millrace::mock
