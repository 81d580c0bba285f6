// What a hostile peer may write: its cursors and flags, the bytes of its ring, and what it says in
// a handshake. Whatever it is, a ring gives no more than it can hold, and nothing is touched
// outside.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

import millrace.ipc.channel;
import millrace.ipc.ring;

namespace {

using namespace millrace;
using namespace millrace::ipc;

constexpr std::size_t capacity = 64;

struct alignas(ring_data_offset) Memory {
  std::array<std::byte, region_bytes(capacity)> bytes{};
};

class Input {
 public:
  explicit Input(ByteView rest) : rest_(rest) {}
  [[nodiscard]] bool is_empty() const { return rest_.empty(); }
  [[nodiscard]] ByteView take(std::size_t count) {
    const ByteView taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::uint8_t byte() {
    const ByteView taken = take(1);
    return taken.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(taken[0]);
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    const ByteView taken = take(sizeof value);
    if (!taken.empty()) std::memcpy(&value, taken.data(), taken.size());
    return value;
  }

 private:
  ByteView rest_;
};

// Our own ends, with no memory but what a peer of theirs may see.
class Ends {
 public:
  Ends()
      : own_(&make_region(own_memory_.bytes, capacity, 1)),
        peer_(&make_region(peer_memory_.bytes, capacity, 1)) {}

  // False when the peer broke a rule and the ring is given up.
  bool step(Input& input) {
    switch (input.byte() % 9) {
      case 0:
        peer_->tail.value.store(input.number());
        return true;
      case 1:
        peer_->tail.value.fetch_add(input.byte());
        return true;
      case 2:
        peer_->head.value.store(input.number());
        return true;
      case 3:
        peer_->head.value.fetch_add(input.byte());
        return true;
      case 4:
        peer_->reader_parked.value.store(input.byte());
        peer_->writer_parked.value.store(input.byte());
        return true;
      case 5: {
        const ByteView bytes = input.take(input.byte());
        std::copy_n(bytes.begin(), std::min(bytes.size(), capacity),
                    peer_memory_.bytes.begin() + ring_data_offset);
        return true;
      }
      case 6:
        return read(input.byte());
      case 7:
        return write(input.byte());
      default:
        return park();
    }
  }

 private:
  bool read(std::size_t wanted) {
    std::vector<std::byte> to(wanted);
    const auto taken = reader_.read(to);
    if (!taken) return false;
    check(*taken <= std::min(wanted, capacity), "a ring gives no more than it holds");
    static_cast<void>(reader_.release());
    return true;
  }
  bool write(std::size_t wanted) {
    const std::vector<std::byte> from(wanted, std::byte{0xab});
    const auto taken = writer_.write(from);
    if (!taken) return false;
    check(*taken <= std::min(wanted, capacity), "a ring takes no more than it holds");
    static_cast<void>(writer_.publish());
    check(own_->tail.value.load() >= written_, "a tail never goes back");
    written_ = own_->tail.value.load();
    return true;
  }
  bool park() {
    const auto sleeps = reader_.park();
    if (!sleeps) return false;
    check(!*sleeps || reader_.available().value() == 0, "nobody sleeps over bytes");
    reader_.unpark();
    const auto waits = writer_.park();
    writer_.unpark();
    return waits.has_value();
  }

  Memory own_memory_;
  Memory peer_memory_;
  Region* own_;
  Region* peer_;
  RingWriter writer_{{.own = own_, .peer = peer_, .capacity = capacity}};
  RingReader reader_{{.own = own_, .peer = peer_, .capacity = capacity}};
  std::uint64_t written_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto hello = hello_from(bytes)) {
    check(hello_from(encode(*hello)) == hello, "a hello is read as it was written");
  }
  if (const auto answer = answer_from(bytes)) {
    check(answer_from(encode(*answer)) == answer, "an answer is read as it was written");
    check(is_ring_capacity(answer->ring_bytes) ||
              !check_region(bytes, answer->ring_bytes, answer->generation),
          "no ring has another size");
  }
  if (check_region(bytes, capacity, 1)) {
    check(bytes.size() >= region_bytes(capacity), "a ring fits its memory");
  }
  Ends ends;
  Input input(bytes);
  while (!input.is_empty() && ends.step(input)) {
  }
  return 0;
}
