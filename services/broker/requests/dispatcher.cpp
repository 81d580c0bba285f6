module;
#include <fmt/format.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

module millrace.broker.requests;

import millrace.base;
import millrace.broker.requests.configs;
import millrace.broker.requests.lookups;
import millrace.broker.requests.ports;
import millrace.config;
import millrace.metadata;
import millrace.protocol.admin;
import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::broker {
namespace {

using protocol::ApiKey;
using protocol::Arena;

Task<Response> refuse(std::string reason) {
  co_return Response::close(std::move(reason));
}

// Answered here, after a question to the controllers.
bool is_asked_of_controllers(ApiKey key) {
  return key == ApiKey::init_producer_id || key == ApiKey::describe_quorum;
}

}  // namespace

Dispatcher::Dispatcher(const HandlerSurroundings& around, const RequestPorts& ports,
                       const Logger& log)
    : around_(around),
      ports_(ports),
      producer_ids_(around.controller),
      topic_creation_(around_, log.child("topics")),
      log_(log.child("requests"), around.executor.clock()) {}

Task<Response> Dispatcher::handle(Request request) {
  const protocol::ApiInfo& api = *request.context.api;
  const ApiRule* const rule = find_rule(api.key);
  if (rule == nullptr) return refuse(fmt::format("{} is not served here", api.name));
  const std::int16_t version = request.context.version;
  if (request.context.version_supported && !serves(*rule, version)) {
    return refuse(fmt::format("version {} of {} is not served here", version, api.name));
  }
  return route(std::move(request), *rule);
}

void Dispatcher::connection_closing(ConnectionId connection) {
  ports_.fetches.connection_closing(connection);
  ports_.groups.connection_closing(connection);
}

Task<void> Dispatcher::stop() {
  return topic_creation_.stop();
}

Task<Response> Dispatcher::route(Request request, const ApiRule& rule) {
  switch (rule.route) {
    case Route::here:
      return is_asked_of_controllers(rule.key) ? answer_with_others(std::move(request))
                                               : answer_here(std::move(request));
    case Route::data:
      // Produce tells the quotas itself.
      return rule.key == ApiKey::produce ? ports_.data.produce(std::move(request))
                                         : answer_with_others(std::move(request));
    case Route::fetch:
      return ports_.fetches.fetch(std::move(request));
    case Route::group:
      return ports_.groups.handle(std::move(request));
    case Route::controller:
      break;
  }
  return forward_to_controller(std::move(request), around_, log_);
}

// What such a request takes of threads nobody knows. Who has used too much by other requests is
// held back nevertheless.
Task<Response> Dispatcher::answer_with_others(Request request) {
  const auto session = request.context.session;
  const std::string client_id(request.context.client_id);
  Response response = co_await ask_others(std::move(request));
  const Duration throttle = around_.quotas.record(*session, client_id, security::QuotaKind::request,
                                                  0, around_.executor.clock().now());
  co_await hold_back(around_, throttle);
  co_return response;
}

Task<Response> Dispatcher::ask_others(Request request) {
  switch (request.context.api->key) {
    case ApiKey::init_producer_id:
      return init_producer_id(std::move(request), producer_ids_, around_);
    case ApiKey::describe_quorum:
      return broker::describe_quorum(std::move(request), around_);
    case ApiKey::list_offsets:
      return ports_.data.list_offsets(std::move(request));
    case ApiKey::delete_records:
      return ports_.data.delete_records(std::move(request));
    case ApiKey::offset_for_leader_epoch:
      return ports_.data.offset_for_leader_epoch(std::move(request));
    case ApiKey::describe_log_dirs:
      return ports_.data.describe_log_dirs(std::move(request));
    default:
      check(request.context.api->key == ApiKey::describe_producers,
            "only these requests wait for others");
      return ports_.data.describe_producers(std::move(request));
  }
}

Task<Response> Dispatcher::answer_here(Request request) {
  const Clock& clock = around_.executor.clock();
  const MonotonicTime begun = clock.now();
  Response response = answer_at_once(request);
  const MonotonicTime ended = clock.now();
  const Duration throttle = around_.quotas.record(
      *request.context.session, request.context.client_id, security::QuotaKind::request,
      static_cast<std::uint64_t>((ended - begun).count()), ended);
  co_await hold_back(around_, throttle);
  co_return response;
}

Response Dispatcher::answer_at_once(const Request& request) {
  switch (request.context.api->key) {
    case ApiKey::api_versions:
      return api_versions(request);
    case ApiKey::metadata:
      return metadata(request);
    case ApiKey::find_coordinator:
      return find_coordinator(request);
    case ApiKey::describe_cluster:
      return describe_cluster(request);
    case ApiKey::describe_topic_partitions:
      return describe_topic_partitions(request);
    case ApiKey::describe_configs:
      return describe_configs(request);
    default:
      check(request.context.api->key == ApiKey::list_config_resources,
            "every API that is answered here has its answer");
      return list_config_resources(request);
  }
}

template <class Message, class Make>
Response Dispatcher::answer(const Request& request, Make make) {
  Arena arena(request_arena_bytes_max);
  Message message;
  if (auto read = read_body(message, request, arena); !read) {
    return Response::close(std::move(read.error()));
  }
  const std::shared_ptr<const metadata::Image> image = around_.images.current();
  Arena answers(answer_arena_bytes_max);
  return make(message, *image, answers);
}

Response Dispatcher::api_versions(const Request& request) {
  const auto tell = [&](const protocol::ApiVersionsRequest& message, const metadata::Image& image,
                        Arena& arena) {
    const auto answer =
        answer_api_versions(message, request.context.version, request.context.version_supported,
                            features_that_work(), image, arena);
    return respond(request.context, around_.pool, answer);
  };
  if (request.context.version_supported) {
    return answer<protocol::ApiVersionsRequest>(request, tell);
  }
  // Nobody knows how the body of a newer version reads.
  Arena arena(answer_arena_bytes_max);
  return tell({}, *around_.images.current(), arena);
}

Response Dispatcher::metadata(const Request& request) {
  return answer<protocol::MetadataRequest>(
      request,
      [&](const protocol::MetadataRequest& message, const metadata::Image& image, Arena& arena) {
        const bool may_create = around_.configs.server()->get<"auto.create.topics.enable">();
        const std::string cluster = to_string(image.cluster_id());
        const MetadataAnswer answer =
            answer_metadata(message, request.context.version, view_of(image, request, around_),
                            may_create, cluster, arena);
        for (const std::string_view name : answer.to_create) {
          topic_creation_.create_missing(name, request.context);
        }
        if (answer.illegal_count > 0) tell_of_illegal_names(answer, request.context);
        return respond(request.context, around_.pool, answer.message);
      });
}

void Dispatcher::tell_of_illegal_names(const MetadataAnswer& answer,
                                       const RequestContext& context) {
  log_.warning("Metadata from {} ({}, client id {}) asks for \"{}\", first of {} illegal names",
               to_string(context.peer), security::to_string(context.session->principal),
               shown(context.client_id), shown(answer.first_illegal), answer.illegal_count);
}

Response Dispatcher::find_coordinator(const Request& request) {
  return answer<protocol::FindCoordinatorRequest>(
      request, [&](const protocol::FindCoordinatorRequest& message, const metadata::Image& image,
                   Arena& arena) {
        const CoordinatorAnswer answer = answer_coordinator(
            message, request.context.version, view_of(image, request, around_), arena);
        if (answer.lacks_group_topic) {
          topic_creation_.create_missing(group_state_topic, request.context);
        }
        return respond(request.context, around_.pool, answer.message);
      });
}

Response Dispatcher::describe_cluster(const Request& request) {
  return answer<protocol::DescribeClusterRequest>(
      request, [&](const protocol::DescribeClusterRequest& message, const metadata::Image& image,
                   Arena& arena) {
        const std::string cluster = to_string(image.cluster_id());
        return respond(request.context, around_.pool,
                       answer_cluster(message, request.context.version,
                                      view_of(image, request, around_), cluster, arena));
      });
}

Response Dispatcher::describe_topic_partitions(const Request& request) {
  return answer<protocol::DescribeTopicPartitionsRequest>(
      request, [&](const protocol::DescribeTopicPartitionsRequest& message,
                   const metadata::Image& image, Arena& arena) {
        return respond(request.context, around_.pool,
                       answer_topic_partitions(message, view_of(image, request, around_), arena));
      });
}

Response Dispatcher::describe_configs(const Request& request) {
  return answer<protocol::DescribeConfigsRequest>(
      request, [&](const protocol::DescribeConfigsRequest& message, const metadata::Image& image,
                   Arena& arena) {
        const auto answer =
            answer_configs(message, image, permissions_of(request, around_), around_, arena);
        return respond(request.context, around_.pool, answer->message);
      });
}

Response Dispatcher::list_config_resources(const Request& request) {
  return answer<protocol::ListConfigResourcesRequest>(
      request, [&](const protocol::ListConfigResourcesRequest& message,
                   const metadata::Image& image, Arena& arena) {
        const auto answer = answer_config_resources(message, request.context.version,
                                                    view_of(image, request, around_), arena);
        return respond(request.context, around_.pool, answer->message);
      });
}

}  // namespace millrace::broker
