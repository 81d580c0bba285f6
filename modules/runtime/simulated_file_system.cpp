module;
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.runtime;

namespace millrace {
namespace {

using simulated::NodePtr;
using simulated::Tree;

// A handle is the place of the open file and, above it, how often the place was used before: a
// handle that was closed is not taken for the next file.
constexpr std::uint32_t place_bits = 20;
constexpr std::uint32_t generations = 1U << 11;
constexpr std::size_t places_max = std::size_t{1} << place_bits;

[[nodiscard]] bool is_step(const IoOperation& operation) {
  switch (operation.kind_) {
    case IoKind::open:
      return operation.mode_ != OpenMode::read && operation.mode_ != OpenMode::read_write;
    case IoKind::write:
    case IoKind::sync_data:
    case IoKind::set_size:
    case IoKind::punch:
    case IoKind::set_time:
    case IoKind::rename:
    case IoKind::remove:
    case IoKind::make_directory:
    case IoKind::remove_directory:
    case IoKind::sync_directory:
      return true;
    case IoKind::close:
    case IoKind::read:
    case IoKind::read_in:
    case IoKind::status:
    case IoKind::file_size:
    case IoKind::list:
    case IoKind::lock:
    case IoKind::free_bytes:
      return false;
  }
  return false;
}

}  // namespace

struct SimulatedFileSystem::Flight {
  struct Posted : Callback {
    explicit Posted(Flight& f)
        : Callback([](Callback& self) {
            Flight& flight = static_cast<Posted&>(self).flight;
            flight.system.arrive_posted(flight);
          }),
          flight(f) {}
    Flight& flight;
  };
  struct Delayed : Timer {
    explicit Delayed(Flight& f)
        : Timer([](Timer& self) {
            Flight& flight = static_cast<Delayed&>(self).flight;
            flight.system.arrive(flight);
          }),
          flight(f) {}
    Flight& flight;
  };
  struct Load {
    IoOperation* operation = nullptr;
    Fault fault;
    bool performed = false;
  };

  explicit Flight(SimulatedFileSystem& s) : system(s), posted(*this), delayed(*this) {}

