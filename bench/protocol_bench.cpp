// How long it takes to read and to write the messages of the hot paths.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "allocations.hpp"

import millrace.protocol.fetch;
import millrace.protocol.groups;
import millrace.protocol.metadata;
import millrace.protocol.produce;

namespace millrace::protocol {
namespace {

constexpr std::size_t arena_bytes_max = std::size_t{16} << 20;

// As a peer would send it: the records are in place.
template <class Message>
std::vector<std::byte> on_the_wire(const Message& message, std::int16_t version) {
  const auto size = measure(message, version);
  check(size.has_value(), "the sample can be written");
  std::vector<std::byte> inline_bytes(size->inline_bytes);
  std::vector<Splice> splices(size->splices);
  Writer writer(inline_bytes, splices);
  write(message, version, writer);
  std::vector<std::byte> whole;
  std::size_t position = 0;
  for (const Splice& splice : splices) {
    whole.insert(whole.end(), inline_bytes.begin() + static_cast<std::ptrdiff_t>(position),
                 inline_bytes.begin() + static_cast<std::ptrdiff_t>(splice.position));
    whole.insert(whole.end(), splice.records.bytes().begin(), splice.records.bytes().end());
    position = splice.position;
  }
  whole.insert(whole.end(), inline_bytes.begin() + static_cast<std::ptrdiff_t>(position),
               inline_bytes.end());
  return whole;
}

template <class Message>
void decode_message(benchmark::State& state, const Message& sample, std::int16_t version) {
  const auto bytes = on_the_wire(sample, version);
  Arena arena(arena_bytes_max);
  Message message;
  for (int warm_up = 0; warm_up < 3; ++warm_up) {
    arena.reset();
    check(decode(message, bytes, version, arena).has_value(), "the sample can be read");
  }
  {
    const bench::AllocationCounter allocations(state);
    for (auto _ : state) {
      arena.reset();
      auto result = decode(message, bytes, version, arena);
      benchmark::DoNotOptimize(result);
      benchmark::DoNotOptimize(message);
      benchmark::ClobberMemory();
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes.size()) * state.iterations());
}

template <class Message>
void encode_message(benchmark::State& state, const Message& sample, std::int16_t version) {
  const auto size = measure(sample, version);
  check(size.has_value(), "the sample can be written");
  std::vector<std::byte> buffer(size->inline_bytes);
  std::vector<Splice> splices(size->splices);
  {
    const bench::AllocationCounter allocations(state);
    for (auto _ : state) {
      const Message* message = &sample;
      benchmark::DoNotOptimize(message);
      auto measured_size = measure(*message, version);
      benchmark::DoNotOptimize(measured_size);
      Writer writer(buffer, splices);
      write(*message, version, writer);
      benchmark::ClobberMemory();
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(size->inline_bytes) * state.iterations());
}

template <class Message, class Sample>
void both(const std::string& name, std::int16_t version, const Sample& sample) {
  benchmark::RegisterBenchmark((name + "/decode").c_str(), [&sample, version](benchmark::State& s) {
    decode_message<Message>(s, sample.message, version);
  });
  benchmark::RegisterBenchmark((name + "/encode").c_str(), [&sample, version](benchmark::State& s) {
    encode_message<Message>(s, sample.message, version);
  });
}

const std::vector<std::byte> record_bytes(1024);

// One batch to one partition.
struct ProduceSample {
  ProduceRequest::PartitionProduceData partition;
  ProduceRequest::TopicProduceData topic;
  ProduceRequest message;

  ProduceSample() {
    partition.index = 3;
    partition.records = Records(record_bytes);
    topic.name = "orders";
    topic.partition_data = {&partition, 1};
    message.acks = -1;
    message.timeout_ms = 30000;
    message.transactional_id = null_string;
    message.topic_data = {&topic, 1};
  }
};

constexpr std::size_t fetch_partitions = 10;

struct FetchRequestSample {
  std::vector<FetchRequest::FetchPartition> partitions{fetch_partitions};
  FetchRequest::FetchTopic topic;
  FetchRequest message;

  explicit FetchRequestSample(std::int16_t version) {
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      partitions[i].partition = static_cast<std::int32_t>(i);
      partitions[i].fetch_offset = 123456;
      partitions[i].partition_max_bytes = 1 << 20;
    }
    if (version < 13) topic.topic = "orders";
    topic.partitions = Array<FetchRequest::FetchPartition>(partitions);
    message.max_wait_ms = 500;
    message.min_bytes = 1;
    message.topics = {&topic, 1};
  }
};

struct FetchResponseSample {
  std::vector<FetchResponse::PartitionData> partitions{fetch_partitions};
  FetchResponse::FetchableTopicResponse topic;
  FetchResponse message;

