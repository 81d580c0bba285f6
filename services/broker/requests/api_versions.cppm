// The answer to ApiVersions, by which a client learns how to talk to this broker.
module;
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

export module millrace.broker.requests:api_versions;

import millrace.metadata;
import millrace.protocol.metadata;
import millrace.protocol.wire;
import :api_rules;

export namespace millrace::broker {

// A feature of the cluster that works, and the levels of it that this broker knows.
struct Feature {
  std::string_view name;
  std::int16_t level_min = 0;
  std::int16_t level_max = 0;
};

// A feature that clients act on stands here as soon as it works.
[[nodiscard]] std::span<const Feature> features_that_work();

// `version_supported`: false where the client asked in a version too new for us. It is then told in
// version 0 which ones there are, and asks again.
[[nodiscard]] protocol::ApiVersionsResponse answer_api_versions(
    const protocol::ApiVersionsRequest& request, std::int16_t version, bool version_supported,
    std::span<const Feature> features, const metadata::Image& image, protocol::Arena& arena);

}  // namespace millrace::broker
