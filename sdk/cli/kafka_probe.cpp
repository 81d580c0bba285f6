module;
#include <array>
#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.cli;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::cli {
namespace {

constexpr Duration answer_timeout = std::chrono::seconds{5};

enum class Api : std::int16_t {
  metadata = 3,
  find_coordinator = 10,
  describe_groups = 15,
  list_groups = 16,
  versions = 18
};

// A request in the making, with its length in front.
class RequestWriter {
 public:
  RequestWriter(Api api, std::int16_t version, std::int32_t correlation_id) {
    put(std::int32_t{0});
    put(static_cast<std::int16_t>(api));
    put(version);
    put(correlation_id);
    put(std::string_view("millrace-local"));
  }
  template <std::integral Integer>
  void put(Integer value) {
    const Integer wire = big_endian(value);
    const auto* first = reinterpret_cast<const std::byte*>(&wire);
    bytes_.insert(bytes_.end(), first, first + sizeof wire);
  }
  void put(std::string_view text) {
    put(static_cast<std::int16_t>(text.size()));
    const ByteView bytes = as_bytes(text);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  [[nodiscard]] std::vector<std::byte> finish() && {
    std::vector<std::byte> whole = std::move(bytes_);
    const auto length = big_endian(static_cast<std::int32_t>(whole.size() - frame_length_bytes));
    std::memcpy(whole.data(), &length, sizeof length);
    return whole;
  }

 private:
  std::vector<std::byte> bytes_;
};

// Reads an answer; after the first thing that is not there everything is zero.
class AnswerReader {
 public:
  explicit AnswerReader(ByteView rest) : rest_(rest) {}
  template <std::integral Integer>
  Integer take() {
    Integer value{};
    if (rest_.size() < sizeof value) {
      is_good_ = false;
      rest_ = {};
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_ = rest_.subspan(sizeof value);
    return big_endian(value);
  }
  std::string take_text() {
    const auto size = take<std::int16_t>();
    if (size <= 0) return {};
    if (rest_.size() < static_cast<std::size_t>(size)) {
      is_good_ = false;
      rest_ = {};
      return {};
    }
    std::string text(as_text(rest_.first(static_cast<std::size_t>(size))));
    rest_ = rest_.subspan(static_cast<std::size_t>(size));
    return text;
  }
  [[nodiscard]] bool is_good() const { return is_good_; }

 private:
  ByteView rest_;
  bool is_good_ = true;
};

auto cut_off(const char* what) {
  return failure(ErrorKind::corrupt, formatted("the answer to {} ends too early", what));
}

auto refused(const char* what, std::int16_t error_code) {
  return failure(ErrorKind::io, formatted("{} answers error {}", what, error_code));
}

auto failed(const StreamError& error, const SocketAddress& broker) {
  return failure(ErrorKind::io, describe(error, broker));
}

// Sends a request and gives the body of the answer.
Task<Result<std::vector<std::byte>>> ask(ByteStream& stream, std::vector<std::byte> request,
                                         std::int32_t correlation_id, MonotonicTime deadline) {
  const std::array<ByteView, 1> pieces = {request};
  if (auto sent = co_await stream.write(pieces, More::no, deadline); !sent) {
    co_return failed(sent.error(), stream.peer());
  }
  std::vector<std::byte> answer(frame_length_bytes + sizeof correlation_id);
  std::size_t had = 0;
  bool is_length_known = false;
  while (had < answer.size()) {
    const auto read = co_await stream.read(MutableBytes(answer).subspan(had), deadline);
    if (!read) co_return failed(read.error(), stream.peer());
    if (*read == 0) {
      co_return failure(ErrorKind::io, formatted("{} closed the connection", stream.peer()));
    }
    had += *read;
    if (is_length_known || had < answer.size()) continue;
    AnswerReader reader(answer);
    const auto length = reader.take<std::int32_t>();
    if (length < 4 || std::cmp_greater(length, probe_answer_bytes_max) ||
        reader.take<std::int32_t>() != correlation_id) {
      co_return failure(ErrorKind::corrupt, formatted("{} answers nonsense", stream.peer()));
    }
    is_length_known = true;
    answer.resize(frame_length_bytes + static_cast<std::size_t>(length));
  }
  answer.erase(answer.begin(), answer.begin() + frame_length_bytes + sizeof correlation_id);
  co_return answer;
}

Task<Result<void>> probe_broker(ByteStream& stream, std::size_t brokers, MonotonicTime deadline) {
  const auto versions = co_await ask(stream, api_versions_request(1), 1, deadline);
  if (!versions) co_return failure(versions.error());
  if (auto good = check_api_versions(*versions); !good) co_return good;
  const auto metadata = co_await ask(stream, metadata_request(2), 2, deadline);
  if (!metadata) co_return failure(metadata.error());
  const auto known = brokers_in_metadata(*metadata);
  if (!known) co_return failure(known.error());
  if (*known < brokers) {
    co_return failure(ErrorKind::not_found,
                      formatted("{} knows {} of {} brokers", stream.peer(), *known, brokers));
  }
  co_return Result<void>{};
}

Task<Result<void>> probe_groups(Network& network, ByteStream& stream, MonotonicTime deadline) {
  const auto found = co_await ask(stream, find_coordinator_request(3, probe_group), 3, deadline);
  if (!found) co_return failure(found.error());
  const auto place = place_in_find_coordinator(*found);
  if (!place) co_return failure(place.error());
  const auto address =
      address_from_string(place->host, Port(static_cast<std::uint16_t>(place->port)));
  if (!address) co_return failure(address.error());
  auto connected = co_await network.connect(*address, {}, deadline);
  if (!connected) co_return failed(connected.error(), *address);
  Result<void> described;
  for (std::uint32_t number = 0; number < probe_groups_max; ++number) {
    std::string group(probe_group);
    if (number > 0) group += formatted("-{}", number);
    const auto answer = co_await ask(**connected, describe_groups_request(4, group), 4, deadline);
    described = answer ? check_describe_groups(*answer) : Result<void>(failure(answer.error()));
    if (described || !answer) break;
  }
  (*connected)->close();
  co_return described;
}

Task<Result<void>> probe_loading(ByteStream& stream, MonotonicTime deadline) {
  const auto groups = co_await ask(stream, list_groups_request(5), 5, deadline);
  if (!groups) co_return failure(groups.error());
  co_return check_list_groups(*groups);
}

}  // namespace

std::vector<std::byte> api_versions_request(std::int32_t correlation_id) {
  return RequestWriter(Api::versions, 0, correlation_id).finish();
}

std::vector<std::byte> metadata_request(std::int32_t correlation_id) {
  RequestWriter request(Api::metadata, 1, correlation_id);
  request.put(std::int32_t{0});  // of no topic: only the brokers
  return std::move(request).finish();
}

std::vector<std::byte> find_coordinator_request(std::int32_t correlation_id,
                                                std::string_view group) {
  RequestWriter request(Api::find_coordinator, 0, correlation_id);
  request.put(group);
  return std::move(request).finish();
}

std::vector<std::byte> describe_groups_request(std::int32_t correlation_id,
                                               std::string_view group) {
  RequestWriter request(Api::describe_groups, 0, correlation_id);
  request.put(std::int32_t{1});
  request.put(group);
  return std::move(request).finish();
}

std::vector<std::byte> list_groups_request(std::int32_t correlation_id) {
  RequestWriter request(Api::list_groups, 4, correlation_id);
  constexpr std::string_view state = "Dead";
  constexpr std::int8_t no_tags = 0;
  request.put(no_tags);         // of the header
  request.put(std::int8_t{2});  // one state; lengths count from 1
  request.put(static_cast<std::int8_t>(state.size() + 1));
  for (const char letter : state) request.put(static_cast<std::int8_t>(letter));
  request.put(no_tags);
  return std::move(request).finish();
}

Result<void> check_api_versions(ByteView body) {
  AnswerReader reader(body);
  const auto error_code = reader.take<std::int16_t>();
  const auto apis = reader.take<std::int32_t>();
  if (!reader.is_good()) return cut_off("ApiVersions");
  if (error_code != 0) return refused("ApiVersions", error_code);
  if (apis <= 0) return failure(ErrorKind::corrupt, "ApiVersions names no API");
  return {};
}

Result<std::size_t> brokers_in_metadata(ByteView body) {
  AnswerReader reader(body);
  const auto brokers = reader.take<std::int32_t>();
  if (!reader.is_good() || brokers < 0) return cut_off("Metadata");
  return static_cast<std::size_t>(brokers);
}

Result<CoordinatorPlace> place_in_find_coordinator(ByteView body) {
  AnswerReader reader(body);
  const auto error_code = reader.take<std::int16_t>();
  static_cast<void>(reader.take<std::int32_t>());  // the number of the node
  CoordinatorPlace place;
  place.host = reader.take_text();
  place.port = reader.take<std::int32_t>();
  if (!reader.is_good()) return cut_off("FindCoordinator");
  if (error_code != 0) return refused("FindCoordinator", error_code);
  if (place.port <= 0 || place.port > 65535) return cut_off("FindCoordinator");
  return place;
}

Result<void> check_describe_groups(ByteView body) {
  AnswerReader reader(body);
  const auto groups = reader.take<std::int32_t>();
  const auto error_code = reader.take<std::int16_t>();
  if (!reader.is_good() || groups != 1) return cut_off("DescribeGroups");
  if (error_code != 0) return refused("DescribeGroups", error_code);
  return {};
}

Result<void> check_list_groups(ByteView body) {
  constexpr std::int16_t loads = 14;  // COORDINATOR_LOAD_IN_PROGRESS
  AnswerReader reader(body);
  static_cast<void>(reader.take<std::int8_t>());   // no tags of the header
  static_cast<void>(reader.take<std::int32_t>());  // how long it was throttled
  const auto error_code = reader.take<std::int16_t>();
  if (!reader.is_good()) return cut_off("ListGroups");
  if (error_code == loads) {
    return failure(ErrorKind::io, "the coordinator still loads groups (ListGroups answers 14)");
  }
  if (error_code != 0) return refused("ListGroups", error_code);
  return {};
}

Task<Result<void>> probe_cluster(Network& network, const Clock& clock,
                                 std::vector<SocketAddress> brokers) {
  for (const bool is_loading_asked : {false, true}) {
    for (const SocketAddress& broker : brokers) {
      const MonotonicTime deadline = clock.now() + answer_timeout;
      auto connected = co_await network.connect(broker, {}, deadline);
      if (!connected) co_return failed(connected.error(), broker);
      ByteStream& stream = **connected;
      Result<void> good = is_loading_asked
                              ? co_await probe_loading(stream, deadline)
                              : co_await probe_broker(stream, brokers.size(), deadline);
      if (good && !is_loading_asked && broker == brokers.back()) {
        good = co_await probe_groups(network, stream, deadline);
      }
      stream.close();
      if (!good) co_return good;
    }
  }
  co_return Result<void>{};
}

}  // namespace millrace::cli
