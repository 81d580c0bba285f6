// Whether brokers serve: a few requests of the Kafka protocol, as a client would send them.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

export module millrace.cli:kafka_probe;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;

export namespace millrace::cli {

// The group that is asked for; nobody is in it.
inline constexpr std::string_view probe_group = "millrace-local-probe";
// Groups that are described, until one can be: with a number behind the name they lie in partitions
// that follow each other, and where a log directory has failed some are not there.
inline constexpr std::uint32_t probe_groups_max = 8;
// Answers to the probe are small.
inline constexpr std::size_t probe_answer_bytes_max = mebibyte;

// Versions that every broker and client since Kafka 0.10 knows, and that are easily read.
[[nodiscard]] std::vector<std::byte> api_versions_request(std::int32_t correlation_id);
[[nodiscard]] std::vector<std::byte> metadata_request(std::int32_t correlation_id);
[[nodiscard]] std::vector<std::byte> find_coordinator_request(std::int32_t correlation_id,
                                                              std::string_view group);
[[nodiscard]] std::vector<std::byte> describe_groups_request(std::int32_t correlation_id,
                                                             std::string_view group);
// Of a version that lets the answer be empty: it lists those in a state in which no group is.
[[nodiscard]] std::vector<std::byte> list_groups_request(std::int32_t correlation_id);

// From the body of an answer, after the correlation id; the error says what is wrong with it.
[[nodiscard]] Result<void> check_api_versions(ByteView body);
[[nodiscard]] Result<std::size_t> brokers_in_metadata(ByteView body);
struct CoordinatorPlace {
  std::string host;
  std::int32_t port = 0;
};
[[nodiscard]] Result<CoordinatorPlace> place_in_find_coordinator(ByteView body);
[[nodiscard]] Result<void> check_describe_groups(ByteView body);
[[nodiscard]] Result<void> check_list_groups(ByteView body);

// Succeeds when every one of these brokers answers and knows all of them, a group's coordinator
// is there and answers, and every broker's coordinator has loaded all groups that it has. The error
// says what is missing.
[[nodiscard]] Task<Result<void>> probe_cluster(Network& network, const Clock& clock,
                                               std::vector<SocketAddress> brokers);

}  // namespace millrace::cli
