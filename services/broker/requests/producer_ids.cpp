module;
#include <coroutine>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

module millrace.broker.requests;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.transactions;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.security;

namespace millrace::broker {
namespace {

using protocol::InitProducerIdResponse;
using security::Operation;
using security::ResourceType;

// Every id that this broker gives is a new one, so its first epoch is.
constexpr std::int16_t first_epoch = 0;

InitProducerIdResponse failed(ErrorCode error) {
  InitProducerIdResponse response;
  response.error_code = static_cast<std::int16_t>(error);
  response.producer_id = no_producer_id.value();
  response.producer_epoch = no_producer_epoch.value();
  return response;
}

// None: the request is for an id without transactions, and allowed.
ErrorCode refusal(const protocol::InitProducerIdRequest& message, const Permissions& permissions) {
  const std::string_view id = message.transactional_id;
  if (id.data() == nullptr) {
    return permissions.may_on_cluster(Operation::idempotent_write)
               ? ErrorCode::none
               : ErrorCode::cluster_authorization_failed;
  }
  if (id.empty()) return ErrorCode::invalid_request;
  return permissions.may(Operation::write, ResourceType::transactional_id, id)
             ? ErrorCode::unsupported_version
             : ErrorCode::transactional_id_authorization_failed;
}

}  // namespace

Task<Result<ProducerId, ErrorCode>> ProducerIds::next() {
  const auto guard = co_await mutex_.lock();
  if (next_ == end_) {
    const auto block = co_await controller_.allocate_producer_ids();
    if (!block) co_return failure(block.error());
    if (block->count <= 0) co_return failure(ErrorCode::unknown_server_error);
    next_ = block->first;
    end_ = block->first.plus(block->count);
  }
  const ProducerId given = next_;
  next_ = next_.next();
  co_return given;
}

Task<Response> init_producer_id(Request request, ProducerIds& ids,
                                const HandlerSurroundings& around) {
  protocol::Arena arena(request_arena_bytes_max);
  protocol::InitProducerIdRequest message;
  if (auto read = read_body(message, request, arena); !read) {
    co_return Response::close(std::move(read.error()));
  }
  const ErrorCode refused = refusal(message, permissions_of(request, around));
  if (refused != ErrorCode::none) {
    co_return respond(request.context, around.pool, failed(refused));
  }
  const auto id = co_await ids.next();
  if (!id) {
    // Producers take this as a reason to ask again, whatever kept us from the controllers.
    co_return respond(request.context, around.pool,
                      failed(ErrorCode::coordinator_load_in_progress));
  }
  InitProducerIdResponse response;
  response.producer_id = id->value();
  response.producer_epoch = first_epoch;
  co_return respond(request.context, around.pool, response);
}

}  // namespace millrace::broker
