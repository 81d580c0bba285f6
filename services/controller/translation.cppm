// Kafka's requests for the controller, as its machine knows them, and back.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

export module millrace.controller:translation;

import millrace.base;
import millrace.config;
import millrace.metadata.machine;
import millrace.protocol.api;

export namespace millrace::controller {

using Body = std::vector<std::byte>;

// The body of a request in its version. Fails where the controller has no such request, or the
// bytes are none.
[[nodiscard]] Result<metadata::Request, metadata::Outcome> read_request(protocol::ApiKey api,
                                                                        std::int16_t version,
                                                                        ByteView body);

// The body of the answer in that version. `server` is where settings of new topics come from that
// were not given. Fails with what the reply says of the whole request.
[[nodiscard]] Result<Body, metadata::Outcome> write_reply(protocol::ApiKey api,
                                                          std::int16_t version,
                                                          const metadata::Reply& reply,
                                                          const config::ServerConfig& server);

// What the group of controllers looks like.
struct QuorumState {
  struct Replica {
    std::int32_t id = -1;
    std::int64_t log_end = -1;
  };
  std::int32_t leader = -1;
  std::int32_t epoch = 0;
  std::int64_t high_watermark = -1;
  std::vector<Replica> voters;
  Timestamp now;
};
// The answer to a DescribeQuorum request: of __cluster_metadata-0, whatever else is asked for is
// not there.
[[nodiscard]] Result<Body, metadata::Outcome> describe_quorum(std::int16_t version, ByteView body,
                                                              const QuorumState& state);

}  // namespace millrace::controller
