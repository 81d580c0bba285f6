module;
#include <memory>
#include <string_view>
#include <utility>

module millrace.broker.partitions.data;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.runtime.shard;
import millrace.security;
import :appender;
import :data_requests;

namespace millrace::broker {

DataRequests::DataRequests(const DataContext& context)
    : context_(context),
      metrics_(context.registry, context.here.index()),
      log_(context.log, context.here.clock()),
      appender_(std::make_unique<Appender>(context_.partitions, context_.here.loop(), decompressor_,
                                           compressor_, context_.buffers, context_.check,
                                           metrics_)) {
  context_.all[context_.here.index().value()] = this;
}

DataRequests::~DataRequests() {
  context_.all[context_.here.index().value()] = nullptr;
}

bool DataRequests::may(const Request& request, security::Operation operation,
                       std::string_view topic) const {
  return context_.authorizer.authorize(*request.context.session, operation,
                                       security::ResourceType::topic, topic);
}

Response DataRequests::too_large(const Request& request) {
  return Response::close(formatted("{}: more partitions than there is memory for in one request",
                                   request.context.api->name));
}

Response DataRequests::unreadable(const Request& request, const protocol::DecodeError& error) {
  return Response::close(
      formatted("{}: {}", request.context.api->name, protocol::to_string(error)));
}

}  // namespace millrace::broker
