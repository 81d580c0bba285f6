// Which operations on a simulated disk fail, and how: as planned by a test, and at random.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.runtime:simulated_faults;

import millrace.base;
import :file_system;
import :random;

export namespace millrace {

// Some operations that will fail.
struct PlannedFault {
  static constexpr std::uint64_t always = std::numeric_limits<std::uint64_t>::max();

  IoKind kind = IoKind::write;
  IoFault fault = IoFault::failed;
  std::string path_part = {};  // only paths that contain this
  std::uint64_t after = 0;     // this many of them succeed first
  std::uint64_t times = 1;     // then this many fail
  // For writes: how many bytes are in the file all the same; chosen at random if it is not said.
  std::optional<std::size_t> done = std::nullopt;
};

// How likely an operation fails that no plan names.
struct FaultRates {
  double read = 0;      // IoFault::failed
  double write = 0;     // IoFault::failed, with a part of it in the file
  double sync = 0;      // of a file or directory: IoFault::failed
  double no_space = 0;  // of writes, with a part of it in the file
  double open = 0;      // IoFault::too_many_open
  double change = 0;    // of names and sizes, which stay as they are: IoFault::failed

  friend bool operator==(const FaultRates&, const FaultRates&) = default;
};

// Part of a SimulatedDisk. A failed sync of a file may have given its dirty pages up: reads then
// show the new bytes or again the old ones, and a later sync that succeeds does not save them.
class SimulatedFaults {
 public:
  void plan(PlannedFault fault) { planned_.push_back(Plan{std::move(fault), 0}); }
  // No operation fails any more.
  void clear();

  FaultRates rates;

  // How many operations have been made to fail, so that a test can show that its faults took place.
  [[nodiscard]] std::uint64_t injected() const { return injected_; }
  [[nodiscard]] std::uint64_t injected(IoKind kind) const {
    return injected_of_[static_cast<std::size_t>(kind)];
  }

  // For the file system: whether any operation can fail, and what befalls this one.
  [[nodiscard]] bool active() const { return !planned_.empty() || rates != FaultRates{}; }
  struct Injected {
    IoFault fault = IoFault::failed;
    std::optional<std::size_t> done;
  };
  [[nodiscard]] std::optional<Injected> next(IoKind kind, std::string_view path, Random& random);

 private:
  struct Plan {
    PlannedFault fault;
    std::uint64_t seen = 0;  // operations that it is about
  };
  [[nodiscard]] std::optional<Injected> planned(IoKind kind, std::string_view path);
  [[nodiscard]] std::optional<Injected> at_random(IoKind kind, Random& random) const;

  std::vector<Plan> planned_;
  std::uint64_t injected_ = 0;
  std::array<std::uint64_t, io_kinds> injected_of_{};
};

}  // namespace millrace
