#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "table_codec.hpp"

namespace millrace::table {
namespace {

// Reads forward. After the first fault it gives zeros and empty views and stays at the fault.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes), end_(bytes.size()) {}

  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t left() const { return end_ - position_; }
  [[nodiscard]] bool failed() const { return !fault_.empty(); }
  [[nodiscard]] Failure failure() const { return {fault_, position_}; }

  void fail(std::string what) {
    if (failed()) return;
    fault_ = std::move(what);
    end_ = position_;
  }

  std::string_view take(std::size_t count) {
    if (count > left()) {
      fail("a value passes the end");
      return {};
    }
    position_ += count;
    return bytes_.substr(position_ - count, count);
  }

  std::uint64_t big_endian(std::size_t width) {
    std::uint64_t value = 0;
    for (const char byte : take(width)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }

  std::uint32_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift <= 28; shift += 7) {
      const std::uint64_t byte = big_endian(1);
      value |= (byte & 0x7f) << shift;
      if (failed()) return 0;
      if (byte < 0x80) {
        if (value > 0xffffffff) fail("a varint is larger than 32 bits");
        return failed() ? 0 : static_cast<std::uint32_t>(value);
      }
    }
    fail("a varint is longer than five bytes");
    return 0;
  }

  // Ends the input after `size` more bytes; restore(narrow(n)) undoes it.
  std::size_t narrow(std::size_t size) {
    const std::size_t outer = end_;
    if (size > left()) {
      fail("a tagged field passes the end");
    } else {
      end_ = position_ + size;
    }
    return outer;
  }
  void restore(std::size_t outer) {
    if (!failed()) end_ = outer;
  }

 private:
  std::string_view bytes_;
  std::size_t position_ = 0;
  std::size_t end_;
  std::string fault_;
};

class Decoder {
 public:
  Decoder(const Message& message, int version, UnknownTags unknown, std::string_view bytes)
      : in_(bytes), version_(version), flexible_(message.is_flexible(version)), unknown_(unknown) {}

  Value structure(const Struct& type) {
    Fields result;
    result.members.reserve(type.fields.size());
    for (const Field& field : type.fields) {
      if (in_.failed()) return Value();
      if (field.is_plain_in(version_)) {
        result.members.push_back(value(field));
      } else {
        result.members.push_back(field.default_value);
      }
    }
    if (flexible_) tags(type, result);
    return Value(std::move(result));
  }

  [[nodiscard]] const Input& input() const { return in_; }

 private:
  Value value(const Field& field) {
    const bool nullable = field.nullable.contains(version_);
    if (field.is_array) return array(field, nullable);
    if (field.type == Type::structure && nullable) {
      return is_marked_null(field) ? Value() : structure(*field.structure);
    }
    return element(field, nullable);
  }

  // Kafka marks null below zero in a byte among plain fields, but as zero in a varint inside a tag,
  // which it reads as a signed number.
  bool is_marked_null(const Field& field) {
    if (field.tagged.contains(version_)) return static_cast<std::int32_t>(in_.varint()) <= 0;
    return static_cast<std::int8_t>(in_.big_endian(1)) < 0;
  }

  Value array(const Field& field, bool nullable) {
    const std::int64_t count = length(field, 4, nullable);
    if (count < 0) return Value();
    const std::size_t smallest = smallest_element_bytes(field);
    if (static_cast<std::uint64_t>(count) * smallest > in_.left()) {
      in_.fail("more elements of " + field.name + " than bytes");
      return Value();
    }
    List items;
    items.reserve(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count && !in_.failed(); ++i) {
      items.push_back(element(field, false));
    }
    return Value(std::move(items));
  }

