#include "mutation.hpp"

#include <array>
#include <cstddef>

namespace millrace::table {
namespace {

// Bytes at which lengths, markers and varints change their meaning.
constexpr std::array<char, 8> edge_bytes{'\x00', '\x01', '\x02', '\x7f',
                                         '\x80', '\x81', '\xfe', '\xff'};

void change_once(std::string& bytes, Random& random) {
  constexpr std::size_t run_max = 8;
  const std::size_t at = random.below(bytes.size() + 1);
  const std::size_t run = 1 + random.below(run_max);
  if (at == bytes.size()) {
    bytes.append(run, edge_bytes[random.below(edge_bytes.size())]);
    return;
  }
  switch (random.below(6)) {
    case 0:
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << random.below(8));
      return;
    case 1:
    case 2:
      bytes[at] = edge_bytes[random.below(edge_bytes.size())];
      return;
    case 3:
      bytes.insert(at, run, edge_bytes[random.below(edge_bytes.size())]);
      return;
    case 4:
      bytes.erase(at, run);
      return;
    default:
      bytes.insert(at, bytes.substr(at, run));
      return;
  }
}

}  // namespace

std::string mutated(std::string bytes, Random& random) {
  for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
    change_once(bytes, random);
  }
  return bytes;
}

}  // namespace millrace::table
