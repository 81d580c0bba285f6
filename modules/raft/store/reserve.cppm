// Space that is kept for the moment when a disk is full.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

export module millrace.raft.store:reserve;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;

export namespace millrace::raft {

inline constexpr std::string_view reserve_name = "reserve";

// A file of zeros in the directory. One call at a time, on the shard of `files`.
class Reserve {
 public:
  // 0 bytes: there is none, and none is wanted.
  Reserve(FileSystem& files, std::string directory, std::uint64_t bytes);

  // Takes over what is there, or removes what has another size.
  [[nodiscard]] Task<storage::StorageResult<void>> find();
  // Makes it where it lacks. StorageFault::no_space when less than twice its size is free: it takes
  // no room that is needed now.
  [[nodiscard]] Task<storage::StorageResult<void>> make();
  // Gives the space back; whether there was any.
  [[nodiscard]] Task<storage::StorageResult<bool>> release();

  [[nodiscard]] bool held() const { return held_; }

 private:
  [[nodiscard]] Task<storage::StorageResult<void>> fill(FileHandle file);

  FileSystem& files_;
  std::string directory_;
  std::string path_;
  std::string temporary_;
  std::uint64_t bytes_;
  bool held_ = false;
};

}  // namespace millrace::raft
