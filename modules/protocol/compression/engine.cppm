// What the codecs have in common, inside this module: the memory that the libraries work in, and
// one interface each for compressing and decompressing. Every codec has a file of its own that
// implements them.
module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

module millrace.protocol.compression:engine;

import :codec;
import :decompressor;
import :failure;
import millrace.base;

namespace millrace::protocol {

// Gives the libraries their memory and keeps what they give back for their next request, so that a
// reused context does not reach the system's allocator. Must outlive the contexts. Belongs to one
// thread. Gives null when there is no memory.
class CodecMemory {
 public:
  CodecMemory() = default;
  CodecMemory(const CodecMemory&) = delete;
  CodecMemory& operator=(const CodecMemory&) = delete;
  ~CodecMemory();

  [[nodiscard]] void* allocate(std::size_t bytes);
  void release(void* memory);
  // Gives all that is not in use back to the system.
  void trim();
  // In use and kept, without the bookkeeping.
  [[nodiscard]] inline std::size_t bytes() const { return bytes_; }

 private:
  struct Block;
  static constexpr std::size_t kept_blocks_max = 8;

  void give_back(Block* block);

  std::array<Block*, kept_blocks_max> kept_{};
  std::size_t bytes_ = 0;
};

// What a function returns that fails, whatever it gives otherwise.
using CompressionFailure = decltype(compression_failure(CompressionFault::truncated));

class Encoder {
 public:
  virtual ~Encoder() = default;
  // `output` has room for compressed_bytes_max() of the input's size, which is `input_bytes`.
  virtual CompressionResult<std::size_t> encode(const CompressionOptions& options,
                                                std::span<const ByteView> input,
                                                std::size_t input_bytes, MutableBytes output) = 0;
};

// Nothing has as much; one block more can be added to it.
inline constexpr std::uint64_t output_bytes_unlimited = std::uint64_t{1} << 62;

// What is left of the limits for one input.
class Budget {
 public:
  Budget() = default;
  Budget(const DecompressionLimits& limits, std::size_t input_bytes)
      : output_left_(std::min(output_bytes_allowed(limits, input_bytes), output_bytes_unlimited)),
        steps_max_(limits.steps_max),
        output_fault_(output_left_ < limits.output_bytes_max ? CompressionFault::ratio_limit
                                                             : CompressionFault::output_limit) {}

  [[nodiscard]] inline std::uint64_t output_left() const { return output_left_; }
  // What to say when more output is there than was left.
  [[nodiscard]] inline CompressionFault output_fault() const { return output_fault_; }

  // The start of a member, frame or block. False when a limit is passed.
  [[nodiscard]] inline bool take_start() {
    ++starts_;
    return within_steps();
  }
  [[nodiscard]] inline bool take_input(std::size_t bytes) {
    input_ += bytes;
    return within_steps();
  }
  // False when more than output_left().
  [[nodiscard]] inline bool take_output(std::size_t bytes) {
    if (bytes > output_left_) return false;
    output_left_ -= bytes;
    output_ += bytes;
    return true;
  }

 private:
  [[nodiscard]] inline bool within_steps() const {
    return starts_ + input_ / step_input_bytes + output_ / step_output_bytes <= steps_max_;
  }

  std::uint64_t output_left_ = 0;
  std::uint64_t steps_max_ = 0;
  std::uint64_t starts_ = 0;
  std::uint64_t input_ = 0;
  std::uint64_t output_ = 0;
  CompressionFault output_fault_ = CompressionFault::output_limit;
};

// How much room a decoder asks for before it goes on.
struct Room {
  std::size_t least = 1;
  std::size_t best = 1;
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // `input` and `budget` stay in place until the next begin().
  virtual CompressionResult<void> begin(ByteView input, const DecompressionLimits& limits,
                                        Budget& budget) = 0;
  virtual CompressionResult<Room> room() = 0;
  // Writes to the start of `output`, which has room().least bytes, and gives the number of bytes
  // written. Where it stops short of the end of `output` it is finished(), or wants more room.
  virtual CompressionResult<std::size_t> decode(MutableBytes output) = 0;
  [[nodiscard]] virtual bool finished() const = 0;
};

// Null when there is no memory.
std::unique_ptr<Encoder> make_gzip_encoder(CodecMemory& memory);
std::unique_ptr<Encoder> make_snappy_encoder(CodecMemory& memory);
std::unique_ptr<Encoder> make_lz4_encoder(CodecMemory& memory);
std::unique_ptr<Encoder> make_zstd_encoder(CodecMemory& memory);
std::unique_ptr<Decoder> make_gzip_decoder(CodecMemory& memory);
std::unique_ptr<Decoder> make_snappy_decoder();
std::unique_ptr<Decoder> make_lz4_decoder();
std::unique_ptr<Decoder> make_zstd_decoder(CodecMemory& memory);

std::size_t gzip_bytes_max(std::size_t input_bytes);
std::size_t snappy_bytes_max(SnappyFraming framing, std::size_t input_bytes);
std::size_t lz4_bytes_max(std::size_t input_bytes);
std::size_t zstd_bytes_max(std::size_t input_bytes);

}  // namespace millrace::protocol
