module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

module millrace.protocol.framing;

import millrace.protocol.header;

namespace millrace::protocol {

namespace {

// API key, version, correlation id.
constexpr std::size_t fixed_header_bytes = 8;
constexpr std::size_t correlation_id_bytes = 4;

// The headers hold no arrays, so they take nothing from the arena.
constexpr std::size_t header_arena_bytes_max = 0;

}  // namespace

std::string_view name_of(HeaderFault fault) {
  switch (fault) {
    case HeaderFault::truncated:
      return "the request ends inside its header";
    case HeaderFault::malformed:
      return "the request header cannot be read";
    case HeaderFault::unknown_api:
      return "unknown API key";
    case HeaderFault::unsupported_version:
      return "unsupported version";
  }
  return "unknown fault";
}

std::string to_string(const HeaderError& error) {
  std::string text(name_of(error.fault));
  if (error.api_key < 0 && error.version < 0) return text;
  text += ": API key " + std::to_string(error.api_key);
  if (const ApiInfo* api = find_api(error.api_key); api != nullptr) {
    text += " (" + std::string(api->name) + ", versions " + std::to_string(api->version_min) +
            " to " + std::to_string(api->version_max) + ")";
  }
  return text + ", version " + std::to_string(error.version);
}

Result<ReceivedRequest, HeaderError> read_request_header(Bytes frame) {
  if (frame.size() < fixed_header_bytes) return failure(HeaderError{});
  ReceivedRequest request;
  const auto key = load_big_endian<std::int16_t>(frame.data());
  request.version = load_big_endian<std::int16_t>(frame.data() + 2);
  request.api = find_api(key);
  const auto refused = [&](HeaderFault fault) {
    return failure(HeaderError{fault, key, request.version});
  };
  if (request.api == nullptr) return refused(HeaderFault::unknown_api);
  request.version_supported = supports(*request.api, request.version);
  if (!request.version_supported) {
    const bool newer = request.version > request.api->version_max;
    if (!newer || request.api->key != ApiKey::api_versions) {
      return refused(HeaderFault::unsupported_version);
    }
  }
  Arena arena(header_arena_bytes_max);
  RequestHeader header;
  const std::int16_t header_version = request_header_version(*request.api, request.version);
  const DecodeResult read = decode(header, frame, header_version, arena);
  if (!read) return refused(HeaderFault::malformed);
  request.correlation_id = CorrelationId(header.correlation_id);
  request.client_id = header.client_id;
  request.body = frame.subspan(*read);
  return request;
}

Result<CorrelationId, DecodeError> read_correlation_id(Bytes frame) {
  if (frame.size() < correlation_id_bytes) {
    return failure(DecodeError{DecodeFault::truncated, 0});
  }
  return CorrelationId(load_big_endian<std::int32_t>(frame.data()));
}

Result<ReceivedResponse, DecodeError> read_response_header(Bytes frame, const ApiInfo& api,
                                                           std::int16_t version) {
  Arena arena(header_arena_bytes_max);
  ResponseHeader header;
  const DecodeResult read = decode(header, frame, response_header_version(api, version), arena);
  if (!read) return failure(read.error());
  return ReceivedResponse{CorrelationId(header.correlation_id), frame.subspan(*read)};
}

}  // namespace millrace::protocol
