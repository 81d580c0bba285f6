// What members of a group say to one another through the broker: any bytes as a subscription or an
// assignment. Client and coordinator read the same topics out of it, and what was read can be
// written and read again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.groups;

namespace {

using namespace millrace;
using client::AssignorKind;

void check_subscription(ByteView bytes, AssignorKind strategy) {
  const auto read = client::decode_subscription(bytes, strategy);
  const auto seen = groups::subscribed_topics(bytes);
  check(read.has_value() == seen.has_value(), "client and coordinator agree on what is readable");
  if (!read) return;
  std::vector<std::string> topics = *seen;
  std::ranges::sort(topics);
  topics.erase(std::ranges::unique(topics).begin(), topics.end());
  check(topics == read->topics, "client and coordinator read the same topics");
  const auto written = client::encode_subscription(*read, strategy);
  if (!written) return;
  const auto again = client::decode_subscription(*written, strategy);
  check(again && again->topics == read->topics && again->generation == read->generation,
        "what was read can be written and read again");
}

void check_assignment(ByteView bytes) {
  const auto read = client::decode_assignment(bytes);
  if (!read) return;
  const auto written = client::encode_assignment(*read);
  if (!written) return;
  const auto again = client::decode_assignment(*written);
  check(again && *again == *read, "what was read can be written and read again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  for (const AssignorKind strategy : {AssignorKind::range, AssignorKind::round_robin,
                                      AssignorKind::sticky, AssignorKind::cooperative_sticky}) {
    check_subscription(bytes, strategy);
  }
  check_assignment(bytes);
  return 0;
}
