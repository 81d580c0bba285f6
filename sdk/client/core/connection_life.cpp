module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.metadata;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import :connection;

namespace millrace::client {
namespace {

using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;

// What we call ourselves: letters, digits, '-' and '.' only.
constexpr std::string_view software_name = "millrace-cpp";
constexpr std::string_view software_version = MILLRACE_CLIENT_VERSION;
// As many versions of ApiVersions as are tried on one connection: the newest, what the broker asks
// for instead, and the first.
constexpr int handshakes_max = 3;

// Into a vector that keeps its room from one frame to the next.
void gather(const protocol::OutgoingFrame& frame, std::vector<ByteView>& pieces) {
  pieces.clear();
  frame.for_each_piece([&](const protocol::RecordChunk& chunk) {
    check(chunk.memory != nullptr || chunk.size == 0, "a client sends from memory");
    if (chunk.size > 0) pieces.emplace_back(chunk.memory, chunk.size);
  });
}

std::shared_ptr<const BrokerVersions> versions_of(const ApiVersionsResponse& answer) {
  auto versions = std::make_shared<BrokerVersions>();
  for (const auto& api : answer.api_keys) {
    versions->apis.push_back({api.api_key, api.min_version, api.max_version});
  }
  std::ranges::stable_sort(versions->apis, {}, &BrokerVersions::Api::key);
  for (const auto& feature : answer.finalized_features) {
    versions->features.push_back({std::string(feature.name), feature.max_version_level});
  }
  versions->features_epoch = answer.finalized_features_epoch;
  return versions;
}

}  // namespace

void Connection::wake_up() {
  if (phase_ != Phase::down || ground_.is_closing) return;
  phase_ = Phase::pausing;
  ground_.tasks.start(live());
}

// Goes on while somebody waits for a connection.
Task<void> Connection::live() {
  do {
    phase_ = Phase::pausing;
    if (!co_await pause()) break;
    phase_ = Phase::connecting;
    broken_.reset();
    is_closed_idle_ = false;
    ClientResult<void> made = co_await connect();
    if (made) made = co_await negotiate();
    if (!made) {
      ++ground_.counters.connections_failed;
      not_before_ = ConnectionGround::after(ground_.now(), reconnect_.next());
      ground_.logger.info("no connection: {}", made.error().message);
      stream_.reset();
      splitter_.reset();
      fail_waiting(made.error());
    } else {
      co_await serve();
    }
  } while (!waiting_.empty() && !ground_.is_closing);
  phase_ = Phase::down;
  if (ground_.is_closing) fail_waiting(error(Failure::closed, "the client is closed"));
}

// False when the client is closed.
Task<bool> Connection::pause() {
  while (!ground_.is_closing && ground_.now() < not_before_) {
    static_cast<void>(co_await pause_ended_.wait(not_before_));
  }
  co_return !ground_.is_closing;
}

// Ends whether or not anybody still waits for its result, and then leaves nothing behind.
task_detail::Detached Connection::attempt(std::shared_ptr<Attempt> attempt,
                                          std::shared_ptr<Strays> strays, Executor& executor,
                                          Network& network, Resolver& resolver, HostPort address,
                                          SocketOptions options, Duration timeout) {
  ++strays->running;
  const auto now = [&] { return executor.clock().now(); };
  auto addresses = co_await resolver.resolve(address, ConnectionGround::after(now(), timeout));
  if (!addresses) {
    attempt->result.emplace(
        failure(client_error(Failure::unresolved_address, addresses.error().message)));
  } else {
    std::string problems;
    for (const SocketAddress& tried : *addresses) {
      if (attempt->is_abandoned) break;
      auto stream =
          co_await network.connect(tried, options, ConnectionGround::after(now(), timeout));
      if (stream) {
        attempt->result.emplace(std::move(*stream));
        break;
      }
      if (!problems.empty()) problems += "; ";
      problems += describe(stream.error(), tried);
    }
    if (!attempt->result) {
      attempt->result.emplace(failure(client_error(Failure::disconnected, problems)));
    }
  }
  // Nobody waits: what was made is not needed.
  if (attempt->is_abandoned) attempt->result.reset();
  --strays->running;
  strays->ended.set();
  if (!attempt->is_abandoned) attempt->ended.set();
}

Task<ClientResult<void>> Connection::connect() {
  const CommonSettings& settings = ground_.settings;
  const BackoffRange patience{settings.socket_connection_setup_timeout,
                              settings.socket_connection_setup_timeout_max};
  const Duration timeout = backoff_after(reconnect_.failures() + 1, patience, ground_.random);
  const SocketOptions options{.send_buffer_bytes = settings.send_buffer_bytes,
                              .receive_buffer_bytes = settings.receive_buffer_bytes};
  const auto current = std::make_shared<Attempt>(ground_.executor);
  attempt_ = current;
  attempt(current, ground_.strays, ground_.executor, ground_.network, ground_.resolver, address_,
          options, timeout);
  static_cast<void>(co_await current->ended.wait());
  attempt_.reset();
  if (current->is_abandoned || ground_.is_closing) {
    co_return failure(error(Failure::closed, "the connection was given up"));
  }
  if (!*current->result) {
    const ClientError& why = current->result->error();
    co_return failure(error(why.failure, why.message));
  }
  stream_ = std::move(**current->result);
  splitter_ = std::make_unique<protocol::FrameSplitter>(ground_.pool, handshake_answer_bytes_max);
  co_return ClientResult<void>();
}

Task<ClientResult<void>> Connection::negotiate() {
  const MonotonicTime deadline =
      ConnectionGround::after(ground_.now(), ground_.settings.request_timeout);
  std::int16_t version =
      protocol::advertised_version_max(protocol::api_info(protocol::ApiKey::api_versions));
  for (int round = 0; round < handshakes_max; ++round) {
    const auto frame = co_await exchange(version, deadline);
    if (!frame) co_return failure(frame.error());
    const auto instead = take_versions(frame->bytes(), version);
    if (!instead) co_return failure(instead.error());
    if (!*instead) {
      splitter_->set_frame_bytes_max(ground_.settings.answer_bytes_max);
      co_return ClientResult<void>();
    }
    version = **instead;
  }
  co_return failure(
      error(Failure::unsupported_version, "it speaks no version of ApiVersions that it says"));
}

Task<ClientResult<protocol::Frame>> Connection::exchange(std::int16_t version,
                                                         MonotonicTime deadline) {
  ApiVersionsRequest request;
  request.client_software_name = software_name;
  request.client_software_version = software_version;
  const auto outgoing = protocol::encode_request(ground_.pool, take_number(),
                                                 ground_.settings.client_id, request, version);
  if (!outgoing) {
    co_return failure(error(Failure::bad_argument, formatted("ApiVersions cannot be written: {}",
                                                             to_string(outgoing.error()))));
  }
  const auto failed = [&](const StreamError& why) {
    return error(why.fault == StreamFault::timed_out ? Failure::timed_out : Failure::disconnected,
                 formatted("while versions were asked for: {}", describe(why, stream_->peer())));
  };
  std::vector<ByteView> pieces;
  gather(*outgoing, pieces);
  if (auto written = co_await stream_->write(pieces, More::no, deadline); !written) {
    co_return failure(failed(written.error()));
  }
  while (true) {
    auto frame = splitter_->next();
    if (!frame) {
      co_return failure(error(Failure::malformed_answer,
                              formatted("{}: is it a broker?", to_string(frame.error()))));
    }
    if (*frame) co_return std::move(**frame);
    const auto count = co_await stream_->read(splitter_->receive_space(), deadline);
    if (!count) co_return failure(failed(count.error()));
    if (*count == 0) {
      co_return failure(
          error(Failure::disconnected, "it closed the connection when it was asked for versions"));
    }
    splitter_->received(*count);
  }
}

// Nothing if the versions are known now; else the version in which to ask again.
ClientResult<std::optional<std::int16_t>> Connection::take_versions(protocol::Bytes frame,
                                                                    std::int16_t version) {
  const auto malformed = [&](std::string_view what) {
    return error(Failure::malformed_answer,
                 formatted("its answer to ApiVersions version {} {}", version, what));
  };
  const protocol::ApiInfo& api = protocol::api_info(protocol::ApiKey::api_versions);
  const auto header = protocol::read_response_header(frame, api, version);
  // The number of the request was the last that was taken.
  if (!header || header->correlation_id.next().value() != next_number_) {
    return failure(malformed("has a wrong header"));
  }
  ByteReader reader(header->body);
  const auto code = protocol::error_code_from(reader.integer<std::int16_t>());
  const bool is_refused = code == ErrorCode::unsupported_version;
  protocol::Arena arena(answer_arena_bytes_max);
  ApiVersionsResponse answer;
  // A version that the broker does not know it answers in version 0.
  const auto decoded = decode(answer, header->body, is_refused ? std::int16_t{0} : version, arena);
  if (!decoded) return failure(malformed(formatted("cannot be read: {}", decoded.error())));
  if (is_refused) {
    const auto known = versions_of(answer)->highest(protocol::ApiKey::api_versions);
    const std::int16_t instead = known.value_or(0);
    if (instead >= version) return failure(malformed("refuses what it offers"));
    return std::optional(instead);
  }
  if (code != ErrorCode::none) return failure(malformed(protocol::name_of(code)));
  versions_ = versions_of(answer);
  return std::optional<std::int16_t>();
}

Task<void> Connection::serve() {
  phase_ = Phase::ready;
  connection_ = ++ground_.last_connection;
  ++ground_.counters.connections_made;
  ground_.meters.made.record(1, ground_.now());
  reconnect_.reset();
  not_before_ = {};
  paused_until_ = {};
  note_activity();
  TaskGroup writer;
  writer.start(write_all());
  pump();
  co_await read_all();
  stream_->close();
  to_write_.set();
  co_await writer.wait();
  phase_ = Phase::connecting;
  if (idle_timer_.armed()) ground_.executor.cancel(idle_timer_);
  if (pause_timer_.armed()) ground_.executor.cancel(pause_timer_);
  stream_.reset();
  splitter_.reset();
  ground_.meters.closed.record(1, ground_.now());
  if (is_closed_idle_) {
    ++ground_.counters.connections_closed_idle;
  } else if (!ground_.is_closing) {
    ++ground_.counters.connections_lost;
    not_before_ = ConnectionGround::after(ground_.now(), reconnect_.next());
    ground_.logger.info("connection lost: {}", broken_->message);
  }
  fail_under_way();
}

Task<void> Connection::read_all() {
  while (!broken_) {
    const auto count = co_await stream_->read(splitter_->receive_space());
    if (broken_) co_return;
    if (!count || *count == 0) {
      break_off(error(Failure::disconnected,
                      count ? std::string("it closed the connection")
                            : describe(count.error(), stream_->peer()),
                      Persistence::unknown));
      co_return;
    }
    splitter_->received(*count);
    ground_.counters.bytes_in += *count;
    while (!broken_) {
      auto frame = splitter_->next();
      if (!frame) {
        break_off(error(Failure::malformed_answer, to_string(frame.error()), Persistence::unknown));
        co_return;
      }
      if (!*frame) break;
      if (!take_answer(std::move(**frame))) co_return;
    }
  }
}

Task<void> Connection::write_all() {
  std::vector<ByteView> pieces;
  while (!broken_) {
    if (writing_.empty()) {
      static_cast<void>(co_await to_write_.wait());
      continue;
    }
    gather(writing_.front().frame, pieces);
    const More more = writing_.size() > 1 ? More::yes : More::no;
    const auto written = co_await stream_->write(pieces, more);
    if (!written) {
      break_off(error(Failure::disconnected, describe(written.error(), stream_->peer()),
                      Persistence::unknown));
      co_return;
    }
    ground_.counters.bytes_out += writing_.front().frame.total_bytes();
    ground_.meters.sent(broker_, writing_.front().frame.total_bytes(), ground_.now());
    CallOperation& operation = *writing_.front().operation;
    writing_.pop_front();
    operation.stage = CallOperation::Stage::written;
    if (operation.early_answer) {
      end_call(operation, std::move(*operation.early_answer));
    } else if (!operation.is_answered) {
      end_call(operation, AnsweredCall{});
    }
    note_activity();
    pump();
  }
}

}  // namespace millrace::client
