// librdkafka under the loads of bench/sdk, by its C interface in the ways that its own performance
// program uses. Prints lines "MEASURE VALUE".
#include <librdkafka/rdkafka.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "load.hpp"

namespace {

using namespace millrace::bench;

constexpr std::size_t messages_at_once = 1000;
constexpr int patience_ms = std::chrono::milliseconds(patience) / std::chrono::milliseconds(1);

std::atomic<std::uint64_t> delivered = 0;
std::atomic<std::uint64_t> failed = 0;

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  ++(message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? delivered : failed);
}

class Client {
 public:
  using Settings = std::vector<std::pair<std::string, std::string>>;

  Client(rd_kafka_type_t type, const Load& load, const Settings& more) {
    std::array<char, 512> error{};
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const auto set = [&](const std::string& name, const std::string& value) {
      must(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) ==
               RD_KAFKA_CONF_OK,
           error.data());
    };
    set("bootstrap.servers", load.bootstrap);
    for (const auto& [name, value] : more) set(name, value);
    for (const auto& [name, value] : load.settings) set(name, value);
    if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    client_ = rd_kafka_new(type, conf, error.data(), error.size());
    must(client_ != nullptr, error.data());
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { rd_kafka_destroy(client_); }

  [[nodiscard]] rd_kafka_t* get() const { return client_; }

 private:
  rd_kafka_t* client_ = nullptr;
};

// As its performance program has it: the queue counts messages too, and its default of 100,000
// stops the program before the memory is full.
const Client::Settings producer_settings = {{"queue.buffering.max.messages", "1000000"}};

class Producing {
 public:
  explicit Producing(const Load& load, const Client::Settings& settings = producer_settings)
      : client_(RD_KAFKA_PRODUCER, load, settings),
        topic_(rd_kafka_topic_new(client_.get(), load.topic.c_str(), nullptr)) {
    must(topic_ != nullptr, "no topic");
  }
  Producing(const Producing&) = delete;
  Producing& operator=(const Producing&) = delete;
  ~Producing() { rd_kafka_topic_destroy(topic_); }

  [[nodiscard]] rd_kafka_t* client() const { return client_.get(); }

  // False when the queue is full.
  [[nodiscard]] bool try_send(std::string_view value) {
    const int refused =
        rd_kafka_produce(topic_, 0, RD_KAFKA_MSG_F_COPY, const_cast<char*>(value.data()),
                         value.size(), nullptr, 0, nullptr);
    must(refused == 0 || rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL,
         "a record was refused");
    return refused == 0;
  }

  void send(std::string_view value) {
    while (!try_send(value)) rd_kafka_poll(client(), 10);
    if (++sent_ % messages_at_once == 0) rd_kafka_poll(client(), 0);
  }

 private:
  Client client_;
  rd_kafka_topic_t* topic_;
  std::uint64_t sent_ = 0;
};

void produce(const Load& load) {
  Producing producing(load);
  const std::string value(load.second, 'x');
  const Stopwatch watch;
  for (std::uint64_t i = 0; i < load.first; ++i) producing.send(value);
  must(rd_kafka_flush(producing.client(), patience_ms) == RD_KAFKA_RESP_ERR_NO_ERROR, "flush");
  tell_rate(load.first, load.first * load.second, watch.seconds());
  must(delivered == load.first, "records that were not delivered");
}

// From partition 0: calls received(value) for each record while wanted() holds. It waits until so
// many are there at once.
template <class Wanted, class Received>
void receive(const Load& load, const Client::Settings& settings, std::size_t at_once,
             const Wanted& wanted, const Received& received) {
  Client::Settings all = {{"group.id", "bench"}, {"enable.auto.commit", "false"}};
  all.insert(all.end(), settings.begin(), settings.end());
  const Load consumer{load.mode, load.bootstrap, load.topic};
  const Client client(RD_KAFKA_CONSUMER, consumer, all);
  rd_kafka_poll_set_consumer(client.get());
  rd_kafka_topic_partition_list_t* partitions = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(partitions, load.topic.c_str(), 0)->offset =
      RD_KAFKA_OFFSET_BEGINNING;
  must(rd_kafka_assign(client.get(), partitions) == RD_KAFKA_RESP_ERR_NO_ERROR, "assign");
  rd_kafka_topic_partition_list_destroy(partitions);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(client.get());
  std::array<rd_kafka_message_t*, messages_at_once> messages{};
  while (wanted()) {
    const ssize_t count =
        rd_kafka_consume_batch_queue(queue, patience_ms, messages.data(), at_once);
    must(count > 0, "nothing comes");
    for (ssize_t i = 0; i < count; ++i) {
      rd_kafka_message_t* message = messages[static_cast<std::size_t>(i)];
      must(message->err == RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_err2str(message->err));
      received(std::string_view(static_cast<const char*>(message->payload), message->len));
      rd_kafka_message_destroy(message);
    }
  }
  rd_kafka_queue_destroy(queue);
}

void consume(const Load& load) {
  must(load.first % messages_at_once == 0, "not a multiple of 1,000 records");
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;
  const Stopwatch watch;
  receive(
      load, load.settings, messages_at_once, [&] { return records < load.first; },
      [&](std::string_view value) {
        bytes += value.size();
        if (++records == load.first) seconds = watch.seconds();
      });
  tell_rate(load.first, bytes, seconds);
}

void latency(const Load& load) {
  Latencies latencies(load.first);
  std::thread receiver([&] {
    receive(
        load, {}, 1, [&] { return !latencies.complete(); },
        [&](std::string_view value) { latencies.received(value); });
  });
  Producing producing(load);
  std::array<char, latency_record_bytes> value{};
  const double rate = send_paced(load.first, load.second, [&] {
    stamp(value);
    producing.send(std::string_view(value.data(), value.size()));
  });
  must(rd_kafka_flush(producing.client(), patience_ms) == RD_KAFKA_RESP_ERR_NO_ERROR, "flush");
  receiver.join();
  tell("records/s", rate);
  latencies.tell_percentiles();
}

void flood(const Load& load) {
  const double before = status_mebibytes("VmRSS:");
  Producing producing(load, {{"queue.buffering.max.kbytes", std::to_string(load.first / 1024)},
                             {"queue.buffering.max.messages", "0"},
                             {"log_level", "0"}});
  const std::string value(latency_record_bytes, 'x');
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;
  const auto post = [&] {
    const bool is_taken = producing.try_send(value);
    ++(is_taken ? taken : refused);
    if (!is_taken || taken % messages_at_once == 0) rd_kafka_poll(producing.client(), 0);
    if (!is_taken) std::this_thread::sleep_for(std::chrono::microseconds(100));
  };
  while (delivered == 0) post();
  std::puts("flowing");
  std::fflush(stdout);
  for (const Stopwatch watch; watch.seconds() < static_cast<double>(load.second);) post();
  tell("MB more", status_mebibytes("VmHWM:") - before);
  tell("taken", static_cast<double>(taken));
  tell("refused", static_cast<double>(refused));
  rd_kafka_purge(producing.client(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  must(rd_kafka_flush(producing.client(), patience_ms) == RD_KAFKA_RESP_ERR_NO_ERROR, "flush");
  tell("failed", static_cast<double>(failed.load()));
}

}  // namespace

int main(int count, char** words) {
  const Load load = load_from(count, words);
  if (load.mode == "produce") {
    produce(load);
  } else if (load.mode == "consume") {
    consume(load);
  } else if (load.mode == "latency") {
    latency(load);
  } else if (load.mode == "flood") {
    flood(load);
  } else {
    must(false, "not a mode: " + load.mode);
  }
  return 0;
}
