// A topic's settings, as the partitions of a broker need them.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

export module millrace.broker.partitions:settings;

import millrace.base;
import millrace.config;
import millrace.metadata;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.storage.log;

export namespace millrace::broker {

// Shared by all partitions of the topics that have the same settings; never changes. The names in
// the comments are Kafka's.
struct TopicSettings {
  storage::LogConfig log;
  std::size_t batch_bytes_max = message_bytes_max_default;  // max.message.bytes
  std::uint32_t insync_replicas_min = 1;                    // min.insync.replicas
  protocol::TimestampType timestamp_type = protocol::TimestampType::create_time;
  std::chrono::milliseconds timestamp_before_max = std::chrono::milliseconds::max();
  std::chrono::milliseconds timestamp_after_max = std::chrono::hours(1);
  // compression.type with its level; nothing: batches are kept as they came.
  std::optional<protocol::CompressionOptions> compression;
};

[[nodiscard]] TopicSettings settings_of(const config::ServerConfig& server,
                                        const config::TopicConfig& topic);

// What the image sets for the topic, over the server's settings. A setting that cannot be
// understood, which no controller has taken, is left at the server's.
[[nodiscard]] std::shared_ptr<const TopicSettings> topic_settings(
    const config::ServerConfig& server, const metadata::ConfigMap* own);

}  // namespace millrace::broker
