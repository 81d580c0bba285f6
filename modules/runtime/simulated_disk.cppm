// A disk that forgets, when power goes away, what a real one may forget. It outlives the file
// systems, and so the processes, that use it.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.runtime:simulated_disk;

import millrace.base;
import :file_system;
import :random;
import :simulated_contents;
import :simulated_faults;
import :simulated_tree;

export namespace millrace {

class SimulatedFileSystem;

// One operation that changes the disk, about to begin.
struct SimulatedStep {
  std::uint64_t number = 0;  // counted from 1 over the life of the disk
  IoKind kind = IoKind::write;
  std::string_view path;
};

// Files, their unsynced changes and the rules of what a power cut leaves of them. For tests: owned
// by the test, one thread; outlives the file systems on it. README.md says what may be lost.
class SimulatedDisk {
 public:
  explicit SimulatedDisk(std::uint64_t seed);
  ~SimulatedDisk();
  SimulatedDisk(const SimulatedDisk&) = delete;
  SimulatedDisk& operator=(const SimulatedDisk&) = delete;

  // Now: every file system of the disk dies, and what was not synced is kept or lost as the seed
  // says. A new SimulatedFileSystem finds what survived.
  void power_cut(std::uint64_t seed);
  // When the step of this number begins: it is then in flight, and may have happened, or in part.
  // Not at all if the number is 0.
  void cut_power_at(std::uint64_t step, std::uint64_t seed);
  [[nodiscard]] std::uint64_t power_cuts() const { return power_cuts_; }

  // The steps so far: operations of the kinds that change the disk or make changes durable.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  // Called before each step; may cut the power.
  std::function<void(const SimulatedStep&)> before_step;

  // What fails, planned and at random.
  [[nodiscard]] SimulatedFaults& faults() { return faults_; }
  // How much all files together may hold, in pages of 4096 bytes; without it, more than any test
  // writes. A write that finds less space than it needs fills what there is.
  void set_capacity(std::uint64_t bytes);

  // All that was done so far becomes durable.
  void sync_all();

  // A bit of a file goes bad, in memory and on the disk. Fails if the file does not reach so far.
  [[nodiscard]] Result<void> flip_bit(std::string_view path, std::uint64_t bit);

  // What a program would read now; nothing if there is no such file.
  [[nodiscard]] std::optional<std::string> contents(std::string_view path) const;

  // The tree with sizes, and what of it is not durable.
  [[nodiscard]] std::string dump() const;

 private:
  friend class SimulatedFileSystem;

  simulated::Storage storage_;
  simulated::Tree tree_;
  SimulatedFaults faults_;
  std::vector<SimulatedFileSystem*> mounted_;
  std::uint64_t steps_ = 0;
  std::uint64_t power_cuts_ = 0;
  std::uint64_t cut_step_ = 0;
  std::uint64_t cut_seed_ = 0;
};

}  // namespace millrace
