module;
#include <string>
#include <string_view>
#include <utility>

module millrace.client.core;

import millrace.base;
import millrace.protocol.api;

namespace millrace::client {
namespace {

// Java's InvalidMetadataException: another broker leads, or the topic is not what it was.
bool is_about_metadata(ErrorCode code) {
  switch (code) {
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::leader_not_available:
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::replica_not_available:
    case ErrorCode::network_exception:
    case ErrorCode::kafka_storage_error:
    case ErrorCode::listener_not_found:
    case ErrorCode::fenced_leader_epoch:
    case ErrorCode::preferred_leader_not_available:
    case ErrorCode::eligible_leaders_not_available:
    case ErrorCode::election_not_needed:
    case ErrorCode::unknown_topic_id:
    case ErrorCode::inconsistent_topic_id:
      return true;
    default:
      return false;
  }
}

bool is_fatal_for_all(ErrorCode code) {
  switch (code) {
    case ErrorCode::sasl_authentication_failed:
    case ErrorCode::unsupported_sasl_mechanism:
    case ErrorCode::illegal_sasl_state:
      return true;
    default:
      return false;
  }
}

bool is_fatal_for_producer(ErrorCode code) {
  switch (code) {
    case ErrorCode::producer_fenced:
    case ErrorCode::transaction_coordinator_fenced:
    case ErrorCode::transactional_id_authorization_failed:
    case ErrorCode::cluster_authorization_failed:
    case ErrorCode::invalid_producer_id_mapping:
    case ErrorCode::invalid_txn_state:
    case ErrorCode::unsupported_for_message_format:
    case ErrorCode::unsupported_version:
      return true;
    default:
      return is_fatal_for_all(code);
  }
}

bool is_fatal_for_consumer(ErrorCode code) {
  switch (code) {
    case ErrorCode::fenced_instance_id:
    case ErrorCode::unreleased_instance_id:
    case ErrorCode::group_authorization_failed:
    case ErrorCode::inconsistent_group_protocol:
    case ErrorCode::invalid_group_id:
    case ErrorCode::invalid_session_timeout:
    case ErrorCode::group_max_size_reached:
    case ErrorCode::unsupported_assignor:
    case ErrorCode::invalid_regular_expression:
    case ErrorCode::unsupported_version:
      return true;
    default:
      return is_fatal_for_all(code);
  }
}

// A leader that waits for its followers may lose its role, its topic or its disk meanwhile: the
// records are in its log, and whether they stay there nobody knows.
Persistence after_produce(ErrorCode code) {
  switch (code) {
    case ErrorCode::none:
    case ErrorCode::duplicate_sequence_number:
      return Persistence::persisted;
    case ErrorCode::request_timed_out:
    case ErrorCode::network_exception:
    case ErrorCode::not_enough_replicas_after_append:
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::unknown_topic_id:
    case ErrorCode::kafka_storage_error:
    case ErrorCode::unknown_server_error:
      return Persistence::unknown;
    default:
      return Persistence::not_persisted;
  }
}

struct LocalFailure {
  ErrorCode code;
  bool retriable;
  bool fatal;
};

LocalFailure local_failure(Failure failure) {
  switch (failure) {
    case Failure::broker_said:
      return {ErrorCode::unknown_server_error, false, false};
    case Failure::timed_out:
    case Failure::buffer_full:
      return {ErrorCode::request_timed_out, true, false};
    case Failure::disconnected:
    case Failure::unresolved_address:
      return {ErrorCode::network_exception, true, false};
    // The connection is closed, and the next answer may be well.
    case Failure::malformed_answer:
      return {ErrorCode::unknown_server_error, true, false};
    case Failure::unsupported_version:
      return {ErrorCode::unsupported_version, false, false};
    case Failure::unknown_topic:
      return {ErrorCode::unknown_topic_or_partition, true, false};
    case Failure::unknown_broker:
      return {ErrorCode::broker_not_available, true, false};
    case Failure::closed:
      return {ErrorCode::none, false, true};
    case Failure::record_too_large:
      return {ErrorCode::message_too_large, false, false};
    case Failure::bad_argument:
      return {ErrorCode::invalid_request, false, false};
    case Failure::fenced:
      return {ErrorCode::producer_fenced, false, true};
    case Failure::not_in_group:
      return {ErrorCode::unknown_member_id, false, false};
    case Failure::aborted:
      return {ErrorCode::transaction_abortable, false, false};
    case Failure::wakened:
      return {ErrorCode::none, true, false};
  }
  check(false, "a failure is one of its enumeration");
  return {};
}

}  // namespace

std::string_view name_of(Persistence persistence) {
  switch (persistence) {
    case Persistence::not_persisted:
      return "not persisted";
    case Persistence::persisted:
      return "persisted";
    case Persistence::unknown:
      return "perhaps persisted";
  }
  return "";
}

std::string_view name_of(Failure failure) {
  switch (failure) {
    case Failure::broker_said:
      return "broker said";
    case Failure::timed_out:
      return "timed out";
    case Failure::disconnected:
      return "disconnected";
    case Failure::unresolved_address:
      return "unresolved address";
    case Failure::malformed_answer:
      return "malformed answer";
    case Failure::unsupported_version:
      return "unsupported version";
    case Failure::unknown_topic:
      return "unknown topic";
    case Failure::unknown_broker:
      return "unknown broker";
    case Failure::closed:
      return "closed";
    case Failure::buffer_full:
      return "buffer full";
    case Failure::record_too_large:
      return "record too large";
    case Failure::bad_argument:
      return "bad argument";
    case Failure::fenced:
      return "fenced";
    case Failure::not_in_group:
      return "not in group";
    case Failure::aborted:
      return "aborted";
    case Failure::wakened:
      return "wakened";
  }
  return "";
}

ErrorTraits traits_of(ErrorCode code) {
  return {
      .retriable = protocol::is_retriable(code),
      .fatal_for_producer = is_fatal_for_producer(code),
      .fatal_for_consumer = is_fatal_for_consumer(code),
      .produce = after_produce(code),
      .refresh_metadata = is_about_metadata(code),
      .find_coordinator =
          code == ErrorCode::not_coordinator || code == ErrorCode::coordinator_not_available,
  };
}

ClientError broker_error(ErrorCode code, BrokerId broker, std::string sentence) {
  const ErrorTraits traits = traits_of(code);
  return {
      .failure = Failure::broker_said,
      .code = code,
      .retriable = traits.retriable,
      .fatal = is_fatal_for_all(code),
      .persistence = traits.produce,
      .broker = broker,
      .message = std::move(sentence),
  };
}

ClientError client_error(Failure failure, std::string sentence, Persistence persistence,
                         BrokerId broker) {
  const LocalFailure local = local_failure(failure);
  return {
      .failure = failure,
      .code = local.code,
      .retriable = local.retriable,
      .fatal = local.fatal,
      .persistence = persistence,
      .broker = broker,
      .message = std::move(sentence),
  };
}

std::string to_string(const ClientError& error) {
  const bool has_code = error.code != ErrorCode::none;
  std::string text(has_code ? protocol::name_of(error.code) : name_of(error.failure));
  if (error.broker >= BrokerId(0)) text += formatted(" (broker {})", error.broker);
  if (!error.message.empty()) text += ": " + error.message;
  if (error.persistence != Persistence::not_persisted) {
    text += formatted(" ({})", name_of(error.persistence));
  }
  return text;
}

}  // namespace millrace::client
