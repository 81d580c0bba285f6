// The coordinator that is there: its start, its end, and whether it lives.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.broker.coordination;

import millrace.base;
import millrace.ipc.channel;
import millrace.ipc.coordination;
import millrace.runtime;
import :state;

namespace millrace::broker {

using coordination::SessionId;

Task<void> GroupGateway::run(std::unique_ptr<ipc::ChannelListener> listener) {
  // When there is no descriptor for one that connects.
  constexpr Duration pause = std::chrono::milliseconds{100};
  listener_ = listener.get();
  while (!stopped_) {
    auto accepted = co_await listener->accept();
    if (accepted) {
      tasks_.start(serve(*std::move(accepted)));
    } else if (accepted.error().fault == ipc::ChannelFault::closed) {
      break;
    } else {
      log_.warning("a coordinator cannot connect: {}", ipc::describe(accepted.error()));
      co_await sleep_until(executor_, executor_.clock().now() + pause);
    }
  }
  listener_ = nullptr;
}

Task<void> GroupGateway::serve(std::unique_ptr<ipc::Channel> channel) {
  if (stopped_) {
    channel->close();
    co_return;
  }
  if (session_ != nullptr) close(*session_, "another one connects");
  last_session_ = last_session_.next();
  Session session(executor_, last_session_, *channel);
  session_ = &session;
  metrics_.sessions.add();
  metrics_.connected.set(1);
  log_.info("session {} with a coordinator begins, process {}", session.id.value(),
            channel->peer().process);
  TaskGroup tasks;
  tasks.start(session.outbound.run(*channel));
  greet();
  tasks.start(keep_alive(session));
  while (!session.is_closed) {
    const auto received = co_await channel->receive();
    if (session.is_closed) break;
    if (!received && received.error().fault == ipc::ChannelFault::closed) {
      // In order or not: whoever started it sees how it ended.
      close(session, "it has ended", LogLevel::info);
    } else if (!received) {
      close(session, ipc::describe(received.error()));
    } else if (const auto taken = take(session, *received); !taken) {
      close(session, taken.error().message);
    }
  }
  co_await tasks.wait();
}

// Everything anew: a coordinator keeps nothing from one session to the next.
void GroupGateway::greet() {
  send(coordination::Hello{coordination::protocol_version, options_.broker, options_.cluster,
                           session_->id});
  // A copy: a coordinator that cannot take it all is given up on the way.
  const auto led = led_;
  for (const auto& [partition, epoch] : led) send(coordination::Lead{partition, epoch});
}

Task<void> GroupGateway::keep_alive(Session& session) {
  using coordination::ping_interval;
  constexpr auto silences_max = coordination::silence_max / ping_interval;
  while (!session.is_closed) {
    co_await session.alarm.wait_until(executor_.clock().now() + ping_interval);
    if (session.is_closed) break;
    // Intervals are counted, and not the time: when this process stood still, what came meanwhile
    // is still to be read.
    session.silences = std::exchange(session.was_heard, false) ? 0 : session.silences + 1;
    if (session.silences >= silences_max) {
      metrics_.silences.add();
      close(session, "it has said nothing for too long");
      break;
    }
    send(coordination::Ping{++session.pings});
  }
}

Result<void> GroupGateway::take(Session& session, ByteView bytes) {
  auto decoded = coordination::decode_to_broker(bytes);
  if (!decoded) return failure(decoded.error());
  session.was_heard = true;
  if (const auto* const welcome = std::get_if<coordination::Welcome>(&*decoded)) {
    if (welcome->version != coordination::protocol_version) {
      return failure(ErrorKind::unsupported, formatted("it speaks version {}", welcome->version));
    }
    session.is_welcomed = true;
    return {};
  }
  if (!session.is_welcomed) {
    return failure(ErrorKind::corrupt, "its first message is not the one that comes first");
  }
  if (auto* const answer = std::get_if<coordination::ClientAnswer>(&*decoded)) {
    take(std::move(*answer));
  } else if (const auto* const read = std::get_if<coordination::Read>(&*decoded)) {
    if (read->session != session.id) return failure(ErrorKind::corrupt, "another session's read");
    take(*read);
  } else if (auto* const append = std::get_if<coordination::Append>(&*decoded)) {
    if (append->session != session.id) {
      return failure(ErrorKind::corrupt, "another session's append");
    }
    take(std::move(*append));
  }
  return {};
}

void GroupGateway::close(Session& session, std::string_view why, LogLevel level) {
  if (std::exchange(session.is_closed, true)) return;
  log_.write(level, formatted("session {} with the coordinator ends: {}", session.id.value(), why));
  session.channel.close();
  session.outbound.close();
  session.alarm.ring();
  session_ = nullptr;
  metrics_.connected.set(0);
  fail_waiting();
}

bool GroupGateway::send(const coordination::ToCoordinator& message) {
  if (session_ == nullptr) return false;
  if (session_->outbound.add(coordination::encode(message))) return true;
  close(*session_, "it does not take what it is sent");
  return false;
}

bool GroupGateway::is_current(SessionId session) const {
  return session_ != nullptr && session_->id == session;
}

}  // namespace millrace::broker
