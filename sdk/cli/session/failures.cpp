module;
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/error_code.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"

module millrace.cli.session;

import millrace.cli.frame;

namespace millrace::cli {
namespace {

// "topic orders: topic orders: no" as "topic orders: no": the client and the broker both say what
// it is about.
void remove_repeats(std::string_view& text) {
  std::size_t end = text.find(": ");
  while (end != std::string_view::npos) {
    const std::string_view rest = text.substr(end + 2);
    if (rest.starts_with(text.substr(0, end)) && (rest.size() == end || rest[end] == ':')) {
      text = rest;
      end = text.find(": ");
    } else {
      end = text.find(": ", end + 2);
    }
  }
}

// "TOPIC_ALREADY_EXISTS (broker 1): Topic 'orders' already exists." without what stands before the
// sentence: the code is told at the end of a line.
std::string sentence_of(const v1::Error& error) {
  std::string_view text = error.message();
  const std::string_view code = name_of(error.code());
  if (text.starts_with(code)) {
    text.remove_prefix(code.size());
    if (text.starts_with(" (broker ")) {
      const std::size_t end = text.find(')');
      if (end != std::string_view::npos) text.remove_prefix(end + 1);
    }
    if (text.starts_with(": ")) text.remove_prefix(2);
    while (text.starts_with(' ')) text.remove_prefix(1);
    if (text.ends_with('.')) text.remove_suffix(1);
  }
  remove_repeats(text);
  return std::string(text);
}

// Whether the sentence says itself what it is about: "topic orders: ...", "settings of topic
// orders: ...", "topic 'orders' has ...".
bool is_told_by(std::string_view sentence, std::string_view about) {
  constexpr std::string_view of_settings = "settings of ";
  if (sentence.starts_with(of_settings)) sentence.remove_prefix(of_settings.size());
  std::string plain(sentence);
  std::erase(plain, '\'');
  if (!plain.starts_with(about)) return false;
  plain.erase(0, about.size());
  return plain.empty() || plain.starts_with(':') || plain.starts_with(' ');
}

Failure coded(v1::ErrorCode code, std::string message, std::string hint = {}) {
  return {
      .code = std::string(name_of(code)), .message = std::move(message), .hint = std::move(hint)};
}

Failure missing(v1::ErrorCode code, std::string_view what, const std::string& name,
                const std::vector<std::string>& known) {
  const auto nearest = nearest_word(name, known);
  Failure failure = coded(code, joined("no ", what, " ", name),
                          nearest ? joined("did you mean ", *nearest, "?") : std::string());
  failure.is_code_plain = true;
  return failure;
}

}  // namespace

Failure failure_of(const v1::Error& error, std::string_view about) {
  std::string message = sentence_of(error);
  const std::string subject = about.empty() ? std::string() : joined(about, ": ");
  if (message.empty()) {
    message = about;
  } else if (!is_told_by(message, about)) {
    message.insert(0, subject);
  } else if (message.starts_with(subject) && is_told_by(message.substr(subject.size()), about)) {
    message.erase(0, subject.size());  // the broker says it after the client
  }
  if (message.empty()) message = "the cluster refused";
  std::string hint;
  const bool is_reached = error.code() == v1::ErrorCode::unsupported_version;
  const bool is_of_way =
      error.origin() == v1::Origin::network || error.origin() == v1::Origin::timeout;
  if (is_of_way && !is_reached) hint = "-b HOST:PORT names the brokers, --timeout how long to wait";
  if (error.origin() == v1::Origin::configuration) {
    const bool is_of_brokers = message.find("bootstrap.servers") != std::string::npos;
    if (is_of_brokers) hint = "-b HOST:PORT,... names the brokers";
    return usage_failure(std::move(message), std::move(hint));
  }
  return coded(error.code(), std::move(message), std::move(hint));
}

Failure topic_failure(const v1::Error& error, const std::string& topic) {
  if (error.code() == v1::ErrorCode::topic_already_exists)
    return coded(error.code(), joined("topic ", topic, " exists"),
                 joined("`millrace topic describe ", topic, "` shows it"));
  // Brokers that are asked for one say no more than that.
  const std::string about = joined("topic ", topic);
  if (error.code() == v1::ErrorCode::invalid_topic_exception && sentence_of(error) == about)
    return coded(error.code(), joined("'", topic, "' cannot be the name of a topic"),
                 "names have 1 to 249 ASCII letters, digits, '.', '_' and '-'");
  return failure_of(error, about);
}

Failure partition_failure(const v1::Error& error, const v1::TopicPartition& partition) {
  return failure_of(error, name_of(partition));
}

std::string name_of(const v1::TopicPartition& partition) {
  return joined(partition.topic, "-", partition.partition);
}

Failure group_failure(const v1::Error& error, const std::string& group) {
  if (error.code() == v1::ErrorCode::non_empty_group)
    return coded(error.code(), joined("group ", group, " has members"),
                 joined("`millrace group describe ", group, "` shows them; stop them first"));
  if (error.code() == v1::ErrorCode::group_id_not_found) return no_group(group, {});
  return failure_of(error, joined("group ", group));
}

Failure no_topic(const std::string& topic, const std::vector<std::string>& known) {
  return missing(v1::ErrorCode::unknown_topic_or_partition, "topic", topic, known);
}

Failure no_group(const std::string& group, const std::vector<std::string>& known) {
  return missing(v1::ErrorCode::group_id_not_found, "group", group, known);
}

}  // namespace millrace::cli
