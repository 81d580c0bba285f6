// Writes JSON on one line, with the conventions of Kafka's own JSON form of its messages: bytes and
// uuids as base64 text, numbers as they are.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

import millrace.protocol.wire;

namespace millrace::protocol {

class JsonWriter {
 public:
  void open_object() {
    separate();
    text_ += '{';
    first_ = true;
  }
  void close_object() {
    text_ += '}';
    first_ = false;
  }
  void key(std::string_view name) {
    separate();
    quote(name);
    text_ += ':';
    first_ = true;
  }
  void null() { raw("null"); }

  void value(bool flag) { raw(flag ? "true" : "false"); }
  void value(std::int8_t number) { raw(std::to_string(number)); }
  void value(std::int16_t number) { raw(std::to_string(number)); }
  void value(std::uint16_t number) { raw(std::to_string(number)); }
  void value(std::int32_t number) { raw(std::to_string(number)); }
  void value(std::uint32_t number) { raw(std::to_string(number)); }
  void value(std::int64_t number) { raw(std::to_string(number)); }
  void value(double number);
  void value(const Uuid& uuid) { text(to_string(uuid), false); }
  void value(Bytes bytes);
  void value(const Records& records) { value(records.bytes()); }
  void value(String string) { text(string, false); }

  void text(String string, bool nullable) {
    if (nullable && string.data() == nullptr) return null();
    separate();
    quote(string);
  }

  template <class T, class PrintItem>
  void array(const Array<T>& items, PrintItem print_item) {
    if (items.is_null()) return null();
    separate();
    text_ += '[';
    first_ = true;
    for (const T& item : items) print_item(item);
    text_ += ']';
    first_ = false;
  }

  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }
  void raw(std::string_view token) {
    separate();
    text_ += token;
  }
  void quote(std::string_view string);

  std::string text_;
  bool first_ = true;
};

}  // namespace millrace::protocol
