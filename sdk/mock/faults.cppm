// What goes wrong on purpose: which answers are refused, late, lost or damaged.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

export module millrace.mock:faults;

import millrace.base;
import millrace.protocol.api;

export namespace millrace::mock {

using protocol::ApiKey;
using protocol::ErrorCode;

enum class FaultKind : std::uint8_t {
  error,        // nothing is done, and all that was asked for is refused with Fault::error
  delay,        // done and answered as usual, but only after Fault::delay
  drop_before,  // nothing is done, and the connection breaks
  drop_after,   // done, and the connection breaks instead of an answer
  silence,      // nothing is done and nothing answered; the connection stays
  cut_short,    // done; half of the answer is sent, then the connection breaks
  garbage,      // done; the body of the answer is replaced by as many random bytes
  wrong_id,     // done; the answer names another request
};

// For Fault::times: until it is cleared.
inline constexpr std::uint32_t always = std::numeric_limits<std::uint32_t>::max();

// One thing that goes wrong for requests of one API.
struct Fault {
  ApiKey api = ApiKey::api_versions;
  FaultKind kind = FaultKind::error;
  ErrorCode error = ErrorCode::unknown_server_error;
  Duration delay{};
  std::uint32_t times = 1;
  std::optional<BrokerId> broker = std::nullopt;  // none: any
};

// The faults that are still to come, in the order in which they were planned. A value; one thread.
class Faults {
 public:
  void add(const Fault& fault) {
    if (fault.times > 0) planned_.push_back(fault);
  }
  void clear() { planned_.clear(); }
  void clear(ApiKey api);

  // What happens to one request: the first fault that is no delay, and the first delay.
  struct Chosen {
    std::optional<Fault> fault;
    Duration delay{};
  };
  [[nodiscard]] Chosen take(ApiKey api, BrokerId broker);

  // Those that have not been used up.
  [[nodiscard]] std::size_t count() const { return planned_.size(); }

 private:
  std::vector<Fault> planned_;
};

}  // namespace millrace::mock
