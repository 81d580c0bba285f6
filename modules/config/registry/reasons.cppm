// Why a name that is known has no effect, as the ends of sentences.
module;
#include <string_view>

export module millrace.config:reasons;

namespace millrace::config::reasons {

constexpr std::string_view all_by_voters = "controllers are found by controller.quorum.voters";
constexpr std::string_view budgeted = "all request memory is under one budget";
constexpr std::string_view by_shards = "work is shared among shards, see millrace.shards";
constexpr std::string_view dropped = "Kafka itself has dropped it";
constexpr std::string_view grown = "segments grow as they are written";
constexpr std::string_view internal = "it is internal to Kafka";
constexpr std::string_view java_class = "it names a Java class, and none can be loaded";
constexpr std::string_view loaded_in_parts = "groups are loaded in parts of a fixed size";
constexpr std::string_view metrics = "metrics are served as Prometheus text";
constexpr std::string_view no_acls = "access control lists are not supported yet";
constexpr std::string_view no_consumer_protocol =
    "the consumer protocol of KIP-848 is not supported yet";
constexpr std::string_view no_purgatory = "waiting requests need no purging";
constexpr std::string_view no_quorum = "several controllers are not supported yet";
constexpr std::string_view no_quotas = "quotas are not supported yet";
constexpr std::string_view no_replication = "replication over several brokers is not supported yet";
constexpr std::string_view no_security = "TLS and SASL are not supported yet";
constexpr std::string_view no_share = "share groups are not supported yet";
constexpr std::string_view no_streams = "streams groups are not supported yet";
constexpr std::string_view no_tiering = "tiered storage is not supported yet";
constexpr std::string_view no_transactions = "transactions are not supported yet";
constexpr std::string_view not_supported = "it is not supported";
constexpr std::string_view own_metadata = "the metadata log is organised differently";
constexpr std::string_view own_rpc = "servers speak to one another over connections of their own";
constexpr std::string_view own_writes = "writes of the coordinator are grouped by themselves";
constexpr std::string_view serves_on = "a broker with a failed folder goes on with its others";

}  // namespace millrace::config::reasons
