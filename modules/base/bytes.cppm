// Bytes seen from outside: views, big-endian loads and stores, and a reader that never passes the
// end.
module;
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

export module millrace.base:bytes;

export namespace millrace {

using ByteView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

[[nodiscard]] inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

[[nodiscard]] inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <std::integral Integer>
[[nodiscard]] constexpr Integer swap_bytes(Integer value) {
  if constexpr (sizeof(Integer) == 1) {
    return value;
  } else if constexpr (sizeof(Integer) == 2) {
    return static_cast<Integer>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
  } else if constexpr (sizeof(Integer) == 4) {
    return static_cast<Integer>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
  } else {
    return static_cast<Integer>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
  }
}

template <std::integral Integer>
[[nodiscard]] constexpr Integer big_endian(Integer value) {
  if constexpr (std::endian::native == std::endian::little) return swap_bytes(value);
  return value;
}

// The caller has made sure that sizeof(Integer) bytes are there.
template <std::integral Integer>
[[nodiscard]] inline Integer load_big_endian(const std::byte* from) {
  Integer value;
  std::memcpy(&value, from, sizeof value);
  return big_endian(value);
}

template <std::integral Integer>
inline void store_big_endian(std::byte* to, Integer value) {
  const Integer swapped = big_endian(value);
  std::memcpy(to, &swapped, sizeof swapped);
}

// Reads forward over bytes that it does not own. After the first read past the end it is failed():
// every later read gives zero or an empty view, so that a parser may check once, at its end.
class ByteReader {
 public:
  inline explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

  template <std::integral Integer>
  [[nodiscard]] inline Integer integer() {
    if (remaining() < sizeof(Integer)) return static_cast<Integer>(fail());
    const auto value = load_big_endian<Integer>(bytes_.data() + position_);
    position_ += sizeof(Integer);
    return value;
  }

  [[nodiscard]] inline ByteView bytes(std::size_t count) {
    if (remaining() < count) {
      fail();
      return {};
    }
    const ByteView taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  inline void skip(std::size_t count) { static_cast<void>(bytes(count)); }
  inline int fail() {
    failed_ = true;
    position_ = bytes_.size();
    return 0;
  }

  [[nodiscard]] inline std::size_t remaining() const { return bytes_.size() - position_; }
  [[nodiscard]] inline std::size_t position() const { return position_; }
  [[nodiscard]] inline bool failed() const { return failed_; }
  [[nodiscard]] inline ByteView rest() const { return bytes_.subspan(position_); }

 private:
  ByteView bytes_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

}  // namespace millrace