  SimulatedFileSystem& system;
  Posted posted;
  Delayed delayed;
  Load load;
  std::size_t place = 0;  // among the posted ones
};

SimulatedFileSystem::SimulatedFileSystem(SimulatedDisk& disk, Executor& executor,
                                         SimulatedFileOptions options)
    : disk_(disk), executor_(executor), options_(options), random_(options.seed) {
  check(options.open_files_max <= places_max, "a handle has room for every open file");
  disk_.mounted_.push_back(this);
}

SimulatedFileSystem::~SimulatedFileSystem() {
  check(in_flight_ == 0, "a file system outlives its operations");
  close_all();
  std::erase(disk_.mounted_, this);
}

bool SimulatedFileSystem::fail(IoOperation& operation, int error, std::size_t done) {
  operation.failed_ = true;
  operation.error_ = IoError{fault_of(error), error, name_of(operation.kind_), done};
  return true;
}

// Counts the step and lets the power go away before or in the middle of it. True if the operation
// has then departed and will fail.
bool SimulatedFileSystem::begin_step(IoOperation& operation) {
  ++disk_.steps_;
  if (disk_.before_step) {
    disk_.before_step(SimulatedStep{disk_.steps_, operation.kind_, path_of(operation)});
  }
  if (!alive_ || disk_.steps_ != disk_.cut_step_) return false;
  depart_posted(depart(operation, std::nullopt));
  disk_.power_cut(disk_.cut_seed_);
  return true;
}

SimulatedFileSystem::Fault SimulatedFileSystem::next_fault(const IoOperation& operation) {
  if (!disk_.faults_.active()) return std::nullopt;
  return disk_.faults_.next(operation.kind_, path_of(operation), random_);
}

bool SimulatedFileSystem::start(IoOperation& operation) {
  if (alive_ && is_step(operation) && begin_step(operation)) return false;
  if (!alive_) return fail(operation, EIO);
  const Fault fault = next_fault(operation);
  const bool slow = random_.chance(options_.slow);
  const bool at_once = options_.completion == SimulatedCompletion::immediate ||
                       (options_.completion == SimulatedCompletion::mixed && random_.chance(0.5));
  if (at_once && !slow) {
    perform(operation, fault);
    return true;
  }
  Flight& flight = depart(operation, fault);
  if (random_.chance(0.5)) {
    perform(operation, fault);
    flight.load.performed = true;
  }
  if (slow) {
    const auto most = static_cast<std::uint64_t>(options_.slow_max.count());
    const Duration delay(static_cast<Duration::rep>(random_.below(most + 1)));
    executor_.arm(flight.delayed, executor_.clock().now() + delay);
  } else {
    depart_posted(flight);
  }
  return false;
}

SimulatedFileSystem::Flight& SimulatedFileSystem::depart(IoOperation& operation,
                                                         const Fault& fault) {
  if (free_flights_.empty()) {
    flights_.push_back(std::make_unique<Flight>(*this));
    free_flights_.push_back(flights_.back().get());
  }
  Flight& flight = *free_flights_.back();
  free_flights_.pop_back();
  ++in_flight_;
  flight.load = Flight::Load{&operation, fault, false};
  return flight;
}

void SimulatedFileSystem::depart_posted(Flight& flight) {
  flight.place = posted_.size();
  posted_.push_back(&flight);
  executor_.post(flight.posted);
}

// The executor keeps the order of posting, a file system need not: any of the posted operations
// ends now, in this one's turn.
void SimulatedFileSystem::arrive_posted(Flight& flight) {
  Flight& chosen = *posted_[random_.below(posted_.size())];
  std::swap(chosen.load, flight.load);
  posted_.back()->place = flight.place;
  posted_[flight.place] = posted_.back();
  posted_.pop_back();
  arrive(flight);
}

void SimulatedFileSystem::arrive(Flight& flight) {
  const Flight::Load load = std::exchange(flight.load, Flight::Load{});
  if (!load.performed) perform(*load.operation, load.fault);
  free_flights_.push_back(&flight);
  --in_flight_;
  load.operation->finish();
}

void SimulatedFileSystem::kill(std::uint64_t seed) {
  Random random(seed);
  die(random);
}

void SimulatedFileSystem::die(Random& random) {
  if (!alive_) return;
  alive_ = false;
  for (const std::unique_ptr<Flight>& flight : flights_) {
    Flight::Load& load = flight->load;
    if (load.operation == nullptr) continue;
    if (!load.performed) perform_in_part(*load.operation, load.fault, random);
    load.performed = true;
    load.operation->entries_.clear();
    fail(*load.operation, EIO);
    if (!flight->delayed.armed()) continue;
    executor_.cancel(flight->delayed);
    depart_posted(*flight);
  }
  close_all();
}

FileHandle SimulatedFileSystem::handle_of(std::size_t place) const {
  const std::uint32_t generation = files_[place].generation % generations;
  return FileHandle(
      static_cast<std::int32_t>(generation << place_bits | static_cast<std::uint32_t>(place)));
}

SimulatedFileSystem::OpenFile* SimulatedFileSystem::find(FileHandle file) {
  const auto place = static_cast<std::uint32_t>(file.value()) % places_max;
  if (file.value() < 0 || place >= files_.size()) return nullptr;
  if (files_[place].node == nullptr || handle_of(place) != file) return nullptr;
  return &files_[place];
}

void SimulatedFileSystem::close_file(OpenFile& file) {
  const auto place = static_cast<std::size_t>(&file - files_.data());
  const NodePtr node = std::exchange(file.node, nullptr);
  if (node->lock_system == this && node->lock_file == handle_of(place)) {
    node->lock_system = nullptr;
  }
  --node->handles;
  Tree::update_counted(*node);
  ++file.generation;
  free_places_.push_back(place);
  --open_files_;
}

void SimulatedFileSystem::close_all() {
  for (OpenFile& file : files_) {
    if (file.node != nullptr) close_file(file);
  }
}

std::string_view SimulatedFileSystem::path_of(const IoOperation& operation) {
  if (operation.file_ == no_file) return operation.path_;
  const OpenFile* file = find(operation.file_);
  return file == nullptr ? std::string_view{} : std::string_view(file->path);
}

}  // namespace millrace
