module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.partitions;

import millrace.config;
import millrace.metadata;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.storage.manager;
import :settings;

namespace millrace::broker {

using protocol::Codec;
using protocol::CompressionLevel;
using protocol::CompressionOptions;

namespace {

[[nodiscard]] CompressionOptions with_level(Codec codec, std::int32_t level) {
  const auto options = CompressionOptions::with_level(codec, CompressionLevel(level));
  // The range of the property is that of the codec.
  check(options.has_value(), "a level that the configuration took is one of the codec");
  return *options;
}

[[nodiscard]] std::optional<CompressionOptions> compression_of(const config::TopicConfig& topic) {
  const auto type = topic.get<"compression.type">();
  if (type == "producer") return std::nullopt;
  if (type == "gzip") return with_level(Codec::gzip, topic.get<"compression.gzip.level">());
  if (type == "lz4") return with_level(Codec::lz4, topic.get<"compression.lz4.level">());
  if (type == "zstd") return with_level(Codec::zstd, topic.get<"compression.zstd.level">());
  if (type == "snappy") return CompressionOptions(Codec::snappy);
  return CompressionOptions();
}

}  // namespace

TopicSettings settings_of(const config::ServerConfig& server, const config::TopicConfig& topic) {
  TopicSettings settings;
  settings.log = storage::log_config(server, topic);
  settings.batch_bytes_max = static_cast<std::size_t>(topic.get<"max.message.bytes">().value());
  settings.insync_replicas_min = static_cast<std::uint32_t>(topic.get<"min.insync.replicas">());
  settings.timestamp_type = topic.get<"message.timestamp.type">() == "LogAppendTime"
                                ? protocol::TimestampType::log_append_time
                                : protocol::TimestampType::create_time;
  settings.timestamp_before_max = topic.get<"message.timestamp.before.max.ms">();
  settings.timestamp_after_max = topic.get<"message.timestamp.after.max.ms">();
  settings.compression = compression_of(topic);
  return settings;
}

std::shared_ptr<const TopicSettings> topic_settings(const config::ServerConfig& server,
                                                    const metadata::ConfigMap* own) {
  std::vector<config::PropertyEntry> entries;
  if (own != nullptr) {
    for (const auto& [name, value] : *own) entries.push_back({name, value});
  }
  const auto usable = config::usable_topic_config(server, std::move(entries));
  return std::make_shared<const TopicSettings>(settings_of(server, usable.config));
}

}  // namespace millrace::broker
