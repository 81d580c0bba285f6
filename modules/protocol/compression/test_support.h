// Data for the tests of compression, and short ways to compress and decompress it whole. The
// functions without a body are in test_support.cpp, as a header cannot import the module.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace compression_test {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(std::string_view text) {
  const auto* from = reinterpret_cast<const std::byte*>(text.data());
  return Bytes(from, from + text.size());
}

inline Bytes from_hex(std::string_view hex) {
  const auto digit = [](char character) {
    return character <= '9' ? character - '0' : character - 'a' + 10;
  };
  Bytes bytes;
  for (std::size_t at = 0; at + 1 < hex.size();) {
    if (hex[at] == ' ') {
      ++at;
      continue;
    }
    bytes.push_back(static_cast<std::byte>(digit(hex[at]) * 16 + digit(hex[at + 1])));
    at += 2;
  }
  return bytes;
}

inline Bytes joined(std::span<const std::byte> first, std::span<const std::byte> second) {
  Bytes both(first.begin(), first.end());
  both.insert(both.end(), second.begin(), second.end());
  return both;
}

inline Bytes file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return bytes_of(text);
}

// Memory whose end is the end of what may be touched: the next byte belongs to a page without
// access. So a step too far is seen in libraries too that no sanitizer instruments.
class GuardedMemory {
 public:
  explicit GuardedMemory(std::size_t capacity)
      : size_((capacity + page - 1) / page * page + page),
        base_(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (base_ == MAP_FAILED || mprotect(end(), page, PROT_NONE) != 0) std::abort();
  }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory() { munmap(base_, size_); }

  // The last `count` bytes before the guard.
  std::span<std::byte> last(std::size_t count) { return {end() - count, count}; }
  std::span<const std::byte> copy_of(std::span<const std::byte> bytes) {
    std::copy(bytes.begin(), bytes.end(), last(bytes.size()).begin());
    return last(bytes.size());
  }

 private:
  static constexpr std::size_t page = 4096;

  std::byte* end() { return static_cast<std::byte*>(base_) + size_ - page; }

  std::size_t size_;
  void* base_;
};

// Lines of JSON as services log them: what Kafka carries most.
inline Bytes log_lines(std::size_t size, std::uint32_t seed = 1) {
  constexpr std::string_view levels[] = {"INFO", "WARN", "ERROR", "DEBUG"};
  constexpr std::string_view paths[] = {"/api/v1/orders", "/api/v1/users", "/health", "/login"};
  std::mt19937 random(seed);
  std::string text;
  std::uint64_t time = 1'700'000'000'000;
  while (text.size() < size) {
    time += random() % 50;
    text += "{\"time\":" + std::to_string(time) + ",\"level\":\"" +
            std::string(levels[random() % 4]) + "\",\"service\":\"checkout\",\"path\":\"" +
            std::string(paths[random() % 4]) +
            "\",\"status\":" + std::to_string(200 + random() % 4 * 100) +
            ",\"duration_ms\":" + std::to_string(random() % 2000) + ",\"trace\":\"" +
            std::to_string(random()) + std::to_string(random()) + "\"}\n";
  }
  text.resize(size);
  return bytes_of(text);
}

inline Bytes random_bytes(std::size_t size, std::uint32_t seed = 1) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// At the codec's default level; "raw snappy" is snappy without framing.
Bytes compressed(std::string_view codec, std::span<const std::byte> data);

// What reading to the end comes to: the data in quotes, or the fault and where it was found, as in
// `truncated at 7`. The input is hex, or bytes.
std::string outcome_of(std::string_view codec, std::string_view hex);
std::string outcome_of(std::string_view codec, std::span<const std::byte> input);

}  // namespace compression_test
