// The part of a channel that knows nothing of sockets: messages over two rings.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

export module millrace.ipc.channel:ring_channel;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import millrace.runtime.streams;
import :channel;
import :limits;

export namespace millrace::ipc {

// What an end of a channel stands on: the memories outlive it.
struct RingChannelParts {
  RingMemories memories;  // the same for both rings: each side writes its own
  std::size_t receive_bytes_max = 0;
  std::size_t send_bytes_max = 0;
  ChannelPeer peer;
};

// Implementations ring the peer's bell, and tell when theirs was rung and when the peer has ended.
class RingChannel : public Channel {
 public:
  [[nodiscard]] Task<ChannelResult<void>> send(ByteView message) final;
  [[nodiscard]] Task<ChannelResult<std::vector<std::byte>>> receive() final;
  void close() final { end(ChannelFault::closed); }
  [[nodiscard]] bool is_closed() const final { return fault_.has_value() || is_peer_ended_; }
  [[nodiscard]] const ChannelPeer& peer() const final { return parts_.peer; }
  [[nodiscard]] std::size_t send_bytes_max() const final { return parts_.send_bytes_max; }

 protected:
  RingChannel(Executor& executor, const RingChannelParts& parts);

  virtual void ring_peer() = 0;
  // Once: the peer learns that this side has ended.
  virtual void close_link() = 0;

  void told();
  void peer_ended();
  // The peer broke a rule.
  void broken() { end(ChannelFault::corrupt); }
  // By the destructor of the implementation.
  void close_at_end() { end(ChannelFault::closed); }

 private:
  // A message of which a part has come.
  struct Incoming {
    std::array<std::byte, message_length_bytes> prefix{};
    std::size_t prefix_bytes = 0;
    std::size_t length = 0;
    std::vector<std::byte> message;

    [[nodiscard]] bool has_length() const { return prefix_bytes == prefix.size(); }
    [[nodiscard]] bool is_whole() const { return has_length() && message.size() == length; }
  };

  void end(ChannelFault fault);
  [[nodiscard]] Task<ChannelResult<void>> send_piece(ByteView piece);
  // Takes what is there; gives how many bytes it took, or nothing if the peer broke a rule.
  [[nodiscard]] std::optional<std::size_t> take(Incoming& incoming);
  // Nothing is there. False if the peer broke a rule.
  [[nodiscard]] Task<bool> wait_for_bytes();
  void publish();
  void release();

  Executor& executor_;
  RingChannelParts parts_;
  RingWriter writer_;
  RingReader reader_;
  AsyncMutex sending_;
  AsyncSignal readable_;
  AsyncSignal writable_;
  std::optional<ChannelFault> fault_;
  bool is_peer_ended_ = false;
  bool is_receiving_ = false;
  unsigned sent_at_once_ = 0;
  unsigned received_at_once_ = 0;
};

}  // namespace millrace::ipc
