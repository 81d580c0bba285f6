// A request for many partitions, on the shards where they are.
module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.partitions.data:scatter;

import millrace.base;
import millrace.broker.partitions;
import millrace.runtime;
import millrace.runtime.shard;
import :data_requests;

namespace millrace::broker {

// One partition that is asked about. What derives from it has the question and the answer.
struct PartitionQuery {
  std::string_view topic;
  PartitionIndex index{};
  LeaderEpoch current = no_leader_epoch;
  ShardIndex shard{};
  ErrorCode code = ErrorCode::none;  // what is not none is not looked at
  std::string message;

  void fail(ErrorCode error) { code = error; }
  void fail(PartitionError error) {
    code = error.code;
    message = std::move(error.message);
  }
};

// Function: Task<void>(Partition&, Query&), on the partition's shard, which leads it.
template <class Query, class Function>
class Scatter {
 public:
  Scatter(DataRequests& owner, std::vector<Query>& queries, Function function)
      : owner_(owner), queries_(queries), function_(std::move(function)) {}

  [[nodiscard]] Task<void> run() {
    const ShardIndex here = owner_.context().here.index();
    std::vector<bool> shards(owner_.context().all.size());
    for (const Query& query : queries_) {
      if (query.code == ErrorCode::none) shards[query.shard.value()] = true;
    }
    TaskGroup working;
    for (std::uint32_t shard = 0; shard < shards.size(); ++shard) {
      if (!shards[shard]) continue;
      working.start(ShardIndex(shard) == here ? work_on(owner_) : call(ShardIndex(shard)));
    }
    co_await working.wait();
  }

 private:
  [[nodiscard]] Task<void> call(ShardIndex shard) {
    co_await owner_.context().here.call(shard, [this](Shard& there) {
      return work_on(*owner_.context().all[there.index().value()]);
    });
  }

  // Of the queries only those of this shard are touched.
  [[nodiscard]] Task<void> work_on(DataRequests& there) {
    const ShardIndex here = there.context().here.index();
    const auto count = static_cast<std::size_t>(std::ranges::count_if(
        queries_, [here](const Query& query) { return query.shard == here; }));
    std::size_t next = 0;
    TaskGroup workers;
    for (std::size_t i = 0; i < std::min(count, partitions_at_a_time_max); ++i) {
      workers.start(work(there, next));
    }
    co_await workers.wait();
  }

  [[nodiscard]] Task<void> work(DataRequests& there, std::size_t& next) {
    const ShardIndex here = there.context().here.index();
    while (next < queries_.size()) {
      Query& query = queries_[next++];
      if (query.shard != here || query.code != ErrorCode::none) continue;
      const auto led = there.context().partitions.leader(query.topic, query.index, query.current);
      if (!led) {
        query.fail(led.error());
        continue;
      }
      const auto kept = (*led)->shared_from_this();
      co_await function_(*kept, query);
    }
  }

  DataRequests& owner_;
  std::vector<Query>& queries_;
  Function function_;
};

}  // namespace millrace::broker
