#include "clients.hpp"

#include <chrono>
#include <variant>

namespace millrace::groups::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration heartbeat_interval = milliseconds{1500};
constexpr Duration retry_after = milliseconds{300};
constexpr Duration request_timeout = rebalance_timeout + seconds{3};
constexpr Duration busy_max = seconds{15};
constexpr std::int32_t partitions = 6;

}  // namespace

OwnedBytes subscription() {
  OwnedBytes bytes(8 + topic_of_all.size() + 4);
  store_big_endian<std::int16_t>(bytes.data(), 0);
  store_big_endian<std::int32_t>(bytes.data() + 2, 1);
  store_big_endian(bytes.data() + 6, static_cast<std::int16_t>(topic_of_all.size()));
  const ByteView name = as_bytes(topic_of_all);
  std::copy(name.begin(), name.end(), bytes.begin() + 8);
  store_big_endian<std::int32_t>(bytes.data() + 8 + topic_of_all.size(), -1);
  return bytes;
}

JoinRequest join_of(const Client& client, Random& random) {
  JoinRequest request;
  request.group = client.group;
  request.member_id = client.member;
  request.instance_id = client.instance;
  request.client_id = "app";
  request.session_timeout = session_timeout;
  request.rebalance_timeout = rebalance_timeout;
  request.protocol_type = "consumer";
  request.protocols = client.protocols;
  request.member_id_required = client.asks_for_id;
  request.may_skip_assignment = client.skips_assignment;
  store_big_endian(request.random.bytes.data(), random.next());
  return request;
}

Client& Clients::add(Client client) {
  return *clients_.emplace_back(std::make_unique<Client>(std::move(client)));
}

void Clients::start(Client& client) {
  client.member.clear();
  client.generation = no_generation;
  client.stands_still = false;
  client.state = Client::State::joining;
  join(client);
}

void Clients::die(Client& client) {
  client.state = Client::State::away;
  ++client.attempt;
}

void Clients::leave(Client& client) {
  world_.send(LeaveRequest{client.group, {{client.member, client.instance}}}, {}, &client.met);
  die(client);
}

template <class OneReply, class OneRequest>
void Clients::ask(Client& client, OneRequest request) {
  const std::uint64_t attempt = client.attempt;
  world_.send(
      std::move(request),
      [this, &client, attempt](const Reply& reply) {
        const bool is_mine = client.attempt == attempt && !client.stands_still;
        if (is_mine) on(client, std::get<OneReply>(reply));
      },
      &client.met);
}

void Clients::join(Client& client) {
  const std::uint64_t attempt = ++client.attempt;
  client.state = Client::State::joining;
  if (!client.stands_still) ask<JoinReply>(client, join_of(client, world_.random()));
  world_.after(request_timeout, [this, &client, attempt] {
    if (client.attempt == attempt) join(client);
  });
}

void Clients::join_after(Client& client, Duration delay) {
  const std::uint64_t attempt = ++client.attempt;
  client.state = Client::State::joining;
  world_.after(delay, [this, &client, attempt] {
    if (client.attempt == attempt) join(client);
  });
}

void Clients::on(Client& client, const JoinReply& reply) {
  if (reply.error == ErrorCode::member_id_required) {
    client.member = reply.member_id;
    return join(client);
  }
  if (reply.error != ErrorCode::none) return on(client, reply.error);
  client.member = reply.member_id;
  client.generation = reply.generation;
  client.members.clear();
  if (reply.leader == reply.member_id && !reply.skip_assignment) {
    for (const JoinedMember& member : reply.members) client.members.push_back(member.member_id);
  }
  if (!world_.random().chance(client.is_busy)) return sync(client);
  const std::uint64_t attempt = ++client.attempt;
  client.state = Client::State::syncing;
  heartbeat(client);
  world_.after(world_.draw(busy_max), [this, &client, attempt] {
    if (client.attempt == attempt) sync(client);
  });
}

void Clients::sync(Client& client) {
  const std::uint64_t attempt = ++client.attempt;
  client.state = Client::State::syncing;
  SyncRequest request;
  request.group = client.group;
  request.generation = client.generation;
  request.member_id = client.member;
  request.instance_id = client.instance;
  const std::uint64_t token = ++tokens_;
  for (std::size_t i = 0; i < client.members.size(); ++i) {
    Assignment assignment;
    assignment.token = token;
    for (auto p = static_cast<std::int32_t>(i); p < partitions;
         p += static_cast<std::int32_t>(client.members.size())) {
      assignment.partitions.push_back(p);
    }
    request.assignments.push_back({client.members[i], written(assignment)});
  }
  if (!client.stands_still) ask<SyncReply>(client, std::move(request));
  world_.after(request_timeout, [this, &client, attempt] {
    if (client.attempt == attempt) join(client);
  });
}

void Clients::on(Client& client, const SyncReply& reply) {
  if (reply.error != ErrorCode::none) return on(client, reply.error);
  ++client.attempt;
  client.state = Client::State::stable;
  client.assignment = reply.assignment;
  heartbeat(client);
}

void Clients::heartbeat(Client& client) {
  const std::uint64_t attempt = client.attempt;
  if (!client.stands_still) {
    world_.send(
        HeartbeatRequest{client.group, client.generation, client.member, client.instance},
        [this, &client, attempt](const Reply& reply) {
          const ErrorCode error = std::get<HeartbeatReply>(reply).error;
          const bool is_mine = client.attempt == attempt && !client.stands_still;
          if (is_mine && error != ErrorCode::none) on(client, error);
        },
        &client.met);
  }
  world_.after(heartbeat_interval, [this, &client, attempt] {
    if (client.attempt == attempt) heartbeat(client);
  });
}

// Of a join, a fetch of an assignment, a heartbeat.
void Clients::on(Client& client, ErrorCode error) {
  switch (error) {
    case ErrorCode::unknown_member_id:
      client.member.clear();
      return join_after(client, milliseconds{50});
    case ErrorCode::rebalance_in_progress:
      if (client.state == Client::State::stable && world_.now() < client.busy_until) return;
      if (client.state == Client::State::stable && world_.random().chance(client.is_busy)) {
        client.busy_until = world_.now() + world_.draw(busy_max);
        return;
      }
      return join_after(client, milliseconds{20});
    case ErrorCode::illegal_generation:
      return join_after(client, milliseconds{20});
    case ErrorCode::fenced_instance_id:
      // Whoever looks after it starts it again.
      die(client);
      return world_.after(3 * retry_after, [this, &client, attempt = client.attempt] {
        if (client.attempt == attempt) start(client);
      });
    case ErrorCode::coordinator_not_available:
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::not_coordinator:
      // Who has an assignment keeps it, and asks again with its next heartbeat.
      if (client.state == Client::State::stable) return;
      if (client.state == Client::State::syncing) {
        return world_.after(retry_after, [this, &client, attempt = client.attempt] {
          if (client.attempt == attempt) sync(client);
        });
      }
      return join_after(client, retry_after);
    default:
      return join_after(client, 2 * retry_after);
  }
}

void Clients::commit(Client& client) {
  CommitRequest request;
  request.group = client.group;
  request.member_id = client.member;
  request.generation = client.generation;
  request.instance_id = client.instance;
  const PartitionIndex partition(static_cast<std::int32_t>(world_.random().below(partitions)));
  request.topics = {{std::string(topic_of_all), {}, {{partition, {}, no_leader_epoch, ""}}}};
  world_.send(std::move(request));
}

}  // namespace millrace::groups::sim
