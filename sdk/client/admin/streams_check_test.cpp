// The part of client_admin_check that asks about an application of Kafka Streams on Apache Kafka:
// first while it runs, then when it has ended. It counts the words of a topic with two partitions,
// each of which has a record.
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster_check.hpp"

import millrace.base;
import millrace.client.admin;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {
namespace {

class Streams : public Expectations {
 public:
  Streams(AdminClient& admin, Executor& executor) : admin_(admin), executor_(executor) {}

  Task<int> while_it_runs() {
    co_await until([this] { return describes_all(); }, "describe_streams_groups");
    co_await until([this] { return is_committed(); }, "list_group_offsets");
    expect(co_await admin_.describe_streams_groups({group_, "check-none"}),
           "describe_streams_groups of two", {ErrorCode::none, ErrorCode::group_id_not_found});
    co_await is_listed();
    expect(co_await admin_.delete_groups({group_}), "delete_groups of one with members",
           {ErrorCode::non_empty_group});
    expect(co_await admin_.alter_group_offsets(group_, {{first_, {.offset = Offset(0)}}}),
           "alter_group_offsets of one with members", {ErrorCode::unknown_member_id});
    expect(co_await admin_.delete_group_offsets(group_, {first_}),
           "delete_group_offsets of what it reads", {ErrorCode::group_subscribed_to_topic});
    co_return failures();
  }

  Task<int> when_it_has_ended() {
    co_await until([this] { return is_empty(); }, "describe_streams_groups of an empty one");
    expect(co_await admin_.alter_group_offsets(group_, {{first_, {.offset = Offset(0)}}}),
           "alter_group_offsets", {ErrorCode::none});
    expect(co_await admin_.delete_group_offsets(group_, {second_}), "delete_group_offsets",
           {ErrorCode::none});
    const auto left = co_await admin_.list_group_offsets(group_);
    expect(left, "list_group_offsets");
    expect(left && left->size() == 1 && (*left)[0].first == first_ && (*left)[0].second &&
               (*left)[0].second->offset == Offset(0),
           "list_group_offsets tells what is left");
    expect(co_await admin_.delete_groups({group_}), "delete_groups", {ErrorCode::none});
    expect(co_await admin_.describe_streams_groups({group_}),
           "describe_streams_groups of one that went", {ErrorCode::group_id_not_found});
    co_return failures();
  }

 private:
  template <class IsSo>
  Task<void> until(IsSo is_so, std::string_view what) {
    return wait_until(executor_, std::move(is_so), what, last_);
  }

  Task<bool> describes_all() {
    const auto told = co_await admin_.describe_streams_groups({group_});
    if (told.size() != 1 || !told[0].second) {
      last_ = told.empty() ? "no outcome" : to_string(told[0].second.error());
      co_return false;
    }
    const DescribedStreamsGroup& group = *told[0].second;
    last_ = formatted("{} in {}, {} members", group.id, group.state, group.members.size());
    if (group.state != "Stable" || group.members.size() != 1) co_return false;
    // It counts in the part that reads: one subtopology, whose counts have a changelog.
    const bool is_known =
        group.subtopologies.size() == 1 && group.epoch > 0 &&
        group.subtopologies[0].source_topics == std::vector{first_.topic} &&
        group.subtopologies[0].changelog_topics.size() == 1 &&
        group.subtopologies[0].changelog_topics[0].name == group_ + "-counts-changelog";
    const StreamsMember& member = group.members[0];
    const std::vector<StreamsTasks>& tasks = member.assignment.active;
    last_ += formatted("; subtopologies {}, tasks {}, process {}", group.subtopologies.size(),
                       tasks.size(), member.process_id);
    const bool is_shared_out =
        tasks.size() == 1 && tasks[0].subtopology == group.subtopologies[0].id &&
        tasks[0].partitions == std::vector{first_.partition, second_.partition} &&
        !member.process_id.empty() && !member.is_classic;
    const bool is_all = is_known && is_shared_out;
    co_return is_all;
  }

  Task<bool> is_committed() {
    const auto told = co_await admin_.list_group_offsets(group_, {first_, second_});
    last_ = told ? "nothing is committed" : to_string(told.error());
    co_return told && told->size() == 2 && std::ranges::all_of(*told, [](const auto& row) {
      return row.second && row.second->offset > Offset(0);
    });
  }

  Task<bool> is_empty() {
    const auto told = co_await admin_.describe_streams_groups({group_});
    const bool is_known = told.size() == 1 && told[0].second.has_value();
    last_ = is_known ? told[0].second->state : "it is not known";
    const bool is_left =
        is_known && told[0].second->state == "Empty" && told[0].second->members.empty();
    co_return is_left;
  }

  Task<void> is_listed() {
    ListGroupsOptions streams;
    streams.types = {"streams"};
    const auto listed = co_await admin_.list_groups(streams);
    expect(listed, "list_groups of streams");
    expect(listed && listed->groups.size() == 1 && listed->groups[0].id == group_ &&
               listed->groups[0].type == "streams",
           "list_groups tells of the group of streams");
  }

  AdminClient& admin_;
  Executor& executor_;
  const std::string group_ = "check-streams";
  const TopicPartition first_{"check-words", PartitionIndex(0)};
  const TopicPartition second_{"check-words", PartitionIndex(1)};
  std::string last_;
};

}  // namespace

Task<int> check_streams(AdminClient& admin, Executor& executor, bool has_ended) {
  Streams streams(admin, executor);
  co_return has_ended ? co_await streams.when_it_has_ended() : co_await streams.while_it_runs();
}

}  // namespace millrace::client
