module;
#include <algorithm>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.runtime;

namespace millrace {
namespace {

using simulated::Contents;
using simulated::Node;
using simulated::NodePtr;
using simulated::Place;
using simulated::Tree;

// A handle is the place of the open file and, above it, how often the place was used before: a
// handle that was closed is not taken for the next file.
constexpr std::uint32_t place_bits = 20;
constexpr std::uint32_t generations = 1U << 11;
constexpr std::size_t open_files_max = std::size_t{1} << place_bits;

[[nodiscard]] bool is_step(const IoOperation& operation) {
  switch (operation.kind_) {
    case IoKind::open:
      return operation.mode_ != OpenMode::read && operation.mode_ != OpenMode::read_write;
    case IoKind::write:
    case IoKind::sync_data:
    case IoKind::set_size:
    case IoKind::punch:
    case IoKind::rename:
    case IoKind::remove:
    case IoKind::make_directory:
    case IoKind::remove_directory:
    case IoKind::sync_directory:
      return true;
    case IoKind::close:
    case IoKind::read:
    case IoKind::status:
    case IoKind::file_size:
    case IoKind::list:
    case IoKind::lock:
    case IoKind::free_bytes:
      return false;
  }
  return false;
}

[[nodiscard]] std::size_t total_size(std::span<const ByteView> pieces) {
  std::size_t size = 0;
  for (const ByteView piece : pieces) size += piece.size();
  return size;
}

}  // namespace

struct SimulatedFileSystem::Flight {
  struct Posted : Callback {
    explicit Posted(Flight& f)
        : Callback([](Callback& self) {
            Flight& flight = static_cast<Posted&>(self).flight;
            flight.system.arrive(flight);
          }),
          flight(f) {}
    Flight& flight;
  };

  explicit Flight(SimulatedFileSystem& s) : system(s), posted(*this) {}

