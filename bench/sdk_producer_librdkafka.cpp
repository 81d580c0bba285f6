// The same load by librdkafka, where the system has it: by its C interface, as its own performance
// program uses it.
#include "sdk_producer_bench.hpp"

#ifdef MILLRACE_HAS_LIBRDKAFKA

#include <librdkafka/rdkafka.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace millrace::bench {

namespace {

std::uint64_t delivered = 0;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "librdkafka: %s\n", what);
  std::exit(1);
}

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  must(message->err == RD_KAFKA_RESP_ERR_NO_ERROR, "a record was not delivered");
  ++delivered;
}

}  // namespace

bool has_librdkafka() {
  return true;
}

void produce_with_librdkafka(const ProducerLoad& load) {
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const auto set = [&](const char* name, const std::string& value) {
    must(rd_kafka_conf_set(conf, name, value.c_str(), error.data(), error.size()) ==
             RD_KAFKA_CONF_OK,
         error.data());
  };
  set("bootstrap.servers", load.bootstrap);
  set("batch.size", load.batch_bytes);
  set("linger.ms", load.linger_ms);
  set("acks", load.acks);
  // As rdkafka_performance: its queue counts messages too, and the default stops it early.
  set("queue.buffering.max.messages", "1000000");
  set("batch.num.messages", "100000");
  if (load.has_callbacks) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
  must(producer != nullptr, error.data());
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, load.topic.c_str(), nullptr);
  must(topic != nullptr, "no topic");
  std::vector<char> value(load.record_bytes, 'x');
  delivered = 0;
  for (std::uint64_t i = 0; i < load.records; ++i) {
    while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value.data(), value.size(), nullptr, 0,
                            nullptr) != 0) {
      must(rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL, "a record was refused");
      rd_kafka_poll(producer, 10);
    }
    if (i % 1024 == 0) rd_kafka_poll(producer, 0);
  }
  must(rd_kafka_flush(producer, 60'000) == RD_KAFKA_RESP_ERR_NO_ERROR, "flush");
  must(!load.has_callbacks || delivered == load.records, "records without an outcome");
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(producer);
}

}  // namespace millrace::bench

#else

#include <cstdlib>

namespace millrace::bench {

bool has_librdkafka() {
  return false;
}

void produce_with_librdkafka(const ProducerLoad&) {
  std::abort();
}

}  // namespace millrace::bench

#endif
