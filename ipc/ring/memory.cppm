// Memory that two processes share: a memfd, which lives as long as somebody has it open or mapped.
module;
#include <cstddef>
#include <cstdint>

export module millrace.ipc.ring:memory;

import millrace.base;

export namespace millrace::ipc {

// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { close(); }

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }
  [[nodiscard]] int release();
  void close();

 private:
  int number_ = -1;
};

enum class MemoryAccess : std::uint8_t { read_only, read_write };

// A mapping of a whole memfd, unmapped with its owner. Safe from any thread; what is in it is the
// users' matter.
class SharedMemory {
 public:
  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  // Makes a memory of zeros whose pages are there, so that none is found missing when it is used.
  // It is mapped as asked. Its size cannot be changed by anybody. Where `peers_write` is false
  // nobody but this mapping can ever write it.
  struct Made;
  [[nodiscard]] static Result<Made> make(const char* name, std::size_t bytes, MemoryAccess access,
                                         bool peers_write);
  // Maps what another process made. Refuses a memory that is smaller, or that could become so: to
  // touch it would then end this process.
  [[nodiscard]] static Result<SharedMemory> map(int descriptor, std::size_t bytes,
                                                MemoryAccess access);

  [[nodiscard]] ByteView bytes() const { return {data_, size_}; }
  // Of a read_write mapping.
  [[nodiscard]] MutableBytes writable_bytes() const { return {data_, size_}; }

 private:
  SharedMemory(std::byte* data, std::size_t size) : data_(data), size_(size) {}

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

struct SharedMemory::Made {
  Descriptor descriptor;
  SharedMemory memory;
};

}  // namespace millrace::ipc
