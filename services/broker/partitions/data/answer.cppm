// Requests whose answer has the shape of the request: topics, and partitions in them.
module;
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

module millrace.broker.partitions.data:answer;

import millrace.base;
import millrace.broker.partitions;
import millrace.protocol.wire;
import :data_requests;
import :scatter;

namespace millrace::broker {

// One query for each partition of the request, in its order. `name_of(topic)`,
// `partitions_of(topic)`; `fill(query, partition)` sets the index and the question.
template <class Query, class Topic, class Partitions, class Fill>
[[nodiscard]] std::vector<Query> queries_of(const DataRequests& owner,
                                            const protocol::Array<Topic>& topics,
                                            protocol::String Topic::* name,
                                            protocol::Array<Partitions> Topic::* partitions,
                                            Fill fill) {
  const auto shards = static_cast<std::uint32_t>(owner.context().all.size());
  std::size_t count = 0;
  for (const Topic& topic : topics) count += (topic.*partitions).size();
  std::vector<Query> queries;
  queries.reserve(count);
  for (const Topic& topic : topics) {
    for (const auto& partition : topic.*partitions) {
      Query& query = queries.emplace_back();
      query.topic = topic.*name;
      fill(query, partition);
      query.shard = shard_of(query.topic, query.index, shards);
    }
  }
  return queries;
}

// The topics of the answer, in an arena; null when it is full. `fill(partition, query)`.
template <class Out, class OutPartition, class Query, class Topic, class Partitions, class Fill>
[[nodiscard]] Out* topics_of_answer(protocol::Arena& arena, std::vector<Query>& queries,
                                    const protocol::Array<Topic>& topics,
                                    protocol::Array<Partitions> Topic::* partitions,
                                    protocol::String Topic::* name,
                                    protocol::String Out::* out_name,
                                    protocol::Array<OutPartition> Out::* out_partitions,
                                    Fill fill) {
  Out* answered = arena.make_array<Out>(topics.size());
  OutPartition* each = arena.make_array<OutPartition>(queries.size());
  if (answered == nullptr || each == nullptr) return nullptr;
  std::size_t next = 0;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    const std::size_t first = next;
    for (const std::size_t end = first + (topics[i].*partitions).size(); next < end; ++next) {
      fill(each[next], queries[next]);
    }
    answered[i].*out_name = topics[i].*name;
    answered[i].*out_partitions = std::span<const OutPartition>(each + first, next - first);
  }
  return answered;
}

}  // namespace millrace::broker
