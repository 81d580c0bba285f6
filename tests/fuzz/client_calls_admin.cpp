// An administrative client: each call ends, and each thing that it names has one outcome.
#include <array>
#include <optional>
#include <string_view>

#include "client_calls.hpp"

// The imports come after all that includes standard headers.
import millrace.client.admin;

namespace millrace::fuzz {
namespace {

using namespace client;
using std::literals::chrono_literals::operator""s;

TopicPartition place(std::int32_t partition) {
  return {"orders", PartitionIndex(partition)};
}

template <class T>
void one(const T& outcomes) {
  check(outcomes.size() == 1, "one thing has one outcome");
}

// Four calls, one after the other.
class Administering {
 public:
  explicit Administering(Input& input) : around_(input) {
    const std::uint8_t choices = input.byte();
    around_.damage.versions_too = (choices & 1) != 0;
    for (std::uint8_t& call : calls_) call = input.byte();
    const std::vector<mock::StoredRecord> records(
        8,
        {.offset = no_offset, .timestamp = Timestamp(100), .key = {}, .value = "x", .headers = {}});
    check(around_.cluster->append("orders", PartitionIndex(0), records).has_value(),
          "records are appended");
    AdminSettings settings;
    around_.prepare(settings.common);
    admin_.emplace(settings, around_.executor, around_.damaging, around_.resolver, around_.log());
    configs_.timeout = 3s;
    groups_.timeout = 3s;
  }
  void go() {
    around_.run(use());
    around_.run(admin_->close());
    admin_.reset();
  }

