// The answer to a fetch, put together from what was found.
module;
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

export module millrace.broker.fetching:answer;

import millrace.base;
import millrace.metadata;
import millrace.protocol.fetch;
import :part;

export namespace millrace::broker {

// Makes one answer at a time; keeps its memory for the next one. What was found, with the records,
// stays in place until the answer is sent.
class FetchAnswer {
 public:
  // Of partitions of one topic that come one after the other, one topic is made.
  // Of aborted transactions only readers of what is committed are told.
  void add(FetchedPartition& found, bool with_records, Isolation isolation);
  // Where the leaders are that NOT_LEADER_OR_FOLLOWER names, by the listener of the client.
  void add_endpoints(const metadata::Image& image, std::string_view listener);
  // Views into this object and into what was found.
  [[nodiscard]] protocol::FetchResponse finish();
  void clear();

 private:
  using Response = protocol::FetchResponse;
  struct Topic {
    std::string_view name;
    Uuid id;
    std::size_t first = 0;
  };

  std::vector<Topic> topics_;
  std::vector<Response::PartitionData> partitions_;
  std::vector<std::size_t> aborted_ends_;  // of each partition
  bool tells_aborted_ = false;
  std::vector<Response::AbortedTransaction> aborted_;
  std::vector<Response::FetchableTopicResponse> responses_;
  std::vector<Response::NodeEndpoint> endpoints_;
};

}  // namespace millrace::broker
