module;
#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

module millrace.client.core;

import millrace.base;
import :settings;
import :settings_catalog;

namespace millrace::client {
namespace {

constexpr std::string_view boolean = "boolean";
constexpr std::string_view number = "whole number";
constexpr std::string_view bytes = "whole number of bytes";
constexpr std::string_view milliseconds = "whole number of milliseconds";
constexpr std::string_view text = "text";
constexpr std::string_view list = "list";
constexpr std::string_view high = "high";
constexpr std::string_view medium = "medium";
constexpr std::string_view low = "low";
constexpr std::optional<std::string_view> unset = std::nullopt;

constexpr SettingInfo of_all[] = {
    {"bootstrap.servers", "list of host:port", unset, high,
     "Brokers that are asked first for all others. Must be given."},
    {"client.dns.lookup", "use_all_dns_ips", "use_all_dns_ips", medium,
     "How names are looked up: all addresses of a name are tried in turn."},
    {"client.id", text, "", medium, "A name for this client, which brokers write into their logs."},
    {"metadata.max.age.ms", milliseconds, "300000", low,
     "After this time brokers are asked again for topics and leaders, also when nothing failed."},
    {"metadata.recovery.rebootstrap.trigger.ms", milliseconds, "300000", low,
     "Without any answer about the cluster for so long, the bootstrap servers are asked again."},
    {"metadata.recovery.strategy", "rebootstrap or none", "rebootstrap", low,
     "What happens when no known broker can be reached: ask the bootstrap servers, or go on "
     "trying."},
    {"millrace.answer.max.bytes", bytes, "134217728", low,
     "The largest answer that is taken from a broker; one that announces more loses its "
     "connection."},
    {"reconnect.backoff.max.ms", milliseconds, "1000", low,
     "The longest pause before a broker is connected to again; pauses double up to it."},
    {"reconnect.backoff.ms", milliseconds, "50", low,
     "The first pause before a broker is connected to again. Given alone, it is the only one."},
    {"request.timeout.ms", milliseconds, "30000", medium,
     "How long an answer is waited for before the connection counts as broken."},
    {"retry.backoff.max.ms", milliseconds, "1000", low,
     "The longest pause before a request is tried again; pauses double up to it."},
    {"retry.backoff.ms", milliseconds, "100", low,
     "The first pause before a request is tried again."},
    {"send.buffer.bytes", bytes, "-1", medium,
     "Send buffer of the kernel for each connection; -1: as the system decides."},
    {"socket.connection.setup.timeout.max.ms", milliseconds, "30000", medium,
     "The longest time that connecting may take; times double up to it."},
    {"socket.connection.setup.timeout.ms", milliseconds, "10000", medium,
     "How long connecting may take at first."},
};

constexpr std::string_view idle_meaning =
    "A connection that was not used for this long is closed; -1: never.";
constexpr std::string_view receive_meaning =
    "Receive buffer of the kernel for each connection; -1: as the system decides.";
constexpr std::string_view api_meaning =
    "How long calls that are given no time may take, with all their tries.";

constexpr SettingInfo of_producers[] = {
    {"acks", "all, -1, 0 or 1", "all", high,
     "Who must have a record before it counts as delivered: all in-sync replicas (all or -1), the "
     "leader (1), nobody (0)."},
    {"batch.size", bytes, "16384", medium,
     "A batch of this size is sent without waiting for more records of its partition. While "
     "earlier requests hold it up it takes more: millrace.batch.growth."},
    {"buffer.memory", bytes, "33554432", high,
     "What records that are not delivered yet may take: a hard limit. See max.block.ms."},
    {"compression.gzip.level", number, unset, medium, "Level of gzip, -1 or 1 to 9."},
    {"compression.lz4.level", number, unset, medium, "Level of lz4, 1 to 17."},
    {"compression.type", "none, gzip, snappy, lz4 or zstd", "none", high,
     "How batches are compressed."},
    {"compression.zstd.level", number, unset, medium, "Level of zstd, -131072 to 22."},
    {"connections.max.idle.ms", milliseconds, "540000", medium, idle_meaning},
    {"delivery.timeout.ms", milliseconds, "120000", medium,
     "A record that was not delivered for this long fails. At least linger.ms + "
     "request.timeout.ms."},
    {"enable.idempotence", boolean, "true", low,
     "Whether brokers leave out what a retry brings twice, and keep the order. Off by itself with "
     "acks other than all, or without retries."},
    {"linger.ms", milliseconds, "5", medium,
     "How long a batch that is not full waits for more records."},
    {"max.block.ms", milliseconds, "60000", medium,
     "How long sending may wait while the memory is full or the topic is not known yet."},
    {"max.in.flight.requests.per.connection", number, "5", low,
     "Requests that may be without an answer at a time; at most 5 with idempotence."},
    {"max.request.size", bytes, "1048576", medium, "The largest request, and so record."},
    {"metadata.max.idle.ms", milliseconds, "300000", low,
     "A topic that was not sent to for this long is not asked for any more."},
    {"millrace.batch.growth", number, "16", medium,
     "A batch that has to wait for earlier requests takes more records for a second, up to this "
     "many times batch.size and up to 256 KiB. 1: batches keep to batch.size, as in Java, which "
     "suits very slow lines and topics whose max.message.bytes is below 256 KiB."},
    {"partitioner.adaptive.partitioning.enable", boolean, "true", low,
     "Whether brokers that are faster get more of the records without a key."},
    {"partitioner.availability.timeout.ms", milliseconds, "0", low,
     "Partitions whose broker took nothing for this long get no records without a key; 0: never."},
    {"partitioner.class",
     "uniform_sticky, round_robin, random, consistent, consistent_random, murmur2, murmur2_random, "
     "fnv1a or fnv1a_random",
     "", medium,
     "How partitions are chosen. Without it as in Java: by murmur2 of the key, and sticky for "
     "records without one. The others are those of librdkafka."},
    {"partitioner.ignore.keys", boolean, "false", low,
     "Whether records with a key are spread as those without one."},
    {"receive.buffer.bytes", bytes, "-1", medium, receive_meaning},
    {"retries", number, "2147483647", high,
     "How often a batch is sent again after a failure that may pass, within delivery.timeout.ms."},
    {"transaction.timeout.ms", milliseconds, "60000", low,
     "The coordinator aborts a transaction that is open for longer."},
    {"transactional.id", text, unset, low,
     "The name under which transactions are made, which outlives the process."},
};

constexpr SettingInfo of_consumers[] = {
    {"allow.auto.create.topics", boolean, "true", medium,
     "Whether asking for a topic may create it, where the brokers do that."},
    {"auto.commit.interval.ms", milliseconds, "5000", low, "The pause between automatic commits."},
    {"auto.offset.reset", "earliest, latest, none or by_duration:PnDTnHnMn.nS", "latest", medium,
     "Where a partition begins that has no committed offset: at its start, its end, a time ago, or "
     "with an error."},
    {"check.crcs", boolean, "true", low, "Whether the checksums of batches are checked."},
    {"client.rack", text, "", low,
     "Where this client is; a replica in the same rack is read from, where the brokers do that."},
    {"connections.max.idle.ms", milliseconds, "540000", medium, idle_meaning},
    {"default.api.timeout.ms", milliseconds, "60000", medium, api_meaning},
    {"enable.auto.commit", boolean, "true", medium,
     "Whether what polls gave is committed by itself. Off without a group.id."},
    {"exclude.internal.topics", boolean, "true", medium,
     "Whether patterns leave internal topics out."},
    {"fetch.max.bytes", bytes, "52428800", medium,
     "The most that one fetch asks for; a larger first batch comes nevertheless."},
    {"fetch.max.wait.ms", milliseconds, "500", low,
     "How long a broker waits for fetch.min.bytes. Below request.timeout.ms."},
    {"fetch.min.bytes", number, "1", high, "A broker answers a fetch when it has so many bytes."},
    {"group.id", text, unset, high, "The group that topics are shared with."},
    {"group.instance.id", text, unset, medium,
     "A name of this member that outlives the process: its partitions wait for it during a "
     "restart."},
    {"group.protocol", "classic or consumer", "classic", high,
     "How groups are kept: by the members (classic), or by the broker (consumer)."},
    {"group.remote.assignor", text, unset, medium,
     "With group.protocol=consumer the broker's assignor; its own choice without it."},
    {"heartbeat.interval.ms", milliseconds, "3000", high,
     "The pause between heartbeats; below session.timeout.ms."},
    {"isolation.level", "read_uncommitted or read_committed", "read_uncommitted", medium,
     "Whether records of transactions that are open or aborted are read."},
    {"max.partition.fetch.bytes", bytes, "1048576", high,
     "The most of one partition in one fetch; a larger first batch comes nevertheless."},
    {"max.poll.interval.ms", milliseconds, "300000", medium,
     "A member that does not poll for this long leaves its group."},
    {"max.poll.records", number, "500", medium, "The most records that one poll gives."},
    {"millrace.prefetch.memory", bytes, "67108864", medium,
     "What fetched records that were not polled yet may take, over all partitions."},
    {"partition.assignment.strategy", list, "range,cooperative-sticky", medium,
     "How partitions are shared: range, roundrobin, sticky, cooperative-sticky, the best first."},
    {"receive.buffer.bytes", bytes, "-1", medium, receive_meaning},
    {"session.timeout.ms", milliseconds, "45000", high,
     "A member that is not heard of for this long is put out of its group."},
};

constexpr SettingInfo of_admins[] = {
    {"bootstrap.controllers", "list of host:port", unset, high,
     "In place of bootstrap.servers: controllers that are asked, of a cluster whose controllers "
     "speak Kafka's protocol. Millrace's do not."},
    {"connections.max.idle.ms", milliseconds, "300000", medium, idle_meaning},
    {"default.api.timeout.ms", milliseconds, "60000", medium, api_meaning},
    {"receive.buffer.bytes", bytes, "-1", medium, receive_meaning},
    {"retries", number, "2147483647", low,
     "How often a request is sent again after a failure that may pass, within its timeout."},
};

std::string escaped(std::string_view cell) {
  std::string out;
  for (const char letter : cell) {
    if (letter == '|' || letter == '_' || letter == '<' || letter == '*') out += '\\';
    out += letter;
  }
  return out;
}

void add_table(std::string& page, std::string_view title, ClientKind kind) {
  page += formatted("\n## {}\n\n| name | type | default | importance | meaning |\n", title);
  page += "|---|---|---|---|---|\n";
  for (const SettingInfo& setting : settings_of(kind)) {
    const std::string_view given = !setting.default_value           ? "not set"
                                   : setting.default_value->empty() ? "empty"
                                                                    : *setting.default_value;
    page += formatted("| `{}` | {} | {} | {} | {} |\n", setting.name, escaped(setting.type),
                      escaped(given), setting.importance, escaped(setting.meaning));
  }
}

}  // namespace

std::vector<SettingInfo> settings_of(ClientKind kind) {
  std::vector<SettingInfo> settings(std::begin(of_all), std::end(of_all));
  const auto add = [&](const auto& more) {
    settings.insert(settings.end(), std::begin(more), std::end(more));
  };
  if (kind == ClientKind::producer) add(of_producers);
  if (kind == ClientKind::consumer) add(of_consumers);
  if (kind == ClientKind::admin) add(of_admins);
  std::ranges::sort(settings, {}, &SettingInfo::name);
  return settings;
}

std::string settings_reference() {
  std::string page =
      "# Settings of the client\n\nPrinted from `sdk/client/core/settings_catalog.cpp`; do not "
      "edit. Names, defaults and ranges are those of\nApache Kafka's clients except for names that "
      "begin with `millrace.`. A name that Kafka has and this client does not is an\nerror that "
      "says so, unless its value asks for nothing.\n";
  add_table(page, "Producer", ClientKind::producer);
  add_table(page, "Consumer", ClientKind::consumer);
  add_table(page, "Admin", ClientKind::admin);
  return page;
}

}  // namespace millrace::client