 private:
  Task<void> use() {
    for (const std::uint8_t call : calls_) {
      switch (call & 3) {
        case 0:
          co_await of_topics(call >> 2);
          break;
        case 1:
          co_await of_groups(call >> 2);
          break;
        case 2:
          co_await of_rights(call >> 2);
          break;
        default:
          co_await of_cluster(call >> 2);
          break;
      }
    }
  }
  Task<void> of_topics(unsigned call) {
    const Uuid id{{std::byte{1}}};
    switch (call % 12) {
      case 0:
        co_return one(co_await admin_->create_topics({{.name = "new"}}, soon_));
      case 1:
        co_return one(co_await admin_->delete_topics({"new"}, soon_));
      case 2:
        co_return one(co_await admin_->describe_topics({"orders"}, soon_));
      case 3:
        co_return one(co_await admin_->describe_topics_by_id({id}, soon_));
      case 4:
        co_return one(co_await admin_->delete_topics_by_id({id}, soon_));
      case 5:
        co_return one(co_await admin_->create_partitions({{"orders", 3}}, soon_));
      case 6:
        co_return one(co_await admin_->delete_records({{place(0), Offset(2)}}, soon_));
      case 7:
        co_return one(co_await admin_->describe_producers({place(0)}, soon_));
      case 8: {
        const auto found = co_await admin_->list_offsets(
            {{place(0), OffsetSpec::latest}, {place(1), OffsetSpec::earliest}}, soon_);
        co_return check(found.size() == 2, "each partition has an outcome");
      }
      case 9:
        static_cast<void>(co_await admin_->elect_leaders(Election::preferred, {place(0)}, soon_));
        break;
      case 10:
        static_cast<void>(co_await admin_->list_reassignments({}, soon_));
        break;
      default:
        static_cast<void>(co_await admin_->list_topics(soon_));
        break;
    }
  }
  Task<void> of_groups(unsigned call) {
    switch (call % 12) {
      case 0:
        co_return one(co_await admin_->describe_groups({"billing"}, soon_));
      case 1:
        co_return one(co_await admin_->delete_groups({"billing"}, soon_));
      case 2:
        co_return one(
            co_await admin_->alter_group_offsets("billing", {{place(0), {Offset(1)}}}, soon_));
      case 3:
        co_return one(co_await admin_->delete_group_offsets("billing", {place(0)}, soon_));
      case 4:
        co_return one(co_await admin_->remove_members("billing", {{"worker-7"}}, soon_));
      case 5:
        co_return one(co_await admin_->describe_share_groups({"shared"}, soon_));
      case 6:
        co_return one(co_await admin_->describe_streams_groups({"flow"}, soon_));
      case 7:
        co_return one(
            co_await admin_->alter_share_offsets("shared", {{place(0), Offset(1)}}, soon_));
      case 8:
        co_return one(co_await admin_->delete_share_offsets("shared", {"orders"}, soon_));
      case 9:
        static_cast<void>(co_await admin_->list_share_offsets("shared", {}, soon_));
        break;
      case 10:
        static_cast<void>(co_await admin_->list_group_offsets("billing", {}, soon_));
        break;
      default:
        static_cast<void>(co_await admin_->list_groups(groups_));
        break;
    }
  }
  Task<void> of_rights(unsigned call) {
    const AclBinding rule{.name = "orders", .principal = "User:alice"};
    const QuotaEntity alice = {{.type = "user", .name = "alice"}};
    const std::vector<std::byte> hmac = {std::byte{1}};
    switch (call % 10) {
      case 0:
        co_return one(co_await admin_->create_acls({rule}, soon_));
      case 1:
        co_return one(co_await admin_->delete_acls({{}}, soon_));
      case 2:
        co_return one(
            co_await admin_->alter_quotas({{alice, {{"producer_byte_rate", 1.0}}}}, soon_));
      case 3:
        co_return one(co_await admin_->fence_producers({"copy"}, soon_));
      case 4:
        co_return one(co_await admin_->describe_transactions({"copy"}, soon_));
      case 5:
        static_cast<void>(co_await admin_->describe_acls({}, soon_));
        break;
      case 6:
        static_cast<void>(co_await admin_->describe_quotas({}, soon_));
        break;
      case 7:
        static_cast<void>(co_await admin_->describe_scram({}, soon_));
        break;
      case 8:
        static_cast<void>(co_await admin_->create_token({}, soon_));
        break;
      default:
        static_cast<void>(co_await admin_->describe_tokens({}, soon_));
        break;
    }
  }
  Task<void> of_cluster(unsigned call) {
    const ConfigResource topic{ResourceType::topic, "orders"};
    switch (call % 11) {
      case 0:
        co_return one(co_await admin_->describe_configs({topic}, configs_));
      case 1:
        co_return one(co_await admin_->alter_configs(
            {{topic, {{"retention.ms", ConfigOperation::set, "5000"}}}}, soon_));
      case 2:
        co_return one(co_await admin_->describe_log_dirs({BrokerId(1)}, soon_));
      case 3:
        co_return one(
            co_await admin_->update_features({{.name = "group.version", .level = 1}}, soon_));
      case 4:
        co_return one(co_await admin_->describe_replica_log_dirs({{place(0), BrokerId(1)}}, soon_));
      case 5:
        static_cast<void>(co_await admin_->describe_cluster(soon_));
        break;
      case 6:
        static_cast<void>(co_await admin_->describe_features(soon_));
        break;
      case 7:
        static_cast<void>(co_await admin_->describe_quorum(soon_));
        break;
      case 8:
        static_cast<void>(co_await admin_->list_config_resources({}, soon_));
        break;
      case 9:
        static_cast<void>(co_await admin_->list_transactions({}, soon_));
        break;
      default:
        static_cast<void>(co_await admin_->client_instance_id(soon_));
        break;
    }
  }

  Surroundings around_;
  std::array<std::uint8_t, 4> calls_{};
  std::optional<AdminClient> admin_;
  AdminOptions soon_{.timeout = 3s};
  DescribeConfigsOptions configs_;
  ListGroupsOptions groups_;
};

}  // namespace

void administer(Input& input) {
  Administering(input).go();
}

}  // namespace millrace::fuzz
