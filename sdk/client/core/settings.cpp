module;
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;
import millrace.config;
import millrace.protocol.compression;
import millrace.runtime.streams;
import :settings_reader;

namespace millrace::client {
namespace {

struct PartitionerName {
  PartitionerKind kind;
  std::string_view name;
};
constexpr std::array partitioner_names = {
    PartitionerName{PartitionerKind::uniform_sticky, "uniform_sticky"},
    PartitionerName{PartitionerKind::round_robin, "round_robin"},
    PartitionerName{PartitionerKind::random, "random"},
    PartitionerName{PartitionerKind::consistent, "consistent"},
    PartitionerName{PartitionerKind::consistent_random, "consistent_random"},
    PartitionerName{PartitionerKind::murmur2, "murmur2"},
    PartitionerName{PartitionerKind::murmur2_random, "murmur2_random"},
    PartitionerName{PartitionerKind::fnv1a, "fnv1a"},
    PartitionerName{PartitionerKind::fnv1a_random, "fnv1a_random"},
    PartitionerName{PartitionerKind::custom, "custom"},
};

struct AssignorName {
  AssignorKind kind;
  std::string_view name;
  std::string_view java_class;
};
constexpr std::array assignor_names = {
    AssignorName{AssignorKind::range, "range", "org.apache.kafka.clients.consumer.RangeAssignor"},
    AssignorName{AssignorKind::round_robin, "roundrobin",
                 "org.apache.kafka.clients.consumer.RoundRobinAssignor"},
    AssignorName{AssignorKind::sticky, "sticky",
                 "org.apache.kafka.clients.consumer.StickyAssignor"},
    AssignorName{AssignorKind::cooperative_sticky, "cooperative-sticky",
                 "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"},
};

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return text;
}

void read_bootstrap(SettingsReader& reader, CommonSettings& common, std::string_view name) {
  const auto servers = reader.list(name);
  if (!servers || servers->empty()) {
    reader.problem(formatted("{} must name at least one host:port", name));
    return;
  }
  for (const std::string& server : *servers) {
    auto address = host_port_from_string(server);
    if (!address) {
      reader.problem(formatted("{}: {}", name, address.error().message));
    } else if (std::ranges::find(common.bootstrap, *address) == common.bootstrap.end()) {
      common.bootstrap.push_back(std::move(*address));
    }
  }
}

void read_socket_buffer(SettingsReader& reader, std::string_view name,
                        std::optional<std::int32_t>& into) {
  const auto bytes = reader.number(name, -1, int_max);
  if (!bytes) return;
  into = *bytes == -1 ? std::nullopt : std::optional(static_cast<std::int32_t>(*bytes));
}

void read_names(SettingsReader& reader, CommonSettings& common) {
  if (const std::string* lookup = reader.text("client.dns.lookup")) {
    if (*lookup != "use_all_dns_ips") {
      reader.problem("client.dns.lookup is supported as use_all_dns_ips only");
    }
  }
  if (const std::string* strategy = reader.text("metadata.recovery.strategy")) {
    const std::string lower = lower_case(*strategy);
    if (lower == "rebootstrap") {
      common.recovery = RecoveryStrategy::rebootstrap;
    } else if (lower == "none") {
      common.recovery = RecoveryStrategy::none;
    } else {
      reader.not_one_of("metadata.recovery.strategy", "rebootstrap, none");
    }
  }
}

// Kafka: a first pause that is given alone is the only one.
void read_backoffs(SettingsReader& reader, CommonSettings& common) {
  reader.milliseconds("retry.backoff.ms", common.retry_backoff, 0, long_max);
  reader.milliseconds("retry.backoff.max.ms", common.retry_backoff_max, 0, long_max);
  reader.milliseconds("reconnect.backoff.ms", common.reconnect_backoff, 0, long_max);
  reader.milliseconds("reconnect.backoff.max.ms", common.reconnect_backoff_max, 0, long_max);
  if (reader.is_given("reconnect.backoff.ms") && !reader.is_given("reconnect.backoff.max.ms")) {
    common.reconnect_backoff_max = common.reconnect_backoff;
  }
}

}  // namespace

std::string to_string(const HostPort& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  return is_ipv6 ? formatted("[{}]:{}", address.host, address.port)
                 : formatted("{}:{}", address.host, address.port);
}

Result<HostPort> host_port_from_string(std::string_view text) {
  std::string_view rest = text;
  if (const std::size_t protocol = rest.find("://"); protocol != std::string_view::npos) {
    rest = rest.substr(protocol + 3);
  }
  auto parsed = config::parse_host_port(rest);
  if (!parsed)
    return failure(ErrorKind::invalid_argument, formatted("\"{}\": {}", text, parsed.error()));
  if (parsed->host.empty() || parsed->port == 0) {
    return failure(ErrorKind::invalid_argument,
                   formatted("\"{}\": an address must have a host and a port above 0", text));
  }
  return HostPort{std::move(parsed->host), Port(parsed->port)};
}

std::string_view name_of(PartitionerKind kind) {
  return std::ranges::find(partitioner_names, kind, &PartitionerName::kind)->name;
}

std::string_view name_of(AssignorKind kind) {
  return std::ranges::find(assignor_names, kind, &AssignorName::kind)->name;
}

std::string_view name_of(IsolationLevel level) {
  return level == IsolationLevel::read_committed ? "read_committed" : "read_uncommitted";
}

std::optional<PartitionerKind> partitioner_from(std::string_view name) {
  if (name == "org.apache.kafka.clients.producer.RoundRobinPartitioner") {
    return PartitionerKind::round_robin;
  }
  const auto found = std::ranges::find(partitioner_names, name, &PartitionerName::name);
  if (found == partitioner_names.end() || found->kind == PartitionerKind::custom) {
    return std::nullopt;
  }
  return found->kind;
}

std::optional<AssignorKind> assignor_from(std::string_view name) {
  for (const AssignorName& assignor : assignor_names) {
    if (name == assignor.name || name == assignor.java_class) return assignor.kind;
  }
  return std::nullopt;
}

void read_common(SettingsReader& reader, CommonSettings& common, std::string_view bootstrap) {
  read_bootstrap(reader, common, bootstrap);
  read_names(reader, common);
  read_backoffs(reader, common);
  reader.text("client.id", common.client_id);
  if (common.client_id.size() >
      static_cast<std::size_t>(std::numeric_limits<std::int16_t>::max())) {
    reader.problem("client.id must not be longer than 32767 bytes");
  }
  reader.milliseconds("request.timeout.ms", common.request_timeout, 0, int_max);
  reader.milliseconds("metadata.max.age.ms", common.metadata_max_age, 0, long_max);
  reader.milliseconds("metadata.recovery.rebootstrap.trigger.ms", common.rebootstrap_trigger, 0,
                      long_max);
  if (const auto idle = reader.number("connections.max.idle.ms", -1, long_max)) {
    common.connections_max_idle = *idle < 0 ? Duration::max() : duration_of_milliseconds(*idle);
  }
  reader.milliseconds("socket.connection.setup.timeout.ms", common.socket_connection_setup_timeout,
                      1, long_max);
  reader.milliseconds("socket.connection.setup.timeout.max.ms",
                      common.socket_connection_setup_timeout_max, 1, long_max);
  read_socket_buffer(reader, "send.buffer.bytes", common.send_buffer_bytes);
  read_socket_buffer(reader, "receive.buffer.bytes", common.receive_buffer_bytes);
  reader.bytes("millrace.answer.max.bytes", common.answer_bytes_max, 1024, int_max);
}

}  // namespace millrace::client
