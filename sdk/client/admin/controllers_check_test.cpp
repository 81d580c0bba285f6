// What an administrative client does at a controller of Apache Kafka, and at a broker of it that
// collects metrics of clients.
#include <coroutine>
#include <string>
#include <vector>

#include "cluster_check.hpp"

namespace millrace::client {
namespace {

class Controllers : public Expectations {
 public:
  explicit Controllers(AdminClient& admin) : admin_(admin) {}

  Task<int> run() {
    const auto cluster = co_await admin_.describe_cluster();
    expect(cluster, "describe_cluster");
    expect(cluster && cluster->brokers.size() == 1 && cluster->controller == BrokerId(1),
           "the cluster has one controller, 1");
    const auto quorum = co_await admin_.describe_quorum();
    expect(quorum, "describe_quorum");
    expect(quorum && quorum->leader == BrokerId(1) && quorum->voters.size() == 1,
           "the quorum has one voter, which leads");
    const auto features = co_await admin_.describe_features();
    expect(features, "describe_features");
    expect(features && !features->features.empty(), "there are features");
    co_await changes();
    co_await what_needs_brokers();
    co_return failures();
  }

 private:
  Task<void> changes() {
    const ConfigResource all{ResourceType::broker, ""};
    const auto set = [&](ConfigOperation operation) {
      return admin_.alter_configs({{all, {{"log.cleaner.threads", operation, "2"}}}});
    };
    expect(co_await set(ConfigOperation::set), "alter_configs", {ErrorCode::none});
    const auto described = co_await admin_.describe_configs({all});
    expect(described, "describe_configs", {ErrorCode::none});
    bool is_set = false;
    if (described[0].second) {
      for (const ConfigEntry& entry : *described[0].second)
        is_set |= entry.name == "log.cleaner.threads" && entry.value == "2";
    }
    expect(is_set, "describe_configs tells of what was set");
    expect(co_await set(ConfigOperation::remove), "alter_configs back", {ErrorCode::none});
    expect(co_await admin_.unregister_broker(BrokerId(9)), "unregister_broker",
           ErrorCode::broker_id_not_registered);
    expect(co_await admin_.update_features({{.name = "no.such", .level = 1}}), "update_features",
           {ErrorCode::invalid_update_version});
    expect(co_await admin_.create_topics({{.name = "by-controller", .partitions = 1}}),
           "create_topics", {ErrorCode::none});
  }

  Task<void> what_needs_brokers() {
    expect(co_await admin_.list_topics(), "list_topics", ErrorCode::unsupported_version);
    expect(co_await admin_.describe_topics({"by-controller"}), "describe_topics",
           {ErrorCode::unsupported_version});
    expect(co_await admin_.describe_groups({"none"}), "describe_groups",
           {ErrorCode::unsupported_version});
    expect(co_await admin_.client_instance_id(), "client_instance_id",
           ErrorCode::unsupported_version);
  }

  AdminClient& admin_;
};

class Telemetry : public Expectations {
 public:
  Task<int> run(AdminClient& admin) {
    const auto first = co_await admin.client_instance_id();
    const auto second = co_await admin.client_instance_id();
    expect(first, "client_instance_id");
    expect(first && second && *first == *second && !first->is_zero(), "the id is given once");
    co_return failures();
  }
};

}  // namespace

Task<int> check_controllers(AdminClient& admin) {
  Controllers controllers(admin);
  co_return co_await controllers.run();
}

Task<int> check_telemetry(AdminClient& admin) {
  Telemetry telemetry;
  co_return co_await telemetry.run(admin);
}

}  // namespace millrace::client
