module;
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

module millrace.storage.segment;

namespace millrace::storage {

using protocol::BatchHeader;

std::optional<Misplaced> BatchOrder::add(std::uint64_t position, const BatchHeader& header) {
  const Offset base = header.base_offset;
  // What follows the last offset must be an offset too.
  const bool possible = base >= Offset(0) && header.last_offset_delta >= 0 &&
                        header.last_offset() >= base &&
                        header.last_offset() < Offset(std::numeric_limits<std::int64_t>::max());
  if (!possible) {
    return Misplaced{position, "offsets " + std::to_string(base.value()) + " to " +
                                   std::to_string(header.last_offset().value())};
  }
  if (expected_ && base < *expected_) {
    const bool first_is_right = !last_ || touches_ || (before_ && base < *before_);
    if (!first_is_right) return last_misplaced(base);
    return Misplaced{position, "offset " + std::to_string(base.value()) + " where at least " +
                                   std::to_string(expected_->value()) + " was expected"};
  }
  touches_ = expected_ && base == *expected_;
  before_ = expected_;
  expected_ = header.last_offset().next();
  last_ = Last{position, base};
  return std::nullopt;
}

std::optional<Misplaced> BatchOrder::end(Offset next) const {
  if (!last_ || *expected_ <= next) return std::nullopt;
  return last_misplaced(next);
}

Misplaced BatchOrder::last_misplaced(Offset next) const {
  return {last_->position, "offsets " + std::to_string(last_->base.value()) + " to " +
                               std::to_string(expected_->value() - 1) + ", and behind it " +
                               std::to_string(next.value())};
}

}  // namespace millrace::storage
