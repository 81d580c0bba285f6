// What the gateway keeps while something is under way. For the gateway's own files.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

module millrace.broker.coordination:state;

import millrace.base;
import millrace.ipc.channel;
import millrace.ipc.coordination;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.runtime;
import :gateway;

namespace millrace::broker {

// A request that waits for its answer; lives in the coroutine that waits.
struct GroupGateway::Waiting : Callback {
  Waiting(const coordination::GroupCall& c, coordination::RequestNumber n,
          const AskingConnection& from, std::size_t size)
      : Callback([](Callback& self) {
          Waiting& waiting = static_cast<Waiting&>(self);
          waiting.is_answered = true;
          if (waiting.awaiting) waiting.awaiting.resume();
        }),
        call(c),
        number(n),
        connection(from),
        bytes(size) {}

  void resume_soon(Executor& executor) { executor.post(*this); }
  [[nodiscard]] bool await_ready() const noexcept { return is_answered; }
  void await_suspend(std::coroutine_handle<> handle) { awaiting = handle; }
  void await_resume() const noexcept {}

  const coordination::GroupCall& call;
  coordination::RequestNumber number;
  AskingConnection connection;
  std::size_t bytes;
  GroupAnswer answer;
  bool is_answered = false;
  std::coroutine_handle<> awaiting;
};

// One coordinator; lives in the coroutine that serves it.
struct GroupGateway::Session {
  Session(Executor& executor, coordination::SessionId number, ipc::Channel& to)
      : id(number),
        channel(to),
        outbound(executor, coordination::queued_bytes_max),
        alarm(executor) {}

  coordination::SessionId id;
  ipc::Channel& channel;
  coordination::Outbound outbound;
  coordination::Alarm alarm;
  bool is_closed = false;
  bool is_welcomed = false;
  bool was_heard = false;      // since the last ping
  std::uint32_t silences = 0;  // intervals without a word, one after the other
  std::uint64_t pings = 0;
};

// What was asked of one partition of __consumer_offsets.
struct GroupGateway::StatePartition {
  struct Pending {
    coordination::Ticket ticket;
    std::optional<Result<void, protocol::ErrorCode>> result;
  };

  // Whose appends are taken: of the load that read last.
  coordination::SessionId session;
  coordination::LoadedPartition current;
  coordination::Ticket last_ticket;
  bool has_failed = false;
  std::deque<Pending> pending;  // of the current load, in the order of tickets
  std::size_t appends_under_way = 0;
  std::size_t reads_under_way = 0;
  std::optional<coordination::Read> read_waits;  // until no append is under way
};

}  // namespace millrace::broker
