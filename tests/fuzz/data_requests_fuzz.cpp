// Any bytes as the bodies of requests for the data of partitions, Fetch among them, and any batch
// with a right CRC, on a simulated machine: each ends in an answer to it or closes its connection,
// and what was taken can be read, also after a restart.
//
// An input is a row of requests: the place of the API in the list here, the version, the length of
// the body in two bytes, the body. The first API stands for a batch that is sealed and produced.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "fuzz_input.hpp"

// This one imports modules: it comes after all that includes standard headers.
#include "../../services/broker/partitions/data/data_machine.hpp"

import millrace.broker.fetching;

namespace millrace::broker {
namespace {

using protocol::ApiKey;

constexpr int requests_max = 12;
constexpr auto apis = std::to_array<ApiKey>(
    {ApiKey::produce, ApiKey::produce, ApiKey::fetch, ApiKey::list_offsets, ApiKey::delete_records,
     ApiKey::offset_for_leader_epoch, ApiKey::describe_log_dirs, ApiKey::describe_producers});

class Machine final : public DataMachine {
 public:
  explicit Machine(std::uint64_t seed) : DataMachine(seed, 1) {}
  ~Machine() override { end_of_fetching(); }

  Response serve(ApiKey key, std::int16_t version, ByteView body) {
    auto owner = std::make_shared<Buffer>(life->pools[0]->acquire(std::max(body.size(), 1UL)));
    std::ranges::copy(body, owner->data());
    Request request;
    request.context.api = &protocol::api_info(key);
    request.context.version = version;
    request.context.correlation_id = CorrelationId(7);
    request.context.client_id = "fuzz";
    request.context.session = session;
    request.context.received = executor.clock().now();
    request.context.deadline = executor.clock().now() + std::chrono::seconds{30};
    request.body = owner->bytes().first(body.size());
    request.frame = protocol::Frame(request.body, owner);
    return wait(handle(std::move(request)));
  }

 protected:
  void started() override {
    DataMachine::started();
    grounds_ = {
        {&life->shards.at(ShardIndex(0)).loop(), &life->files, life->host->partitions()[0]}};
    fetches_ = std::make_unique<FetchRequests>(
        FetchContext{life->shards.at(ShardIndex(0)), grounds_, *life->pools[0], authorizer, quotas,
                     std::uint64_t{1} * mebibyte, 10, 1});
  }
  void stopping() override {
    end_of_fetching();
    DataMachine::stopping();
  }

 private:
  void end_of_fetching() {
    if (!fetches_) return;
    run(fetches_->stop());
    fetches_.reset();
  }

  Task<Response> handle(Request request) {
    DataRequests& of_partitions = *data[0];
    switch (request.context.api->key) {
      case ApiKey::produce:
        return of_partitions.produce(std::move(request));
      case ApiKey::fetch:
        return fetches_->fetch(std::move(request));
      case ApiKey::list_offsets:
        return of_partitions.list_offsets(std::move(request));
      case ApiKey::delete_records:
        return of_partitions.delete_records(std::move(request));
      case ApiKey::offset_for_leader_epoch:
        return of_partitions.offset_for_leader_epoch(std::move(request));
      case ApiKey::describe_log_dirs:
        return of_partitions.describe_log_dirs(std::move(request));
      default:
        return of_partitions.describe_producers(std::move(request));
    }
  }

  FetchGrounds grounds_;
  std::unique_ptr<FetchRequests> fetches_;
};

void check_answer(const Response& response) {
  if (response.kind() != Response::Kind::frame) return;
  std::vector<std::byte> bytes;
  response.frame().for_each_piece([&](const protocol::RecordChunk& chunk) {
    bytes.insert(bytes.end(), chunk.memory, chunk.memory + chunk.size);
  });
  check(bytes.size() >= 8, "an answer has a length and a number");
  check(load_big_endian<std::uint32_t>(bytes.data()) == bytes.size() - 4, "an answer is whole");
  check(load_big_endian<std::int32_t>(bytes.data() + 4) == 7, "an answer is to its request");
}

void produce_sealed(Machine& machine, std::int16_t acks, ByteView batch) {
  std::vector<std::byte> sealed(batch.begin(), batch.end());
  if (sealed.size() >= record_batch_header_bytes) {
    store_big_endian(sealed.data() + protocol::batch_layout::batch_length,
                     static_cast<std::int32_t>(sealed.size() - record_batch_prefix_bytes));
    const ByteView covered = ByteView(sealed).subspan(protocol::batch_layout::attributes);
    store_big_endian(sealed.data() + protocol::batch_layout::crc, crc32c(covered));
  }
  static_cast<void>(machine.produce({{"orders", 0, std::move(sealed)}}, acks));
}

void check_records(Machine& machine) {
  for (std::int32_t i = 0; i < 2; ++i) {
    Partition& partition = machine.partition("orders", i);
    const auto count = partition.log_end().value() - partition.log_start().value();
    check(machine.values(partition).size() == static_cast<std::size_t>(count),
          "what was taken can be read");
  }
}

void serve(fuzz::Input input) {
  Machine machine(1);
  check(machine.start().has_value(), "an empty disk can be used");
  machine.make_topic({.partitions = 2});
  for (int i = 0; i < requests_max && input.more(); ++i) {
    const std::size_t place = input.byte() % apis.size();
    const auto& info = protocol::api_info(apis[place]);
    const int versions = info.version_max - info.version_min + 1;
    const auto version = static_cast<std::int16_t>(info.version_min + input.byte() % versions);
    const ByteView body = input.bytes(input.number());
    if (place == 0) {
      produce_sealed(machine, static_cast<std::int16_t>(version % 3 - 1), body);
    } else {
      check_answer(machine.serve(apis[place], version, body));
    }
  }
  check_records(machine);
  machine.stop();
  check(machine.start().has_value(), "what was written can be opened");
  check_records(machine);
}

}  // namespace
}  // namespace millrace::broker

// What the machine expects is a find where it is not so.
extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  millrace::broker::serve({data, size});
  return 0;
}
