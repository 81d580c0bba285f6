// What stands before the body of a request or a response: which API, which version, whose answer.
module;
#include <cstdint>
#include <string>
#include <string_view>

export module millrace.protocol.framing:header;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.wire;

export namespace millrace::protocol {

enum class HeaderFault : std::uint8_t {
  truncated,            // the frame ends inside the header
  malformed,            // the client id or the tagged fields cannot be read
  unknown_api,          // Kafka has no such API, or it is not for clients
  unsupported_version,  // the API has no such version
};

[[nodiscard]] std::string_view name_of(HeaderFault fault);

// Why the header of a request was refused. Kafka closes the connection for every one of these.
struct HeaderError {
  HeaderFault fault = HeaderFault::truncated;
  std::int16_t api_key = -1;
  std::int16_t version = -1;
};

[[nodiscard]] std::string to_string(const HeaderError& error);

// The header of a received request and the view of its body; valid as long as the frame.
struct ReceivedRequest {
  const ApiInfo* api = nullptr;
  std::int16_t version = 0;
  CorrelationId correlation_id;
  String client_id;  // null if the client gave none
  Bytes body;
  // False only for ApiVersions: a client that asks in too new a version gets an answer in version 0
  // that names UNSUPPORTED_VERSION and the versions that there are, and then asks again.
  bool version_supported = true;
};

[[nodiscard]] Result<ReceivedRequest, HeaderError> read_request_header(Bytes frame);

// The correlation id of a response; the body begins after the header of the version that the
// request had.
struct ReceivedResponse {
  CorrelationId correlation_id;
  Bytes body;
};

[[nodiscard]] Result<CorrelationId, DecodeError> read_correlation_id(Bytes frame);
[[nodiscard]] Result<ReceivedResponse, DecodeError> read_response_header(Bytes frame,
                                                                         const ApiInfo& api,
                                                                         std::int16_t version);

}  // namespace millrace::protocol
