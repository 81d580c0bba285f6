// millrace.cli.operations: commands that look after a cluster.
module;
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/admin.hpp"

export module millrace.cli.operations;

export import :placement_plan;
export import :tar_file;
import millrace.cli.frame;
import millrace.cli.session;

export namespace millrace::cli {

[[nodiscard]] std::vector<Command> topic_commands();
[[nodiscard]] std::vector<Command> group_commands();
[[nodiscard]] std::vector<Command> config_commands();
[[nodiscard]] std::vector<Command> cluster_commands();
[[nodiscard]] std::vector<Command> profile_commands();
[[nodiscard]] std::vector<Command> debug_commands();

}  // namespace millrace::cli

// What the descriptions name.
namespace millrace::cli {

[[nodiscard]] Answer create_topics(const Call& call);
[[nodiscard]] Answer list_topics(const Call& call);
[[nodiscard]] Answer describe_topic(const Call& call);
[[nodiscard]] Answer alter_topic(const Call& call);
[[nodiscard]] Answer add_partitions(const Call& call);
[[nodiscard]] Answer delete_topics(const Call& call);
[[nodiscard]] Answer trim_topic(const Call& call);

[[nodiscard]] Answer list_groups(const Call& call);
[[nodiscard]] Answer describe_group(const Call& call);
[[nodiscard]] Answer reset_offsets(const Call& call);
[[nodiscard]] Answer delete_groups(const Call& call);

[[nodiscard]] Answer list_configs(const Call& call);

[[nodiscard]] Answer cluster_health(const Call& call);
[[nodiscard]] Answer list_brokers(const Call& call);
[[nodiscard]] Answer list_leaders(const Call& call);
[[nodiscard]] Answer describe_quorum(const Call& call);
[[nodiscard]] Answer reassign(const Call& call);
[[nodiscard]] Answer drain(const Call& call);
[[nodiscard]] Answer elect(const Call& call);

// With their partitions.
[[nodiscard]] std::optional<std::vector<v1::DescribedTopic>> all_topics(ClientSession& session,
                                                                        Failures& failures);
// "orders:0,3" or "orders".
[[nodiscard]] std::optional<std::vector<v1::TopicPartition>> named_partitions(
    ClientSession& session, const std::string& text, Failures& failures);

}  // namespace millrace::cli
