module;
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

module millrace.protocol.wire;

namespace millrace::protocol {

std::string_view name_of(DecodeFault fault) {
  switch (fault) {
    case DecodeFault::none:
      return "no fault";
    case DecodeFault::unsupported_version:
      return "unsupported version";
    case DecodeFault::truncated:
      return "a value passes the end of the message";
    case DecodeFault::bad_varint:
      return "a varint is cut off or too long";
    case DecodeFault::negative_length:
      return "a length is below -1";
    case DecodeFault::text_too_long:
      return "a text is longer than 32767 bytes";
    case DecodeFault::null_not_allowed:
      return "null where null is not allowed";
    case DecodeFault::count_too_large:
      return "an array claims more elements than the message can hold";
    case DecodeFault::tag_order:
      return "tagged fields are not in ascending order";
    case DecodeFault::tag_size:
      return "a tagged field is longer or shorter than its size";
    case DecodeFault::arena_full:
      return "the message needs more memory than a request may take";
  }
  return "unknown fault";
}

std::string to_string(const DecodeError& error) {
  return std::string(name_of(error.fault)) + " at byte " + std::to_string(error.position);
}

std::string_view name_of(EncodeFault fault) {
  switch (fault) {
    case EncodeFault::none:
      return "no fault";
    case EncodeFault::unsupported_version:
      return "the message has no such version";
    case EncodeFault::field_not_in_version:
      return "the field is set but does not exist in this version";
    case EncodeFault::null_not_allowed:
      return "the field is null but may not be in this version";
    case EncodeFault::string_too_long:
      return "the text is longer than 32767 bytes";
    case EncodeFault::message_too_large:
      return "the message is larger than a frame can be";
  }
  return "unknown fault";
}

std::string to_string(const EncodeError& error) {
  return std::string(error.field) + ": " + std::string(name_of(error.fault));
}

const std::byte* TagReader::next(const std::byte* from, const std::byte* end, Decode& state) {
  uint32_t number = 0;
  const std::byte* after = read_uvarint(number, from, end, state);
  if (after == nullptr) return nullptr;
  if (static_cast<int64_t>(number) <= tag) return state.fail(DecodeFault::tag_order, from);
  uint32_t size = 0;
  after = read_uvarint(size, after, end, state);
  if (after == nullptr) return nullptr;
  if (!has(after, end, size)) return state.fail(DecodeFault::truncated, after);
  tag = number;
  value_end = after + size;
  --left;
  return after;
}

const std::byte* skip_tags_slow(const std::byte* from, const std::byte* end, Decode& state) {
  TagReader tags;
  from = read_tag_count(tags, from, end, state);
  while (from != nullptr && tags.left > 0) {
    from = tags.next(from, end, state);
    if (from != nullptr) from = tags.value_end;
  }
  return from;
}

// The first unknown tag reserves room for all that may follow; each takes at least two bytes on the
// wire.
bool UnknownTagKeeper::keep(const TagReader& tags, const std::byte* from, const std::byte* end,
                            Decode& state) {
  if (items_ == nullptr) {
    const size_t possible = size_t{tags.left} + 1;
    if (size_t{tags.left} * 2 > static_cast<size_t>(end - tags.value_end)) {
      state.fail(DecodeFault::count_too_large, from);
      return false;
    }
    items_ = state.arena.allocate<UnknownTag>(possible);
    if (items_ == nullptr) {
      state.fail(DecodeFault::arena_full, from);
      return false;
    }
  }
  const auto size = static_cast<size_t>(tags.value_end - from);
  ::new (items_ + count_) UnknownTag{static_cast<uint32_t>(tags.tag), Bytes(from, size)};
  ++count_;
  return true;
}

size_t unknown_tags_size(const Array<UnknownTag>& tags) {
  size_t size = 0;
  for (const UnknownTag& tag : tags) size += tag_size(tag.tag, tag.value.size());
  return size;
}

std::byte* write_unknown_tags(const Array<UnknownTag>& tags, size_t& index, uint64_t before,
                              std::byte* to) {
  for (; index < tags.size() && tags[index].tag < before; ++index) {
    const UnknownTag& tag = tags[index];
    to = write_tag_head(tag.tag, tag.value.size(), to);
    if (!tag.value.empty()) std::memcpy(to, tag.value.data(), tag.value.size());
    to += tag.value.size();
  }
  return to;
}

}  // namespace millrace::protocol
