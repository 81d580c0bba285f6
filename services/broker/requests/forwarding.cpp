module;
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.requests;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.protocol.admin;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::broker {
namespace {

using protocol::ApiKey;
using protocol::Arena;
using protocol::Array;
using protocol::ErrorCode;
using protocol::String;
using security::Operation;
using security::ResourceType;

// From this version on DeleteTopics may name topics by id.
constexpr std::int16_t topic_ids_from = 6;

constexpr std::int16_t code(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

constexpr String sentence_of(ErrorCode error) {
  switch (error) {
    case ErrorCode::topic_authorization_failed:
      return "the principal may not do this to the topic";
    case ErrorCode::cluster_authorization_failed:
      return "the principal may not do this to the cluster";
    case ErrorCode::not_controller:
      return "no controller took the request, and nothing was done: try again";
    case ErrorCode::topic_deletion_disabled:
      return "the controller deletes no topics: delete.topic.enable is false";
    case ErrorCode::request_timed_out:
      return "the controller did not answer in time; what was asked for may still happen";
    default:
      return "the request could not be passed on to the controller";
  }
}

// Each API as a struct: its messages, the array of things that a request names, whether the
// principal may do it to one of them, and the result of one that failed.
struct CreatingTopics {
  using Request = protocol::CreateTopicsRequest;
  using Response = protocol::CreateTopicsResponse;
  using Item = Request::CreatableTopic;
  using Outcome = Response::CreatableTopicResult;

  static Array<Item>& items(Request& request) { return request.topics; }
  static Array<Outcome>& outcomes(Response& response) { return response.topics; }
  static ErrorCode check(const Item& topic, const Permissions& permissions,
                         const metadata::Image&) {
    return permissions.may_create_topic(topic.name) ? ErrorCode::none
                                                    : ErrorCode::topic_authorization_failed;
  }
  static Outcome failed(const Item& topic, ErrorCode error) {
    Outcome outcome;
    outcome.name = topic.name;
    outcome.error_code = code(error);
    outcome.error_message = sentence_of(error);
    return outcome;
  }
};

struct DeletingTopics {
  using Request = protocol::DeleteTopicsRequest;
  using Response = protocol::DeleteTopicsResponse;
  using Item = Request::DeleteTopicState;
  using Outcome = Response::DeletableTopicResult;

  static Array<Item>& items(Request& request) { return request.topics; }
  static Array<Outcome>& outcomes(Response& response) { return response.responses; }
  static ErrorCode check(const Item& topic, const Permissions& permissions,
                         const metadata::Image& image) {
    const auto may = [&](std::string_view name) {
      return permissions.may(Operation::remove, ResourceType::topic, name);
    };
    if (topic.name.data() != nullptr) {
      return may(topic.name) ? ErrorCode::none : ErrorCode::topic_authorization_failed;
    }
    const auto found = image.topic(topic.topic_id);
    // The controller knows whether there is such a topic.
    if (found == nullptr || may(found->name)) return ErrorCode::none;
    return ErrorCode::topic_authorization_failed;
  }
  static Outcome failed(const Item& topic, ErrorCode error) {
    Outcome outcome;
    outcome.name = topic.name;
    outcome.topic_id = topic.topic_id;
    outcome.error_code = code(error);
    outcome.error_message = sentence_of(error);
    return outcome;
  }
};

struct CreatingPartitions {
  using Request = protocol::CreatePartitionsRequest;
  using Response = protocol::CreatePartitionsResponse;
  using Item = Request::CreatePartitionsTopic;
  using Outcome = Response::CreatePartitionsTopicResult;

  static Array<Item>& items(Request& request) { return request.topics; }
  static Array<Outcome>& outcomes(Response& response) { return response.results; }
  static ErrorCode check(const Item& topic, const Permissions& permissions,
                         const metadata::Image&) {
    const bool may = permissions.may(Operation::alter, ResourceType::topic, topic.name);
    return may ? ErrorCode::none : ErrorCode::topic_authorization_failed;
  }
  static Outcome failed(const Item& topic, ErrorCode error) {
    return {.name = topic.name, .error_code = code(error), .error_message = sentence_of(error)};
  }
};

template <class RequestMessage, class ResponseMessage>
struct ChangingConfigs {
  using Request = RequestMessage;
  using Response = ResponseMessage;
  using Item = typename Request::AlterConfigsResource;
  using Outcome = typename Response::AlterConfigsResourceResponse;

  static Array<Item>& items(Request& request) { return request.resources; }
  static Array<Outcome>& outcomes(Response& response) { return response.responses; }
  static ErrorCode check(const Item& resource, const Permissions& permissions,
                         const metadata::Image&) {
    if (resource.resource_type == static_cast<std::int8_t>(metadata::ConfigKind::topic)) {
      const bool may =
          permissions.may(Operation::alter_configs, ResourceType::topic, resource.resource_name);
      return may ? ErrorCode::none : ErrorCode::topic_authorization_failed;
    }
    return permissions.may_on_cluster(Operation::alter_configs)
               ? ErrorCode::none
               : ErrorCode::cluster_authorization_failed;
  }
  static Outcome failed(const Item& resource, ErrorCode error) {
    return {.error_code = code(error),
            .error_message = sentence_of(error),
            .resource_type = resource.resource_type,
            .resource_name = resource.resource_name};
  }
};

using AlteringConfigs =
    ChangingConfigs<protocol::AlterConfigsRequest, protocol::AlterConfigsResponse>;
using AlteringConfigsByStep = ChangingConfigs<protocol::IncrementalAlterConfigsRequest,
                                              protocol::IncrementalAlterConfigsResponse>;

// DeleteTopics names topics in two ways; here they are read as the newer one, and written back as
// the version has it. False: the arena is full.
bool unite_items(protocol::DeleteTopicsRequest& message, std::int16_t version, Arena& arena) {
  if (version >= topic_ids_from || message.topic_names.empty()) return true;
  const std::size_t count = message.topic_names.size();
  auto* const topics = arena.make_array<DeletingTopics::Item>(count);
  if (topics == nullptr) return false;
  for (std::size_t i = 0; i < count; ++i) topics[i].name = message.topic_names[i];
  message.topics = {topics, static_cast<std::int32_t>(count)};
  return true;
}
template <class Message>
bool unite_items(Message&, std::int16_t, Arena&) {
  return true;
}

void put_items(protocol::DeleteTopicsRequest& message,
               const std::vector<DeletingTopics::Item>& items, std::int16_t version,
               std::vector<String>& names) {
  message.topics = {};
  if (version >= topic_ids_from) {
    message.topics = {items.data(), static_cast<std::int32_t>(items.size())};
    return;
  }
  for (const auto& item : items) names.push_back(item.name);
  message.topic_names = {names.data(), static_cast<std::int32_t>(names.size())};
}
template <class Message, class Item>
void put_items(Message& message, const std::vector<Item>& items, std::int16_t,
               std::vector<String>&) {
  if constexpr (requires { message.resources; }) {
    message.resources = {items.data(), static_cast<std::int32_t>(items.size())};
  } else {
    message.topics = {items.data(), static_cast<std::int32_t>(items.size())};
  }
}

rpc::Forward envelope_of(const RequestContext& context, std::vector<std::byte> body,
                         MonotonicTime now) {
  rpc::Forward forward;
  forward.api = context.api->key;
  forward.version = context.version;
  forward.principal = security::to_string(context.session->principal);
  forward.client_id = std::string(context.client_id);
  forward.client_host = context.peer.host();
  forward.listener = context.session->listener;
  forward.timeout = std::max(context.deadline - now, Duration::zero());
  forward.body = std::move(body);
  return forward;
}

// Whether the client asked for what it cannot have, however often it tries. Others meet each other,
// or the cluster's state.
bool is_bad_input(ErrorCode error) {
  switch (error) {
    case ErrorCode::none:
    case ErrorCode::topic_already_exists:
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::unknown_topic_id:
    case ErrorCode::not_controller:
    case ErrorCode::request_timed_out:
    case ErrorCode::throttling_quota_exceeded:
      return false;
    default:
      return true;
  }
}

template <class Outcome>
String name_in(const Outcome& outcome) {
  if constexpr (requires { outcome.resource_name; }) {
    return outcome.resource_name;
  } else {
    return outcome.name;
  }
}

template <class Outcome>
ErrorCode error_of(const Outcome& outcome) {
  return protocol::error_code_from(outcome.error_code);
}

// One request of an API on its way to the controller and back. Lives in the frame of forward().
template <class Api>
class Forwarding {
 public:
  using Item = typename Api::Item;
  using Outcome = typename Api::Outcome;

  Forwarding(const Request& request, const HandlerSurroundings& around, const LimitedLogger& log)
      : request_(request), around_(around), log_(log), arena_(request_arena_bytes_max) {}

  Task<Response> run() {
    if (auto read = read_body(message_, request_, arena_); !read) {
      co_return Response::close(std::move(read.error()));
    }
    if (!unite_items(message_, request_.context.version, arena_)) {
      co_return Response::close("the request names too many topics");
    }
    const auto image = around_.images.current();
    sort_out(*image);
    if (allowed_.empty() && !outcomes_.empty()) co_return answer();
    auto body = body_for_controller();
    if (!body) {
      co_return Response::close(
          fmt::format("the request cannot be passed on: {}", protocol::to_string(body.error())));
    }
    co_await hold_back(around_, changes_of_quota());
    auto reply = co_await around_.controller.forward(
        envelope_of(request_.context, std::move(*body), around_.executor.clock().now()));
    if (!reply) {
      for (const Item& item : allowed_) outcomes_.push_back(Api::failed(item, reply.error()));
      co_return answer();
    }
    co_return pass_back(*reply);
  }

 private:
  void sort_out(const metadata::Image& image) {
    const Permissions permissions = permissions_of(request_, around_);
    for (const Item& item : Api::items(message_)) {
      const ErrorCode error = Api::check(item, permissions, image);
      if (error == ErrorCode::none) {
        allowed_.push_back(item);
      } else {
        outcomes_.push_back(Api::failed(item, error));
      }
    }
  }

  // How long the principal has to wait with what it asks for.
  Duration changes_of_quota() {
    const ApiRule* const rule = find_rule(Api::Response::api_key);
    if (rule->quota != security::QuotaKind::controller_mutation) return Duration::zero();
    return around_.quotas.record(*request_.context.session, request_.context.client_id, rule->quota,
                                 allowed_.size(), around_.executor.clock().now());
  }

  Result<std::vector<std::byte>, protocol::EncodeError> body_for_controller() {
    // Mostly as it came.
    if (outcomes_.empty()) return std::vector(request_.body.begin(), request_.body.end());
    std::vector<String> names;
    put_items(message_, allowed_, request_.context.version, names);
    return encode_body(message_, request_.context.version);
  }

  Response pass_back(const std::vector<std::byte>& reply) {
    typename Api::Response done;
    Arena arena(request_arena_bytes_max);
    const auto read = decode(done, reply, request_.context.version, arena);
    if (!read) {
      return Response::close(fmt::format("the controller's answer cannot be read: {}",
                                         protocol::to_string(read.error())));
    }
    const auto& made = Api::outcomes(done);
    if (outcomes_.empty()) {
      tell_of_bad_input({made.begin(), made.end()});
      return respond_encoded(request_.context, around_.pool, reply);
    }
    outcomes_.insert(outcomes_.end(), made.begin(), made.end());
    return answer();
  }

  // One line for all that is wrong in the request.
  void tell_of_bad_input(std::span<const Outcome> outcomes) const {
    const auto is_bad = [](const Outcome& outcome) { return is_bad_input(error_of(outcome)); };
    const auto first = std::ranges::find_if(outcomes, is_bad);
    if (first == outcomes.end()) return;
    const RequestContext& context = request_.context;
    log_.warning("{} from {} ({}, client id {}) is refused for \"{}\", first of {}, with {}: {}",
                 context.api->name, to_string(context.peer),
                 security::to_string(context.session->principal), shown(context.client_id),
                 shown(name_in(*first)), std::ranges::count_if(outcomes, is_bad),
                 protocol::name_of(error_of(*first)), shown(first->error_message));
  }

  Response answer() {
    tell_of_bad_input(outcomes_);
    typename Api::Response response;
    Api::outcomes(response) = {outcomes_.data(), static_cast<std::int32_t>(outcomes_.size())};
    return respond(request_.context, around_.pool, response);
  }

  const Request& request_;
  const HandlerSurroundings& around_;
  const LimitedLogger& log_;
  Arena arena_;
  typename Api::Request message_;
  std::vector<Item> allowed_;
  std::vector<Outcome> outcomes_;
};

template <class Api>
Task<Response> forward(Request request, const HandlerSurroundings& around,
                       const LimitedLogger& log) {
  Forwarding<Api> forwarding(request, around, log);
  co_return co_await forwarding.run();
}

}  // namespace

Task<Response> forward_to_controller(Request request, const HandlerSurroundings& around,
                                     const LimitedLogger& log) {
  switch (request.context.api->key) {
    case ApiKey::create_topics:
      return forward<CreatingTopics>(std::move(request), around, log);
    case ApiKey::delete_topics:
      return forward<DeletingTopics>(std::move(request), around, log);
    case ApiKey::create_partitions:
      return forward<CreatingPartitions>(std::move(request), around, log);
    case ApiKey::alter_configs:
      return forward<AlteringConfigs>(std::move(request), around, log);
    default:
      check(request.context.api->key == ApiKey::incremental_alter_configs,
            "only these requests are passed on to the controller");
      return forward<AlteringConfigsByStep>(std::move(request), around, log);
  }
}

}  // namespace millrace::broker
