// The requests of a connection that are under way, in the order in which they are answered.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

export module millrace.broker.connections:answer_line;

import millrace.base;
import millrace.protocol.api;
import :limits;
import :request;

export namespace millrace::broker {

// One request from its beginning until its answer was sent.
struct Place {
  const protocol::ApiInfo* api = nullptr;  // none: it stands for input that is no request
  std::int16_t version = 0;
  std::size_t frame_bytes = 0;
  std::size_t answer_bytes = 0;
  MonotonicTime received{};
  MonotonicTime begun{};
  MonotonicTime answered{};
  std::optional<Response> response;  // once it is there
  Place* next = nullptr;
};

// First in, first out. Places stay where they are while they are in line, and are used again: a
// request takes no memory here. Belongs to one connection.
class AnswerLine {
 public:
  AnswerLine() = default;
  AnswerLine(const AnswerLine&) = delete;
  AnswerLine& operator=(const AnswerLine&) = delete;
  ~AnswerLine();

  // At the end of the line.
  [[nodiscard]] Place& add(std::size_t frame_bytes);
  [[nodiscard]] inline Place* first() const { return first_; }
  // Its response is there.
  void answered(Place& place);
  // The first leaves, and its response ends.
  void remove_first();

  [[nodiscard]] inline std::size_t size() const { return size_; }
  // Of the frames of all in line.
  [[nodiscard]] inline std::size_t frame_bytes() const { return frame_bytes_; }
  // Of the responses that are there, as far as they lie in memory.
  [[nodiscard]] inline std::size_t answer_bytes() const { return answer_bytes_; }

 private:
  Place* first_ = nullptr;
  Place* last_ = nullptr;
  Place* spare_ = nullptr;
  std::size_t size_ = 0;
  std::size_t spare_count_ = 0;
  std::size_t frame_bytes_ = 0;
  std::size_t answer_bytes_ = 0;
};

}  // namespace millrace::broker
