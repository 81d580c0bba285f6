// The client's side of correlation: which answer belongs to which request.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

export module millrace.protocol.framing:in_flight;

import millrace.base;
import millrace.protocol.api;

export namespace millrace::protocol {

// A request whose answer is awaited.
struct AwaitedResponse {
  CorrelationId correlation_id;
  ApiKey api = ApiKey::produce;
  std::int16_t version = 0;
};

// The requests of one connection that have no answer yet. A server answers in the order of the
// requests, so the next answer belongs to the oldest; anything else means that the stream is broken
// and must be closed. Belongs to the thread of its connection. Requests that get no answer (Produce
// with acks=0) take a number and no place.
class RequestsInFlight {
 public:
  explicit RequestsInFlight(std::size_t requests_max);

  // The number for the next request; null while requests_max answers are awaited.
  [[nodiscard]] std::optional<CorrelationId> begin(ApiKey api, std::int16_t version);
  [[nodiscard]] CorrelationId begin_without_response();

  // Which request the answer with this number belongs to; an error if it is not the oldest one's.
  [[nodiscard]] Result<AwaitedResponse> finish(CorrelationId received);

  // Takes the oldest out, for telling each of them that the connection broke; null when there are
  // no more.
  [[nodiscard]] std::optional<AwaitedResponse> abandon_oldest();

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool full() const { return count_ == ring_.size(); }

 private:
  [[nodiscard]] CorrelationId take_number();

  std::vector<AwaitedResponse> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::int32_t next_ = 0;
};

}  // namespace millrace::protocol