  explicit FetchResponseSample(std::int16_t version) {
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      partitions[i].partition_index = static_cast<std::int32_t>(i);
      partitions[i].high_watermark = 123456;
      partitions[i].last_stable_offset = 123456;
      partitions[i].log_start_offset = 0;
      partitions[i].aborted_transactions = Array<FetchResponse::AbortedTransaction>::null();
      partitions[i].records = Records(record_bytes);
    }
    if (version < 13) topic.topic = "orders";
    topic.partitions = Array<FetchResponse::PartitionData>(partitions);
    message.responses = {&topic, 1};
  }
};

// Ten topics of a hundred partitions with three replicas.
struct MetadataSample {
  static constexpr std::size_t topic_count = 10;
  static constexpr std::size_t partition_count = 100;
  std::vector<std::int32_t> replicas{1, 2, 3};
  std::vector<MetadataResponse::MetadataResponsePartition> partitions{partition_count};
  std::vector<MetadataResponse::MetadataResponseTopic> topics{topic_count};
  std::vector<MetadataResponse::MetadataResponseBroker> brokers{3};
  MetadataResponse message;

  MetadataSample() {
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      partitions[i].partition_index = static_cast<std::int32_t>(i);
      partitions[i].leader_id = 1;
      partitions[i].leader_epoch = 7;
      partitions[i].replica_nodes = Array<std::int32_t>(replicas);
      partitions[i].isr_nodes = Array<std::int32_t>(replicas);
    }
    for (auto& topic : topics) {
      topic.name = "some.topic.of.ordinary.length";
      topic.partitions = Array<MetadataResponse::MetadataResponsePartition>(partitions);
    }
    for (auto& broker : brokers) {
      broker.host = "broker.example.org";
      broker.port = 9092;
    }
    message.brokers = Array<MetadataResponse::MetadataResponseBroker>(brokers);
    message.cluster_id = "q8Fh3PzGT2mYx0Ww1uJd9A";
    message.controller_id = 1;
    message.topics = Array<MetadataResponse::MetadataResponseTopic>(topics);
  }
};

struct JoinGroupRequestSample {
  std::vector<std::byte> metadata{40};
  std::vector<JoinGroupRequest::JoinGroupRequestProtocol> protocols{2};
  JoinGroupRequest message;

  JoinGroupRequestSample() {
    protocols[0].name = "range";
    protocols[1].name = "cooperative-sticky";
    for (auto& protocol : protocols) protocol.metadata = metadata;
    message.group_id = "billing";
    message.session_timeout_ms = 45000;
    message.rebalance_timeout_ms = 300000;
    message.member_id = "worker-7-0b9e4a54-6f9c-4d0c-9d43-b6f0b0b0f6c2";
    message.protocol_type = "consumer";
    message.protocols = Array<JoinGroupRequest::JoinGroupRequestProtocol>(protocols);
  }
};

struct JoinGroupResponseSample {
  std::vector<std::byte> metadata{40};
  std::vector<JoinGroupResponse::JoinGroupResponseMember> members{2};
  JoinGroupResponse message;

  JoinGroupResponseSample() {
    for (auto& member : members) {
      member.member_id = "worker-7-0b9e4a54-6f9c-4d0c-9d43-b6f0b0b0f6c2";
      member.metadata = metadata;
    }
    message.generation_id = 12;
    message.protocol_name = "range";
    message.leader = members[0].member_id;
    message.member_id = members[0].member_id;
    message.members = Array<JoinGroupResponse::JoinGroupResponseMember>(members);
  }
};

}  // namespace
}  // namespace millrace::protocol

int main(int argc, char** argv) {
  using namespace millrace::protocol;
  const ProduceSample produce;
  const FetchRequestSample fetch_request_11(11);
  const FetchRequestSample fetch_request_16(16);
  const FetchResponseSample fetch_response_11(11);
  const FetchResponseSample fetch_response_16(16);
  const MetadataSample metadata;
  const JoinGroupRequestSample join_request;
  const JoinGroupResponseSample join_response;
  both<ProduceRequest>("produce_request/7", 7, produce);
  both<ProduceRequest>("produce_request/12", 12, produce);
  both<FetchRequest>("fetch_request_10_partitions/11", 11, fetch_request_11);
  both<FetchRequest>("fetch_request_10_partitions/16", 16, fetch_request_16);
  both<FetchResponse>("fetch_response_10_partitions/11", 11, fetch_response_11);
  both<FetchResponse>("fetch_response_10_partitions/16", 16, fetch_response_16);
  both<MetadataResponse>("metadata_response_1000_partitions/12", 12, metadata);
  both<JoinGroupRequest>("join_group_request/5", 5, join_request);
  both<JoinGroupResponse>("join_group_response/5", 5, join_response);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
