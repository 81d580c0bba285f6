// What each operation does to the simulated disk. When it does it is decided in
// simulated_file_system.cpp.
module;
#include <algorithm>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
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

[[nodiscard]] int number_of(IoFault fault) {
  switch (fault) {
    case IoFault::not_found:
      return ENOENT;
    case IoFault::already_exists:
      return EEXIST;
    case IoFault::no_space:
      return ENOSPC;
    case IoFault::failed:
      return EIO;
    case IoFault::denied:
      return EACCES;
    case IoFault::too_many_open:
      return EMFILE;
    case IoFault::locked:
      return EWOULDBLOCK;
    case IoFault::not_empty:
      return ENOTEMPTY;
    case IoFault::invalid:
      return EINVAL;
  }
  return EIO;
}

[[nodiscard]] std::size_t total_size(std::span<const ByteView> pieces) {
  std::size_t size = 0;
  for (const ByteView piece : pieces) size += piece.size();
  return size;
}

}  // namespace

void SimulatedFileSystem::perform(IoOperation& operation, const Fault& fault) {
  if (fault) {
    perform_with_fault(operation, *fault);
    return;
  }
  switch (operation.kind_) {
    case IoKind::close:
    case IoKind::read:
    case IoKind::read_in:
    case IoKind::write:
    case IoKind::sync_data:
    case IoKind::set_size:
    case IoKind::punch:
    case IoKind::set_time:
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

void SimulatedFileSystem::perform_with_fault(IoOperation& operation,
                                             const SimulatedFaults::Injected& fault) {
  OpenFile* file = find(operation.file_);
  std::size_t done = 0;
  if (file != nullptr) {
    if (operation.kind_ == IoKind::close) close_file(*file);
    if (operation.kind_ == IoKind::sync_data && fault.fault == IoFault::failed) {
      file->node->contents.fail_sync();
    }
    if (operation.kind_ == IoKind::write && file->writable) {
      const std::size_t total = total_size(operation.pieces_);
      done = std::min(fault.done.value_or(random_.below(total + 1)), total);
      write_pieces(operation, *file, done);
      if (operation.failed_) return;
    }
  }
  fail(operation, number_of(fault.fault), done);
}

// What an operation in flight may have done before the process died.
void SimulatedFileSystem::perform_in_part(IoOperation& operation, const Fault& fault,
                                          Random& random) {
  if (random.chance(0.5)) {
    perform(operation, fault);
    return;
  }
  OpenFile* file = find(operation.file_);
  if (operation.kind_ != IoKind::write || file == nullptr || !file->writable) return;
  write_pieces(operation, *file, random.below(total_size(operation.pieces_) + 1));
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
    case IoKind::read_in:
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
        contents.set_modified(executor_.clock().wall_now());
      }
      return;
    case IoKind::punch:
      contents.punch(operation.position_, operation.length_);
      contents.set_modified(executor_.clock().wall_now());
      return;
    case IoKind::set_time:
      contents.set_time(operation.time_);
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
  if (total > simulated::file_size_max || operation.position_ > simulated::file_size_max - total) {
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
  if (done > 0) contents.set_modified(executor_.clock().wall_now());
  if (room < std::min(total, limit)) fail(operation, ENOSPC, done);
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
        operation.status_ = FileStatus{place.node->contents.size(), place.node->kind,
                                       place.node->contents.modified()};
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
    if (error == 0 && open_files_ >= options_.open_files_max) error = EMFILE;
  }
  if (error != 0) {
    fail(operation, error);
    return;
  }
  const NodePtr node =
      place.node != nullptr ? place.node : disk_.tree_.make(place, EntryKind::file);
  const Timestamp now = executor_.clock().wall_now();
  if (place.node == nullptr) node->contents.set_made(now);
  if (mode == OpenMode::create_truncated) {
    node->contents.set_size(0);
    node->contents.set_modified(now);
  }
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

}  // namespace millrace
