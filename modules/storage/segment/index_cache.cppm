// A bounded part of all index files in memory.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

export module millrace.storage.segment:index_cache;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import :batch_spans;
import :open_files;

export namespace millrace::storage {

inline constexpr std::size_t index_page_bytes_max = 4 * kibibyte;
// Of a shard: the places that thousands of readers look at, or some indexes as a whole.
inline constexpr std::size_t index_cache_bytes_default = 16 * mebibyte;
// One part of so many is for the spans of batches.
inline constexpr std::size_t batch_spans_part = 8;

// Reads pages of index files when they are searched and forgets all pages of the indexes that were
// not used for the longest time. Of an index that is searched it also knows the first entry of each
// page, so that a search reads one page. Read, not mapped: a page that the device cannot give is an
// error of the read that asked for it, and not the end of the process. One for each shard; belongs
// to its thread and outlives the places.
class IndexCache {
 public:
  class Place;

 private:
  struct Page {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
  };
  struct Held {
    std::vector<std::byte> firsts;  // the first entry of each page
    std::vector<Page> pages;
    std::size_t bytes = 0;
    Place* place = nullptr;
    Held* newer = nullptr;
    Held* older = nullptr;
  };

 public:
  // What is known of one index file. A member of whoever searches it.
  class Place {
   public:
    Place() = default;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (owner_ != nullptr) owner_->forget(*this);
    }

    // The first entries of the first pages, one after the other, as far as they are known. Valid,
    // like what page() gives, until the coroutine that asks suspends.
    [[nodiscard]] ByteView firsts() {
      if (held_ == nullptr) return {};
      owner_->used(*held_);
      return held_->firsts;
    }
    // What was read of a page; empty if nothing was.
    [[nodiscard]] ByteView page(std::size_t number) const {
      if (held_ == nullptr || number >= held_->pages.size()) return {};
      const Page& page = held_->pages[number];
      return {page.bytes.get(), page.size};
    }

   private:
    friend class IndexCache;
    std::unique_ptr<Held> held_;
    IndexCache* owner_ = nullptr;
    std::uint64_t forgotten_ = 0;  // how often: what is being read then does not count
  };

  IndexCache(FileSystem& files, OpenFiles& open_files,
             std::size_t bytes_max = index_cache_bytes_default)
      : files_(files),
        open_files_(open_files),
        bytes_max_(bytes_max - bytes_max / batch_spans_part),
        spans_(bytes_max / batch_spans_part) {}
  IndexCache(const IndexCache&) = delete;
  IndexCache& operator=(const IndexCache&) = delete;
  ~IndexCache();

  // Pages hold whole entries.
  [[nodiscard]] static std::size_t page_bytes(std::size_t entry_bytes) {
    return index_page_bytes_max / entry_bytes * entry_bytes;
  }

  // Reads one page of the first `file_bytes` bytes of a file, which it has: else
  // StorageFault::corrupt.
  [[nodiscard]] Task<StorageResult<void>> load_page(Place& place, std::string path,
                                                    std::size_t entry_bytes, std::size_t file_bytes,
                                                    std::size_t number);
  // Reads the first entries of the pages where they are not known yet; likewise.
  [[nodiscard]] Task<StorageResult<void>> load_firsts(Place& place, std::string path,
                                                      std::size_t entry_bytes,
                                                      std::size_t file_bytes);
  // Takes the first entries from the bytes of a file that was read as a whole.
  void take_firsts(Place& place, std::size_t entry_bytes, ByteView file);

  // Before the file becomes shorter or is replaced.
  void forget(Place& place);

  // What is known of the batches that offset indexes have entries for.
  [[nodiscard]] BatchSpans& spans() { return spans_; }

  // What all of it takes.
  [[nodiscard]] std::size_t bytes() const { return bytes_ + spans_.bytes(); }

 private:
  [[nodiscard]] Task<StorageResult<void>> read(std::string path, std::size_t position,
                                               MutableBytes bytes);
  Held& held(Place& place);
  void used(Held& held);
  void link(Held& held);
  void unlink(Held& held);
  void count(Held& held);

  FileSystem& files_;
  OpenFiles& open_files_;
  std::size_t bytes_max_;  // of pages
  std::size_t bytes_ = 0;  // likewise
  BatchSpans spans_;
  Held* newest_ = nullptr;
  Held* oldest_ = nullptr;
};

}  // namespace millrace::storage
