// Errors of the client as failures of commands.
module;
#include <string>
#include <string_view>
#include <vector>

#include "millrace/records.hpp"
#include "millrace/result.hpp"

export module millrace.cli.session:failures;

import millrace.cli.frame;

export namespace millrace::cli {

using Failures = std::vector<Failure>;

// `about` is what it happened to, as "topic orders"; may be empty.
[[nodiscard]] Failure failure_of(const v1::Error& error, std::string_view about = {});
[[nodiscard]] Failure topic_failure(const v1::Error& error, const std::string& topic);
[[nodiscard]] Failure partition_failure(const v1::Error& error,
                                        const v1::TopicPartition& partition);
[[nodiscard]] Failure group_failure(const v1::Error& error, const std::string& group);

[[nodiscard]] std::string name_of(const v1::TopicPartition& partition);  // "orders-0"

// "no topic orderz; did you mean orders?"
[[nodiscard]] Failure no_topic(const std::string& topic, const std::vector<std::string>& known);
[[nodiscard]] Failure no_group(const std::string& group, const std::vector<std::string>& known);

}  // namespace millrace::cli
