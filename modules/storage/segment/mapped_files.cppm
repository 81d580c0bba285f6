// A bounded number of mapped files for any number of segments.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>

export module millrace.storage.segment:mapped_files;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import :open_files;

export namespace millrace::storage {

// A shard's part of the 65,530 mappings that Linux grants a process by default.
inline constexpr std::size_t mapped_files_max_default = 4096;

// Maps index files when they are searched and gives those up that were not used for the longest
// time. One for each shard; belongs to its thread and outlives the mappings.
class MappedFiles {
 public:
  // The place of one file's mapping, with or without one. A member of whoever searches the file.
  class Mapping {
   public:
    Mapping() = default;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() {
      if (owner_ != nullptr) owner_->unmap(*this);
    }

    // What is mapped; empty if nothing is. Valid until the coroutine that asks suspends.
    [[nodiscard]] ByteView bytes() {
      if (owner_ != nullptr) owner_->used(*this);
      return bytes_;
    }

   private:
    friend class MappedFiles;
    ByteView bytes_;
    MappedFiles* owner_ = nullptr;
    Mapping* newer_ = nullptr;
    Mapping* older_ = nullptr;
  };

  MappedFiles(FileSystem& files, OpenFiles& open_files,
              std::size_t mapped_max = mapped_files_max_default)
      : files_(files), open_files_(open_files), mapped_max_(mapped_max) {}
  MappedFiles(const MappedFiles&) = delete;
  MappedFiles& operator=(const MappedFiles&) = delete;
  ~MappedFiles();

  // Maps the first `length` bytes of the file, at least one, instead of what is mapped there. The
  // file has them: else StorageFault::corrupt.
  [[nodiscard]] Task<StorageResult<void>> map(Mapping& mapping, std::string path,
                                              std::size_t length);

  // Before the file becomes shorter or is replaced.
  void unmap(Mapping& mapping);

  [[nodiscard]] std::size_t mapped() const { return mapped_; }

 private:
  void used(Mapping& mapping);
  void link(Mapping& mapping);
  void unlink(Mapping& mapping);

  FileSystem& files_;
  OpenFiles& open_files_;
  std::size_t mapped_max_;
  std::size_t mapped_ = 0;
  Mapping* newest_ = nullptr;
  Mapping* oldest_ = nullptr;
};

}  // namespace millrace::storage
