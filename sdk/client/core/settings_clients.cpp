module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;
import millrace.protocol.compression;
import :settings_catalog;
import :settings_reader;

namespace millrace::client {
namespace {

using protocol::Codec;
using protocol::CompressionLevel;
using protocol::CompressionOptions;

// Larger batches gain little more, and make those wait that share their connection.
constexpr std::size_t grown_batch_bytes_max = 256 * kibibyte;

// More requests than a broker remembers of a producer could come in another order unnoticed.
constexpr std::int32_t idempotent_in_flight_max = 5;

void read_acks(SettingsReader& reader, ProducerSettings& settings) {
  const std::string* acks = reader.text("acks");
  if (acks == nullptr) return;
  if (*acks == "all" || *acks == "-1") {
    settings.acks = Acks::all;
  } else if (*acks == "1") {
    settings.acks = Acks::leader;
  } else if (*acks == "0") {
    settings.acks = Acks::none;
  } else {
    reader.not_one_of("acks", "all, -1, 0, 1");
  }
}

// Levels are checked for every codec, and count for the one that is chosen.
void read_compression(SettingsReader& reader, ProducerSettings& settings) {
  Codec chosen = Codec::none;
  if (const std::string* name = reader.text("compression.type")) {
    const auto codec = *name == "uncompressed" ? std::nullopt : protocol::parse_codec(*name);
    if (!codec) {
      reader.not_one_of("compression.type", "none, gzip, snappy, lz4, zstd");
    } else {
      chosen = *codec;
    }
  }
  settings.compression = CompressionOptions(chosen);
  struct LevelName {
    Codec codec;
    std::string_view name;
  };
  for (const auto& [codec, name] : {LevelName{Codec::gzip, "compression.gzip.level"},
                                    LevelName{Codec::lz4, "compression.lz4.level"},
                                    LevelName{Codec::zstd, "compression.zstd.level"}}) {
    const auto levels = protocol::levels_of(codec);
    const std::int64_t lowest = std::min(levels->min.value(), levels->default_level.value());
    const auto level = reader.number(name, lowest, levels->max.value());
    if (!level) continue;
    auto options =
        CompressionOptions::with_level(codec, CompressionLevel(static_cast<std::int32_t>(*level)));
    if (!options) {
      reader.problem(formatted("{} must be {} to {}, or {}", name, levels->min, levels->max,
                               levels->default_level));
    } else if (codec == chosen) {
      settings.compression = *options;
    }
  }
}

void read_partitioner(SettingsReader& reader, ProducerSettings& settings) {
  if (const std::string* name = reader.text("partitioner.class");
      name != nullptr && !name->empty()) {
    if (const auto kind = partitioner_from(*name)) {
      settings.partitioner = *kind;
    } else {
      reader.not_one_of("partitioner.class",
                        "uniform_sticky, round_robin, random, consistent, consistent_random, "
                        "murmur2, murmur2_random, fnv1a, fnv1a_random "
                        "(a partitioner of your own is given in code)");
    }
  }
  reader.flag("partitioner.ignore.keys", settings.partitioner_ignore_keys);
  reader.flag("partitioner.adaptive.partitioning.enable", settings.partitioner_adaptive);
  reader.milliseconds("partitioner.availability.timeout.ms",
                      settings.partitioner_availability_timeout, 0, long_max);
}

// Idempotence is on unless something that was given excludes it; asked for, it excludes that.
void settle_idempotence(SettingsReader& reader, ProducerSettings& settings) {
  const bool is_asked = reader.is_given("enable.idempotence") && settings.enable_idempotence;
  const bool is_transactional = !settings.transactional_id.empty();
  if (!settings.enable_idempotence && is_transactional) {
    reader.problem("transactional.id needs enable.idempotence=true");
  }
  if (!settings.enable_idempotence) return;
  if (is_asked || is_transactional) {
    const std::string_view who = is_asked ? "enable.idempotence=true" : "transactional.id";
    if (settings.acks != Acks::all) reader.problem(formatted("{} needs acks=all", who));
    if (settings.retries == 0) reader.problem(formatted("{} needs retries above 0", who));
  } else if (settings.acks != Acks::all || settings.retries == 0) {
    settings.enable_idempotence = false;
    return;
  }
  if (settings.max_in_flight > idempotent_in_flight_max) {
    reader.problem(
        formatted("max.in.flight.requests.per.connection must be at most {} with "
                  "enable.idempotence, which is on unless it is switched off",
                  idempotent_in_flight_max));
  }
}

void settle_delivery(SettingsReader& reader, ProducerSettings& settings) {
  const Duration request = settings.common.request_timeout;
  const Duration least =
      settings.linger > Duration::max() - request ? Duration::max() : settings.linger + request;
  if (settings.delivery_timeout >= least) return;
  if (reader.is_given("delivery.timeout.ms")) {
    reader.problem("delivery.timeout.ms must be at least linger.ms + request.timeout.ms");
  } else {
    settings.delivery_timeout = least;
  }
}

void read_offset_reset(SettingsReader& reader, ConsumerSettings& settings) {
  const std::string* value = reader.text("auto.offset.reset");
  if (value == nullptr) return;
  constexpr std::string_view by_duration = "by_duration:";
  if (*value == "latest") {
    settings.auto_offset_reset = OffsetReset::latest;
  } else if (*value == "earliest") {
    settings.auto_offset_reset = OffsetReset::earliest;
  } else if (*value == "none") {
    settings.auto_offset_reset = OffsetReset::none;
  } else if (const auto back = value->starts_with(by_duration)
                                   ? duration_from_iso(value->substr(by_duration.size()))
                                   : std::nullopt) {
    settings.auto_offset_reset = OffsetReset::by_duration;
    settings.auto_offset_reset_duration = *back;
  } else {
    reader.not_one_of("auto.offset.reset", "latest, earliest, none, by_duration:PnDTnHnMn.nS");
  }
}

void read_assignors(SettingsReader& reader, ConsumerSettings& settings) {
  const auto names = reader.list("partition.assignment.strategy");
  if (!names) return;
  settings.partition_assignment_strategy.clear();
  for (const std::string& name : *names) {
    const auto kind = assignor_from(name);
    auto& chosen = settings.partition_assignment_strategy;
    if (!kind) {
      reader.problem(
          formatted("partition.assignment.strategy has \"{}\"; there are range, "
                    "roundrobin, sticky, cooperative-sticky",
                    name));
    } else if (std::ranges::find(chosen, *kind) != chosen.end()) {
      reader.problem(formatted("partition.assignment.strategy names {} twice", name_of(*kind)));
    } else {
      chosen.push_back(*kind);
    }
  }
  if (names->empty()) reader.problem("partition.assignment.strategy must name at least one");
}

void read_isolation(SettingsReader& reader, ConsumerSettings& settings) {
  const std::string* level = reader.text("isolation.level");
  if (level == nullptr) return;
  if (*level == name_of(IsolationLevel::read_committed)) {
    settings.isolation_level = IsolationLevel::read_committed;
  } else if (*level == name_of(IsolationLevel::read_uncommitted)) {
    settings.isolation_level = IsolationLevel::read_uncommitted;
  } else {
    reader.not_one_of("isolation.level", "read_committed, read_uncommitted");
  }
}

void read_group(SettingsReader& reader, ConsumerSettings& settings) {
  reader.text("group.id", settings.group_id);
  reader.text("group.instance.id", settings.group_instance_id);
  if (reader.is_given("group.instance.id") && settings.group_instance_id.empty()) {
    reader.problem("group.instance.id must not be empty");
  }
  reader.text("group.remote.assignor", settings.group_remote_assignor);
  if (const std::string* value = reader.text("group.protocol")) {
    if (*value == "classic" || *value == "CLASSIC" || *value == "Classic") {
      settings.group_protocol = GroupProtocol::classic;
    } else if (*value == "consumer" || *value == "CONSUMER" || *value == "Consumer") {
      settings.group_protocol = GroupProtocol::consumer;
    } else {
      reader.not_one_of("group.protocol", "classic, consumer");
    }
  }
  reader.milliseconds("session.timeout.ms", settings.session_timeout, 1, int_max);
  reader.milliseconds("heartbeat.interval.ms", settings.heartbeat_interval, 1, int_max);
  reader.milliseconds("max.poll.interval.ms", settings.max_poll_interval, 1, int_max);
  read_assignors(reader, settings);
}

void settle_group(SettingsReader& reader, ConsumerSettings& settings) {
  const bool is_classic = settings.group_protocol == GroupProtocol::classic;
  if (is_classic && reader.is_given("group.remote.assignor")) {
    reader.problem("group.remote.assignor needs group.protocol=consumer");
  }
  if (!is_classic) {
    for (const std::string_view name :
         {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"}) {
      if (reader.is_given(name)) {
        reader.problem(formatted("{} is the broker's with group.protocol=consumer", name));
      }
    }
  }
  if (is_classic && settings.heartbeat_interval >= settings.session_timeout) {
    reader.problem("heartbeat.interval.ms must be below session.timeout.ms");
  }
  if (!settings.group_id.empty()) return;
  if (reader.is_given("enable.auto.commit") && settings.enable_auto_commit) {
    reader.problem("enable.auto.commit=true needs a group.id");
  }
  settings.enable_auto_commit = false;
}

void read_fetching(SettingsReader& reader, ConsumerSettings& settings) {
  reader.number("fetch.min.bytes", settings.fetch_min_bytes, 0);
  reader.number("fetch.max.bytes", settings.fetch_max_bytes, 0);
  reader.milliseconds("fetch.max.wait.ms", settings.fetch_max_wait, 0, int_max);
  reader.number("max.partition.fetch.bytes", settings.max_partition_fetch_bytes, 0);
  reader.number("max.poll.records", settings.max_poll_records, 1);
  reader.bytes("millrace.prefetch.memory", settings.prefetch_memory, 0, long_max);
  reader.flag("check.crcs", settings.check_crcs);
  if (static_cast<std::size_t>(settings.fetch_max_bytes) > settings.common.answer_bytes_max) {
    reader.problem("millrace.answer.max.bytes must be at least fetch.max.bytes");
  }
  if (settings.fetch_max_wait >= settings.common.request_timeout) {
    reader.problem("fetch.max.wait.ms must be below request.timeout.ms");
  }
}

void settle_api_timeout(SettingsReader& reader, const CommonSettings& common, Duration& timeout) {
  if (timeout >= common.request_timeout) return;
  if (reader.is_given("default.api.timeout.ms")) {
    reader.problem("default.api.timeout.ms must be at least request.timeout.ms");
  } else {
    timeout = common.request_timeout;
  }
}

ProducerSettings read_producer(SettingsReader& reader) {
  ProducerSettings settings;
  read_common(reader, settings.common);
  read_acks(reader, settings);
  read_compression(reader, settings);
  read_partitioner(reader, settings);
  reader.bytes("batch.size", settings.batch_size, 0, int_max);
  reader.number("millrace.batch.growth", settings.batch_growth, 1);
  reader.milliseconds("linger.ms", settings.linger, 0, long_max);
  reader.bytes("buffer.memory", settings.buffer_memory, 0, long_max);
  reader.milliseconds("max.block.ms", settings.max_block, 0, long_max);
  reader.bytes("max.request.size", settings.max_request_size, 0, int_max);
  reader.milliseconds("delivery.timeout.ms", settings.delivery_timeout, 0, int_max);
  reader.flag("enable.idempotence", settings.enable_idempotence);
  reader.number("max.in.flight.requests.per.connection", settings.max_in_flight, 1);
  reader.number("retries", settings.retries, 0);
  reader.milliseconds("metadata.max.idle.ms", settings.metadata_max_idle, 5000, long_max);
  reader.text("transactional.id", settings.transactional_id);
  if (reader.is_given("transactional.id") && settings.transactional_id.empty()) {
    reader.problem("transactional.id must not be empty");
  }
  reader.milliseconds("transaction.timeout.ms", settings.transaction_timeout, 1, int_max);
  settle_idempotence(reader, settings);
  settle_delivery(reader, settings);
  return settings;
}

ConsumerSettings read_consumer(SettingsReader& reader) {
  ConsumerSettings settings;
  read_common(reader, settings.common);
  reader.text("client.rack", settings.common.client_rack);
  read_group(reader, settings);
  read_offset_reset(reader, settings);
  read_isolation(reader, settings);
  read_fetching(reader, settings);
  reader.flag("enable.auto.commit", settings.enable_auto_commit);
  reader.milliseconds("auto.commit.interval.ms", settings.auto_commit_interval, 0, int_max);
  reader.milliseconds("default.api.timeout.ms", settings.default_api_timeout, 0, int_max);
  reader.flag("allow.auto.create.topics", settings.allow_auto_create_topics);
  reader.flag("exclude.internal.topics", settings.exclude_internal_topics);
  settle_group(reader, settings);
  return settings;
}

AdminSettings read_admin(SettingsReader& reader) {
  AdminSettings settings;
  settings.common.connections_max_idle = std::chrono::minutes{5};
  const auto names_any = [&](std::string_view name) {
    const auto named = reader.list(name);
    return named && !named->empty();
  };
  const bool has_brokers = names_any("bootstrap.servers");
  settings.asks_controllers = names_any("bootstrap.controllers");
  if (settings.asks_controllers && has_brokers) {
    reader.problem("bootstrap.servers and bootstrap.controllers exclude each other");
  }
  read_common(reader, settings.common,
              settings.asks_controllers ? "bootstrap.controllers" : "bootstrap.servers");
  reader.milliseconds("default.api.timeout.ms", settings.default_api_timeout, 0, int_max);
  reader.number("retries", settings.retries, 0);
  settle_api_timeout(reader, settings.common, settings.default_api_timeout);
  return settings;
}

}  // namespace

std::size_t ProducerSettings::batch_bytes_most() const {
  const std::size_t grown =
      std::min(batch_size * static_cast<std::size_t>(batch_growth), grown_batch_bytes_max);
  return std::min(std::max(batch_size, grown), max_request_size);
}

Result<ProducerSettings, SettingsProblems> producer_settings(const Properties& given) {
  SettingsReader reader(given, "producer");
  ProducerSettings settings = read_producer(reader);
  SettingsProblems problems = reader.finish(unsupported_of_producers());
  if (!problems.empty()) return failure(std::move(problems));
  return settings;
}

Result<ConsumerSettings, SettingsProblems> consumer_settings(const Properties& given) {
  SettingsReader reader(given, "consumer");
  ConsumerSettings settings = read_consumer(reader);
  SettingsProblems problems = reader.finish(unsupported_of_consumers());
  if (!problems.empty()) return failure(std::move(problems));
  return settings;
}

Result<AdminSettings, SettingsProblems> admin_settings(const Properties& given) {
  SettingsReader reader(given, "admin client");
  AdminSettings settings = read_admin(reader);
  SettingsProblems problems = reader.finish({});
  if (!problems.empty()) return failure(std::move(problems));
  return settings;
}

std::vector<std::string_view> setting_names(ClientKind kind) {
  SettingsReader reader({}, "client");
  switch (kind) {
    case ClientKind::producer:
      static_cast<void>(read_producer(reader));
      break;
    case ClientKind::consumer:
      static_cast<void>(read_consumer(reader));
      break;
    case ClientKind::admin:
      static_cast<void>(read_admin(reader));
      break;
  }
  return reader.known();
}

}  // namespace millrace::client