  Value element(const Field& field, bool nullable) {
    const auto unsigned_value = [&] { return in_.big_endian(fixed_bytes(field.type)); };
    switch (field.type) {
      case Type::boolean:
        return Value(unsigned_value() != 0);
      case Type::int8:
        return Value(std::int64_t{static_cast<std::int8_t>(unsigned_value())});
      case Type::int16:
        return Value(std::int64_t{static_cast<std::int16_t>(unsigned_value())});
      case Type::int32:
        return Value(std::int64_t{static_cast<std::int32_t>(unsigned_value())});
      case Type::uint16:
      case Type::uint32:
      case Type::int64:
        return Value(static_cast<std::int64_t>(unsigned_value()));
      case Type::float64:
        return Value(std::bit_cast<double>(unsigned_value()));
      case Type::uuid:
        return Value(std::string(in_.take(fixed_bytes(Type::uuid))));
      case Type::string:
      case Type::bytes:
      case Type::records: {
        const std::int64_t size = length(field, field.type == Type::string ? 2 : 4, nullable);
        if (size < 0) return Value();
        return Value(std::string(in_.take(static_cast<std::size_t>(size))));
      }
      case Type::structure:
        return structure(*field.structure);
    }
    return Value();
  }

  // -1 is null, and what a fault gives.
  std::int64_t length(const Field& field, std::size_t width, bool nullable) {
    std::int64_t result = 0;
    if (is_compact(field)) {
      result = std::int64_t{in_.varint()} - 1;
    } else if (width == 2) {
      result = static_cast<std::int16_t>(in_.big_endian(2));
    } else {
      result = static_cast<std::int32_t>(in_.big_endian(4));
    }
    if (result < -1) in_.fail("a negative length of " + field.name);
    if (width == 2 && result > std::numeric_limits<std::int16_t>::max()) {
      in_.fail("the text of " + field.name + " is too long");
    }
    if (result == -1 && !nullable) in_.fail(field.name + " may not be null");
    return in_.failed() ? -1 : result;
  }

  std::size_t smallest_element_bytes(const Field& field) const {
    if (field.structure != nullptr) {
      return field.structure->smallest_bytes[static_cast<std::size_t>(version_)];
    }
    if (const std::size_t fixed = fixed_bytes(field.type); fixed != 0) return fixed;
    if (is_compact(field)) return 1;
    return field.type == Type::string ? 2 : 4;
  }

  void tags(const Struct& type, Fields& result) {
    std::int64_t last = -1;
    const std::uint32_t count = in_.varint();
    for (std::uint32_t i = 0; i < count && !in_.failed(); ++i) {
      const std::uint32_t tag = in_.varint();
      const std::uint32_t size = in_.varint();
      if (tag <= last) in_.fail("tag " + std::to_string(tag) + " is not above the one before it");
      last = tag;
      const std::size_t outer = in_.narrow(size);
      tagged_value(type, tag, result);
      if (in_.left() != 0) in_.fail("tag " + std::to_string(tag) + " is not read to its end");
      in_.restore(outer);
    }
  }

  void tagged_value(const Struct& type, std::uint32_t tag, Fields& result) {
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
      const Field& field = type.fields[i];
      if (field.tagged.contains(version_) && field.tag == tag) {
        result.members[i] = value(field);
        return;
      }
    }
    std::string payload(in_.take(in_.left()));
    if (unknown_ == UnknownTags::keep) result.unknown_tags.push_back({tag, std::move(payload)});
  }

  [[nodiscard]] bool is_compact(const Field& field) const {
    return flexible_ && !field.never_compact;
  }

  Input in_;
  int version_;
  bool flexible_;
  UnknownTags unknown_;
};

}  // namespace

tl::expected<Decoded, Failure> decode(const Message& message, int version, std::string_view bytes,
                                      UnknownTags unknown) {
  if (!message.versions.contains(version)) {
    return tl::unexpected(Failure{message.name + " has no version " + std::to_string(version), 0});
  }
  Decoder decoder(message, version, unknown, bytes);
  Value value = decoder.structure(*message.top);
  if (decoder.input().failed()) return tl::unexpected(decoder.input().failure());
  return Decoded{std::move(value), decoder.input().position()};
}

}  // namespace millrace::table
