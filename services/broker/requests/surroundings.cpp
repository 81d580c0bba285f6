module;
#include <fmt/format.h>

#include <string>

module millrace.broker.requests;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.protocol.api;
import millrace.protocol.wire;

namespace millrace::broker {

std::string why_unreadable(const RequestContext& context, const protocol::DecodeError& error) {
  return fmt::format("the body of {} version {} cannot be read: {}", context.api->name,
                     context.version, protocol::to_string(error));
}

}  // namespace millrace::broker
