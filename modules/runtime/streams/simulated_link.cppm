// One simulated connection: two directions with bytes under way, and a stream at each end.
module;
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

export module millrace.runtime.streams:simulated_link;

import millrace.base;
import millrace.runtime;
import :address;
import :simulated_network;
import :stream;

export namespace millrace {

class SimulatedStream;

// Owned by its two ends together. End 0 is the one that connected.
class SimulatedLink {
 public:
  explicit SimulatedLink(SimulatedNetwork& network);

  void attach(std::size_t end, SimulatedStream* stream) { ends_[end] = stream; }

  enum class State : std::uint8_t { open, blocked, ended, reset };
  struct Moved {
    State state = State::open;
    std::size_t bytes = 0;
  };
  // What end `end` reads, or writes, now: a part of what it could.
  [[nodiscard]] Moved read(std::size_t end, MutableBytes to);
  [[nodiscard]] Moved write(std::size_t end, ByteView from);
  // End `end` writes no more.
  void shutdown(std::size_t end);
  // End `end` is gone: what it has not read breaks the connection, as TCP does.
  void close_end(std::size_t end);
  void reset();

 private:
  struct Segment {
    MonotonicTime arrives;
    std::vector<std::byte> bytes;  // none: the end
  };
  // What flows from one end to the other.
  struct Direction {
    Direction(SimulatedLink& l, std::size_t r) : arrival(*this), link(l), reader(r) {}

    struct Arrival : Timer {
      explicit Arrival(Direction& d)
          : Timer([](Timer& self) {
              Direction& direction = static_cast<Arrival&>(self).direction;
              direction.link.arrive(direction);
            }),
            direction(d) {}
      Direction& direction;
    };

    Arrival arrival;
    SimulatedLink& link;
    std::size_t reader;
    std::deque<Segment> under_way;
    std::deque<std::byte> arrived;
    std::size_t bytes = 0;  // under way and arrived
    bool is_shut = false;   // the writer writes no more
    bool is_ended = false;  // and the reader knows
    bool is_read = true;    // the reader is there
  };

  [[nodiscard]] Direction& from(std::size_t end) { return directions_[end]; }
  [[nodiscard]] Direction& to(std::size_t end) { return directions_[1 - end]; }
  [[nodiscard]] std::size_t part_of(std::size_t bytes);
  [[nodiscard]] bool resets_now();
  void send(Direction& direction, std::vector<std::byte> bytes);
  void arrive(Direction& direction);
  void wake(std::size_t end);

  SimulatedNetwork& network_;
  std::array<Direction, 2> directions_;
  std::array<SimulatedStream*, 2> ends_{};
  bool is_reset_ = false;
};

// Made by SimulatedNetwork.
class SimulatedStream final : public ByteStream {
 public:
  SimulatedStream(Executor& executor, std::shared_ptr<SimulatedLink> link, std::size_t end,
                  const SocketAddress& local, const SocketAddress& peer);
  ~SimulatedStream() override { close_at_end(); }

  [[nodiscard]] bool takes_files() const override { return false; }
  void shutdown_writes() override;
  void something_changed() {
    retry_write();
    retry_read();
  }

 private:
  [[nodiscard]] Progress attempt(StreamOperation& operation) override;
  void close_connection() override;

  std::shared_ptr<SimulatedLink> link_;
  std::size_t end_;
};

}  // namespace millrace
