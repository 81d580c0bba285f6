module;
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

module millrace.protocol.framing;

namespace millrace::protocol {

RequestsInFlight::RequestsInFlight(std::size_t requests_max) : ring_(requests_max) {
  check(requests_max > 0, "a connection has room for at least one request");
}

// Numbers stay at or above zero: some servers print them, and -1 reads like none.
CorrelationId RequestsInFlight::take_number() {
  const std::int32_t number = next_;
  next_ = next_ == std::numeric_limits<std::int32_t>::max() ? 0 : next_ + 1;
  return CorrelationId(number);
}

std::optional<CorrelationId> RequestsInFlight::begin(ApiKey api, std::int16_t version) {
  if (full()) return std::nullopt;
  const CorrelationId number = take_number();
  ring_[(first_ + count_) % ring_.size()] = AwaitedResponse{number, api, version};
  ++count_;
  return number;
}

CorrelationId RequestsInFlight::begin_without_response() {
  return take_number();
}

Result<AwaitedResponse> RequestsInFlight::finish(CorrelationId received) {
  if (count_ == 0) {
    return failure(ErrorKind::corrupt, "a response came that no request asked for, number " +
                                           std::to_string(received.value()));
  }
  const AwaitedResponse oldest = ring_[first_];
  if (oldest.correlation_id != received) {
    return failure(ErrorKind::corrupt,
                   "response number " + std::to_string(received.value()) + " came where " +
                       std::to_string(oldest.correlation_id.value()) + " was awaited");
  }
  first_ = (first_ + 1) % ring_.size();
  --count_;
  return oldest;
}

std::optional<AwaitedResponse> RequestsInFlight::abandon_oldest() {
  if (count_ == 0) return std::nullopt;
  const AwaitedResponse oldest = ring_[first_];
  first_ = (first_ + 1) % ring_.size();
  --count_;
  return oldest;
}

}  // namespace millrace::protocol
