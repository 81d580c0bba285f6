// The answers to DescribeConfigs and ListConfigResources.
module;
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

export module millrace.broker.requests:config_answers;

import millrace.broker.requests.configs;
import millrace.broker.requests.ports;
import millrace.metadata;
import millrace.protocol.admin;
import millrace.protocol.wire;
import :surroundings;

export namespace millrace::broker {

// The message, and what its views stand on besides the image and the request.
struct ConfigsAnswer {
  protocol::DescribeConfigsResponse message;
  std::deque<std::vector<ConfigRow>> rows;
  std::deque<std::string> sentences;
};

// Each resource is told once, however often the request names it.
[[nodiscard]] std::unique_ptr<ConfigsAnswer> answer_configs(
    const protocol::DescribeConfigsRequest& request, const metadata::Image& image,
    const Permissions& permissions, const HandlerSurroundings& around, protocol::Arena& arena);

struct ConfigResourcesAnswer {
  protocol::ListConfigResourcesResponse message;
  std::deque<std::string> names;
};

[[nodiscard]] std::unique_ptr<ConfigResourcesAnswer> answer_config_resources(
    const protocol::ListConfigResourcesRequest& request, std::int16_t version,
    const ClusterView& view, protocol::Arena& arena);

}  // namespace millrace::broker