  SimulatedFileSystem& system;
  Posted posted;
  IoOperation* operation = nullptr;
  bool performed = false;
};

SimulatedFileSystem::SimulatedFileSystem(SimulatedDisk& disk, Executor& executor,
                                         SimulatedFileOptions options)
    : disk_(disk), executor_(executor), options_(options), random_(options.seed) {
  disk_.mounted_.push_back(this);
}

SimulatedFileSystem::~SimulatedFileSystem() {
  check(in_flight_ == 0, "a file system outlives its operations");
  close_all();
  for (auto& [data, mapping] : mappings_) mapping.node->contents.remove_mapping(data);
  std::erase(disk_.mounted_, this);
}

bool SimulatedFileSystem::fail(IoOperation& operation, int error, std::size_t done) {
  operation.failed_ = true;
  operation.error_ = IoError{fault_of(error), error, name_of(operation.kind_), done};
  return true;
}

bool SimulatedFileSystem::start(IoOperation& operation) {
  if (!alive_) return fail(operation, EIO);
  if (is_step(operation)) {
    const bool cut = disk_.begin_step(operation.kind_, path_of(operation));
    if (!alive_) return fail(operation, EIO);
    if (cut) {
      depart(operation);
      disk_.power_cut(disk_.cut_seed_);
      return false;
    }
  }
  const bool at_once = options_.completion == SimulatedCompletion::immediate ||
                       (options_.completion == SimulatedCompletion::mixed && random_.chance(0.5));
  if (at_once) {
    perform(operation);
    return true;
  }
  depart(operation);
  return false;
}

// The operation will end in a later turn; whether its effect comes now or then is open.
void SimulatedFileSystem::depart(IoOperation& operation) {
  if (free_flights_.empty()) {
    flights_.push_back(std::make_unique<Flight>(*this));
    free_flights_.push_back(flights_.back().get());
  }
  Flight& flight = *free_flights_.back();
  free_flights_.pop_back();
  ++in_flight_;
  flight.operation = &operation;
  flight.performed = false;
  posted_.push_back(&flight);
  executor_.post(flight.posted);
}

// One of the posted operations ends: any of them, since no order is promised.
void SimulatedFileSystem::arrive(Flight& flight) {
  const std::size_t place = random_.below(posted_.size());
  Flight& chosen = *posted_[place];
  std::swap(chosen.operation, flight.operation);
  std::swap(chosen.performed, flight.performed);
  std::erase(posted_, &flight);
  IoOperation& operation = *std::exchange(flight.operation, nullptr);
  if (!flight.performed) perform(operation);
  free_flights_.push_back(&flight);
  --in_flight_;
  operation.finish();
}

void SimulatedFileSystem::perform(IoOperation& operation) {
  switch (operation.kind_) {
    case IoKind::close:
    case IoKind::read:
    case IoKind::write:
    case IoKind::sync_data:
    case IoKind::set_size:
    case IoKind::punch:
    case IoKind::file_size:
    case IoKind::lock:
      if (OpenFile* file = find(operation.file_); file != nullptr) {
        perform_on_file(operation, *file);
      } else {
        fail(operation, EBADF);
      }
      return;
    case IoKind::open:
    case IoKind::status:
    case IoKind::rename:
    case IoKind::remove:
    case IoKind::make_directory:
    case IoKind::remove_directory:
    case IoKind::list:
    case IoKind::sync_directory:
    case IoKind::free_bytes:
      perform_on_path(operation);
  }
}

void SimulatedFileSystem::perform_on_file(IoOperation& operation, OpenFile& file) {
  Contents& contents = file.node->contents;
  const bool changes = operation.kind_ == IoKind::write || operation.kind_ == IoKind::set_size ||
                       operation.kind_ == IoKind::punch;
  if (changes && !file.writable) {
    fail(operation, EBADF);
    return;
  }
  switch (operation.kind_) {
    case IoKind::close:
      close_file(file);
      return;
    case IoKind::read:
      operation.value_ = contents.read(operation.position_, operation.buffer_);
      return;
    case IoKind::write:
      write_pieces(operation, file, total_size(operation.pieces_));
      return;
    case IoKind::sync_data:
      contents.sync();
      return;
    case IoKind::set_size:
      if (operation.position_ > simulated::file_size_max) {
        fail(operation, EFBIG);
      } else {
        contents.set_size(operation.position_);
      }
      return;
    case IoKind::punch:
      contents.punch(operation.position_, operation.length_);
      return;
    case IoKind::file_size:
      operation.value_ = contents.size();
      return;
    case IoKind::lock: {
      Node& node = *file.node;
      if (node.lock_system == nullptr) {
        node.lock_system = this;
        node.lock_file = operation.file_;
      } else if (node.lock_system != this || node.lock_file != operation.file_) {
        fail(operation, EWOULDBLOCK);
      }
      return;
    }
    default:
      check(false, "an operation on a file");
  }
}

// At most `limit` bytes of what was asked for; fails when there is no space for all of it.
void SimulatedFileSystem::write_pieces(IoOperation& operation, OpenFile& file, std::size_t limit) {
  Contents& contents = file.node->contents;
  const std::size_t total = total_size(operation.pieces_);
  if (operation.position_ > simulated::file_size_max - total) {
    fail(operation, EFBIG);
    return;
  }
  const std::size_t room = contents.room(operation.position_, total);
  std::size_t left = std::min(room, limit);
  const std::size_t done = left;
  std::uint64_t position = operation.position_;
  for (const ByteView piece : operation.pieces_) {
    const std::size_t length = std::min(left, piece.size());
    contents.write(position, piece.first(length));
    position += length;
    left -= length;
  }
  if (room < total) fail(operation, ENOSPC, done);
}

void SimulatedFileSystem::perform_on_path(IoOperation& operation) {
  Tree& tree = disk_.tree_;
  const std::string_view path = operation.path_;
  int error = 0;
  switch (operation.kind_) {
    case IoKind::open:
      open_path(operation);
      return;
    case IoKind::rename:
      error = tree.rename(path, operation.second_path_);
      break;
    case IoKind::remove:
      error = tree.remove(path, EntryKind::file);
      break;
    case IoKind::remove_directory:
      error = tree.remove(path, EntryKind::directory);
      break;
    case IoKind::sync_directory:
      error = tree.sync(path);
      break;
    default: {
      const Place place = tree.find(path);
      error = place.error;
      if (error != 0) break;
      if (operation.kind_ == IoKind::make_directory) {
        error = place.node != nullptr ? EEXIST : 0;
        if (error == 0) tree.make(place, EntryKind::directory);
      } else if (place.node == nullptr) {
        error = ENOENT;
      } else if (operation.kind_ == IoKind::status) {
        operation.status_ = FileStatus{place.node->contents.size(), place.node->kind};
      } else if (operation.kind_ == IoKind::free_bytes) {
        const simulated::Storage& storage = disk_.storage_;
        operation.value_ = (storage.pages_max - std::min(storage.pages_max, storage.pages_used)) *
                           simulated::page_size;
      } else if (place.node->kind != EntryKind::directory) {
        error = ENOTDIR;
      } else {
        list_entries(operation, *place.node);
      }
    }
  }
  if (error != 0) fail(operation, error);
}

// In any order, as real directories are.
void SimulatedFileSystem::list_entries(IoOperation& operation, const Node& directory) {
  std::vector<DirectoryEntry>& entries = operation.entries_;
  for (const auto& [name, entry] : directory.entries) {
    if (entry.now == nullptr) continue;
    entries.push_back(DirectoryEntry{name, entry.now->kind});
    std::swap(entries.back(), entries[random_.below(entries.size())]);
  }
}

void SimulatedFileSystem::open_path(IoOperation& operation) {
  const OpenMode mode = operation.mode_;
  const bool makes = mode != OpenMode::read && mode != OpenMode::read_write;
  const Place place = disk_.tree_.find(operation.path_);
  int error = place.error;
  if (error == 0) {
    if (place.node == nullptr && !makes) error = ENOENT;
    if (place.node != nullptr && mode == OpenMode::create_new) error = EEXIST;
    if (error == 0 && place.node != nullptr && place.node->kind == EntryKind::directory) {
      error = EISDIR;
    }
    if (error == 0 && open_files_ == open_files_max) error = EMFILE;
  }
  if (error != 0) {
    fail(operation, error);
    return;
  }
  const NodePtr node =
      place.node != nullptr ? place.node : disk_.tree_.make(place, EntryKind::file);
  if (mode == OpenMode::create_truncated) node->contents.set_size(0);
  if (free_places_.empty()) {
    free_places_.push_back(files_.size());
    files_.emplace_back();
  }
  const std::size_t at = free_places_.back();
  free_places_.pop_back();
  OpenFile& file = files_[at];
  file.node = node;
  file.path = operation.path_;
  file.writable = mode != OpenMode::read;
  ++node->handles;
  ++open_files_;
  operation.value_ = static_cast<std::uint64_t>(handle_of(at).value());
}

FileHandle SimulatedFileSystem::handle_of(std::size_t place) const {
  const std::uint32_t generation = files_[place].generation % generations;
  return FileHandle(
      static_cast<std::int32_t>(generation << place_bits | static_cast<std::uint32_t>(place)));
}

SimulatedFileSystem::OpenFile* SimulatedFileSystem::find(FileHandle file) {
  const auto place = static_cast<std::uint32_t>(file.value()) % open_files_max;
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

IoResult<ByteView> SimulatedFileSystem::map(FileHandle file, std::size_t length) {
  const auto error = [](int number) {
    return failure(IoError{fault_of(number), number, "map", 0});
  };
  if (!alive_) return error(EIO);
  OpenFile* open = find(file);
  if (open == nullptr) return error(EBADF);
  if (length == 0 || length > open->node->contents.size()) return error(EINVAL);
  Mapping mapping{open->node, std::make_unique<std::byte[]>(length), length};
  const MutableBytes memory(mapping.memory.get(), length);
  open->node->contents.add_mapping(memory);
  mappings_.emplace(memory.data(), std::move(mapping));
  return ByteView(memory);
}

void SimulatedFileSystem::unmap(ByteView mapping) {
  const auto found = mappings_.find(mapping.data());
  check(found != mappings_.end(), "what is unmapped was mapped");
  found->second.node->contents.remove_mapping(mapping.data());
  mappings_.erase(found);
}

void SimulatedFileSystem::kill(std::uint64_t seed) {
  Random random(seed);
  die(random);
}

// What an operation in flight may have done before the process died.
void SimulatedFileSystem::perform_in_part(IoOperation& operation, Random& random) {
  if (random.chance(0.5)) {
    perform(operation);
    return;
  }
  OpenFile* file = find(operation.file_);
  if (operation.kind_ != IoKind::write || file == nullptr || !file->writable) return;
  write_pieces(operation, *file, random.below(total_size(operation.pieces_) + 1));
}

void SimulatedFileSystem::die(Random& random) {
  if (!alive_) return;
  alive_ = false;
  for (const std::unique_ptr<Flight>& flight : flights_) {
    if (flight->operation == nullptr) continue;
    if (!std::exchange(flight->performed, true)) perform_in_part(*flight->operation, random);
    flight->operation->entries_.clear();
    fail(*flight->operation, EIO);
  }
  close_all();
}

}  // namespace millrace
