module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.fetching;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.fetch;
import millrace.runtime;
import :fetch;

namespace millrace::broker {
namespace {

// The name is kept with each partition: one of 32 KiB, said once for a million partitions, would
// take all memory there is.
bool names_no_topic(const protocol::FetchRequest& request) {
  const auto is_too_long = [](const auto& topic) {
    return topic.topic.size() > metadata::topic_name_bytes_max;
  };
  return std::ranges::any_of(request.topics, is_too_long) ||
         std::ranges::any_of(request.forgotten_topics_data, is_too_long);
}

}  // namespace

FetchRequests::FetchRequests(const FetchContext& context)
    : context_(context),
      sessions_(context.sessions_max, Random(context.seed)),
      arena_(request_arena_bytes_max) {}

FetchRequests::~FetchRequests() {
  check(first_ == nullptr, "fetches end before who answers them");
}

Task<Response> FetchRequests::fetch(Request request) {
  Fetch fetch(*this, request.context);
  {
    arena_.reset();
    protocol::FetchRequest message;
    const auto decoded = protocol::decode(message, request.body, request.context.version, arena_);
    if (!decoded) co_return Response::close(protocol::to_string(decoded.error()));
    if (message.replica_id >= 0 || message.replica_state.replica_id >= 0) {
      co_return Response::close(
          "a replica fetches, which no replica of ours does by this protocol");
    }
    if (names_no_topic(message)) {
      co_return Response::close("a topic is named with more bytes than any topic has");
    }
    const ErrorCode error = fetch.begin(message);
    if (error != ErrorCode::none) co_return fetch.refusal(error);
  }
  request.release_bytes();
  co_await fetch.read();
  co_return fetch.answer();
}

void FetchRequests::connection_closing(ConnectionId connection) {
  for (Fetch* fetch = first_; fetch != nullptr; fetch = fetch->next_) {
    if (fetch->context_.connection == connection) fetch->stop_waiting();
  }
}

void FetchRequests::stop_waiting() {
  stopped_ = true;
  for (Fetch* fetch = first_; fetch != nullptr; fetch = fetch->next_) fetch->stop_waiting();
}

Task<void> FetchRequests::stop() {
  stop_waiting();
  co_await releases_.wait();
}

}  // namespace millrace::broker
