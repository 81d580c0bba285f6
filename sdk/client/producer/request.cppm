// A produce request over the batches of one broker, and who is who in its answer.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

export module millrace.client.producer:request;

import millrace.base;
import millrace.client.core;
import millrace.protocol.produce;
import :batch;
import :partition;

export namespace millrace::client {

// From the first version that names topics by id.
inline constexpr std::int16_t produce_topic_id_version = 13;
// From the first version that knows zstd.
inline constexpr std::int16_t produce_zstd_version = 7;

// The transaction that the batches of a request are part of, and the versions that say so.
struct TransactionOf {
  std::string_view id = protocol::null_string;
  std::int16_t version_min = 0;
  std::int16_t version_max = protocol::ProduceRequest::version_max;
};

// Views the bytes of its batches, which stay in place until its call has ended. Used again and
// again, so that its memory is taken once. On the client's thread.
class OutgoingProduce {
 public:
  struct Item {
    Partition* partition = nullptr;
    Batch* batch = nullptr;
    Uuid topic_id;
  };

  void add(const Item& item);
  // After the last item.
  void finish(Acks acks, Duration timeout, const TransactionOf& transaction = {});
  void clear();

  [[nodiscard]] const std::vector<Item>& items() const { return items_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] const protocol::ProduceRequest& message() const { return message_; }
  [[nodiscard]] std::int16_t version_min() const {
    return std::max(version_min_, needs_zstd_ ? produce_zstd_version : std::int16_t{0});
  }
  [[nodiscard]] std::int16_t version_max() const {
    constexpr std::int16_t by_name_max = produce_topic_id_version - 1;
    return has_all_ids_ ? version_max_ : std::min(version_max_, by_name_max);
  }

 private:
  std::vector<Item> items_;
  std::vector<protocol::RecordChunk> chunks_;
  std::vector<protocol::ProduceRequest::PartitionProduceData> partitions_;
  std::vector<protocol::ProduceRequest::TopicProduceData> topics_;
  protocol::ProduceRequest message_;
  std::size_t bytes_ = 0;
  bool needs_zstd_ = false;
  bool has_all_ids_ = true;
  std::int16_t version_min_ = 0;
  std::int16_t version_max_ = 0;
};

// Finds the answers for items. Brokers answer in the order of the request, so it looks first behind
// the last one that it found. The answer outlives it.
class ProduceAnswers {
 public:
  using Part = protocol::ProduceResponse::PartitionProduceResponse;
  ProduceAnswers(const protocol::ProduceResponse& answer, std::int16_t version)
      : answer_(answer), version_(version) {}

  // Null where the broker has not answered for this item.
  [[nodiscard]] const Part* find(const OutgoingProduce::Item& item);

 private:
  [[nodiscard]] bool is_topic(const protocol::ProduceResponse::TopicProduceResponse& topic,
                              const OutgoingProduce::Item& item) const;
  [[nodiscard]] const Part* find_in(std::size_t topic, const OutgoingProduce::Item& item);

  const protocol::ProduceResponse& answer_;
  std::int16_t version_;
  std::size_t topic_ = 0;
  std::size_t next_part_ = 0;
};

}  // namespace millrace::client
