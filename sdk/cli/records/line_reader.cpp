module;
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

module millrace.cli.records;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {

std::optional<std::string_view> LineReader::next() {
  while (true) {
    const std::size_t end = held_.find('\n', std::max(begin_, searched_));
    if (end != std::string::npos) {
      const std::string_view line = std::string_view(held_).substr(begin_, end - begin_);
      begin_ = end + 1;
      return line;
    }
    searched_ = held_.size();
    if (read_more()) continue;
    if (begin_ == held_.size() || failure_ || Interrupt::is_asked()) return std::nullopt;
    const std::string_view line = std::string_view(held_).substr(begin_);
    begin_ = held_.size();
    return line;
  }
}

std::optional<std::string> LineReader::rest() {
  while (read_more()) {
  }
  if (failure_ || Interrupt::is_asked()) return std::nullopt;
  std::string left = held_.substr(begin_);
  begin_ = held_.size();
  return left;
}

bool LineReader::would_wait() const {
  if (is_at_end_ || held_.find('\n', std::max(begin_, searched_)) != std::string::npos)
    return false;
  pollfd input{.fd = file_, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, 0) == 0;
}

bool LineReader::read_more() {
  if (is_at_end_ || Interrupt::is_asked()) return false;
  if (begin_ > 0) {
    held_.erase(0, begin_);
    searched_ -= std::min(searched_, begin_);
    begin_ = 0;
  }
  const std::size_t held = held_.size();
  if (held > line_bytes_max) {
    failure_ = Failure{.code = "INPUT",
                       .message = joined("a line is longer than ", line_bytes_max, " bytes")};
    is_at_end_ = true;
    return false;
  }
  held_.resize(held + block_bytes);
  ssize_t count = -1;
  do {
    count = ::read(file_, held_.data() + held, block_bytes);
  } while (count < 0 && errno == EINTR && !Interrupt::is_asked());
  if (count < 0 && errno != EINTR)
    failure_ = Failure{.code = "INPUT",
                       .message = joined("standard input cannot be read: ", std::strerror(errno))};
  held_.resize(held + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  is_at_end_ = count <= 0;
  return !is_at_end_;
}

}  // namespace millrace::cli
