// Files on a simulated disk, as one simulated process sees them.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.runtime:simulated_file_system;

import millrace.base;
import :executor;
import :file_system;
import :random;
import :simulated_contents;
import :simulated_disk;
import :simulated_faults;
import :simulated_tree;

export namespace millrace {

// When operations end.
enum class SimulatedCompletion : std::uint8_t {
  immediate,  // before co_await returns, without suspension
  posted,     // in a later turn of the executor, in any order
  mixed       // either, at random
};

struct SimulatedFileOptions {
  std::uint64_t seed = 1;
  SimulatedCompletion completion = SimulatedCompletion::mixed;
  // How likely an operation takes simulated time, and at most how much; with immediate completion
  // too.
  double slow = 0;
  Duration slow_max = std::chrono::milliseconds(100);
  std::size_t open_files_max = 100'000;
};

// One process's view of a disk: its open files and its operations in flight. An operation that does
// not end at once has its effect at its start or at its end, as the seed says. Dies with the power,
// or by kill(): then every operation in flight ends with IoFault::failed in a later turn, and every
// new one at once. Owned by the test; goes before the disk and the executor, and after its last
// operation has ended. A process may have several on one disk.
class SimulatedFileSystem final : public FileSystem {
 public:
  SimulatedFileSystem(SimulatedDisk& disk, Executor& executor, SimulatedFileOptions options = {});
  ~SimulatedFileSystem() override;

  [[nodiscard]] bool start(IoOperation& operation) override;
  [[nodiscard]] int descriptor(FileHandle) const override { return -1; }

  // The process dies and the machine goes on: nothing that was written is lost.
  void kill(std::uint64_t seed);
  [[nodiscard]] bool alive() const { return alive_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  [[nodiscard]] std::size_t open_files() const { return open_files_; }

 private:
  friend class SimulatedDisk;

  // An operation between its start and its end, and how the executor comes back to it.
  struct Flight;
  struct OpenFile {
    simulated::NodePtr node;  // null: the place is free
    std::string path;         // when it was opened
    std::uint32_t generation = 0;
    bool writable = false;
  };

  using Fault = std::optional<SimulatedFaults::Injected>;

  bool fail(IoOperation& operation, int error, std::size_t done = 0);
  [[nodiscard]] bool begin_step(IoOperation& operation);
  [[nodiscard]] Fault next_fault(const IoOperation& operation);
  [[nodiscard]] Flight& depart(IoOperation& operation, const Fault& fault);
  void depart_posted(Flight& flight);
  void arrive_posted(Flight& flight);
  void arrive(Flight& flight);
  void die(Random& random);

  void perform(IoOperation& operation, const Fault& fault);
  void perform_with_fault(IoOperation& operation, const SimulatedFaults::Injected& fault);
  void perform_on_file(IoOperation& operation, OpenFile& file);
  void perform_on_path(IoOperation& operation);
  void perform_in_part(IoOperation& operation, const Fault& fault, Random& random);
  void open_path(IoOperation& operation);
  void write_pieces(IoOperation& operation, OpenFile& file, std::size_t limit);
  void list_entries(IoOperation& operation, const simulated::Node& directory);
  void close_file(OpenFile& file);
  void close_all();

  [[nodiscard]] OpenFile* find(FileHandle file);
  [[nodiscard]] FileHandle handle_of(std::size_t place) const;
  [[nodiscard]] std::string_view path_of(const IoOperation& operation);

  SimulatedDisk& disk_;
  Executor& executor_;
  SimulatedFileOptions options_;
  Random random_;
  bool alive_ = true;
  std::vector<OpenFile> files_;
  std::vector<std::size_t> free_places_;
  std::size_t open_files_ = 0;
  std::vector<std::unique_ptr<Flight>> flights_;
  std::vector<Flight*> free_flights_;
  std::vector<Flight*> posted_;
  std::size_t in_flight_ = 0;
};

}  // namespace millrace
