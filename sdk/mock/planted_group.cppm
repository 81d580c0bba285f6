// Groups that brokers tell of and whose members are nobody: of the kinds that the mock does not
// run.
module;
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

export module millrace.mock:planted_group;

import millrace.base;

export namespace millrace::mock {

enum class GroupKind : std::uint8_t { consumer, share, streams };

struct PlantedMember {
  std::string id;
  std::string client_id = "worker";
  std::string topic;  // that it subscribes to, and is assigned
  std::vector<std::int32_t> partitions = {};
};
struct PlantedGroup {
  GroupKind kind = GroupKind::consumer;
  std::string id;
  std::string state = "Stable";
  std::int32_t epoch = 1;
  std::vector<PlantedMember> members = {};
  // Of a share group, where it begins to read.
  std::map<std::pair<std::string, std::int32_t>, Offset> starts = {};
};

}  // namespace millrace::mock
