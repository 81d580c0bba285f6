// The answer to Metadata.
module;
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

export module millrace.broker.requests.lookups:metadata_answer;

import millrace.protocol.metadata;
import millrace.protocol.wire;
import :cluster_view;

export namespace millrace::broker {

struct MetadataAnswer {
  // Views of the image, the request and the arena.
  protocol::MetadataResponse message;
  // Topics with legal names that are not there and may be made; told as unknown until they are.
  std::vector<std::string_view> to_create;
  // Names that no topic can have.
  std::size_t illegal_count = 0;
  std::string_view first_illegal;
};

// `may_create`: the broker makes topics that are asked for (auto.create.topics.enable). Each topic
// is told once, however often the request names it.
[[nodiscard]] MetadataAnswer answer_metadata(const protocol::MetadataRequest& request,
                                             std::int16_t version, const ClusterView& view,
                                             bool may_create, std::string_view cluster_id,
                                             protocol::Arena& arena);

}  // namespace millrace::broker
