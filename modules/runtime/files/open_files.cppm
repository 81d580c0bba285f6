// The open files of one shard by their handles.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

export module millrace.runtime.files:open_files;

import millrace.base;
import millrace.runtime;
import :operation_queue;
import :system_calls;
import :write_back;

export namespace millrace::files {

// A handle is a place in the table and, above it, how often the place was used: a handle that was
// closed does not become that of another file.
inline constexpr unsigned place_bits = 16;
inline constexpr std::uint32_t generations = std::uint32_t{1} << (31 - place_bits);
inline constexpr std::size_t open_files_max = std::size_t{1} << place_bits;

struct OpenFile {
  FileHandle handle = no_file;
  int descriptor = -1;
  // Operations that hold the descriptor; it is closed after the last of them.
  std::uint32_t in_flight = 0;
  // Those among them that change the file and may keep others from it.
  std::uint32_t changing = 0;
  bool reads_in_place = true;  // as far as is known
  // The errno of a failed sync or write-back. The kernel tells it once, so that the next sync would
  // succeed although bytes are lost: here every later write, sync and close fails. For the same
  // reason one sync or write-back of a file runs at a time.
  int lost = 0;
  bool syncing = false;
  OperationQueue waiting_syncs;
  OperationQueue synced_together;  // they end with the one that runs
  IoOperation* closing = nullptr;
  // Writes that wait until nothing changes the file, because they would block for it in place.
  OperationQueue waiting;
  WriteBack write_back;

  [[nodiscard]] bool tells_errors() const { return syncing || write_back.running(); }
};

// A table that grows with the most files that were open at a time, up to a limit. Owns descriptors
// of files that nobody closed. Places stay where they are.
class OpenFileTable {
 public:
  explicit OpenFileTable(std::size_t files_max);
  OpenFileTable(const OpenFileTable&) = delete;
  OpenFileTable& operator=(const OpenFileTable&) = delete;
  ~OpenFileTable();

  // Keeps a place for a file that is being opened; false if all are taken.
  [[nodiscard]] bool reserve();
  void cancel_reservation() { --reserved_; }
  // Into a reserved place.
  [[nodiscard]] FileHandle add(int descriptor);

  // Null for a handle that was not given, or is closed or closing.
  [[nodiscard]] OpenFile* find(FileHandle handle);
  [[nodiscard]] const OpenFile* find(FileHandle handle) const;
  // The file of an operation in flight, closing or not.
  [[nodiscard]] OpenFile& get(FileHandle handle);
  // The descriptor is closed: the handle ends.
  void remove(FileHandle handle);

  [[nodiscard]] std::size_t size() const { return open_; }

 private:
  std::size_t files_max_;
  std::deque<OpenFile> places_;
  std::deque<std::uint32_t> free_;  // the one that is free for the longest time first
  std::size_t open_ = 0;
  std::size_t reserved_ = 0;
};

}  // namespace millrace::files
