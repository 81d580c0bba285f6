// The records of Kafka's internal topics, and of control batches, as JSON.
module;
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

export module millrace.storage.dump:decoder;

import millrace.base;
import millrace.protocol.batch;
import millrace.protocol.wire;
import :json;

export namespace millrace::storage {

// Whose records a log holds: __consumer_offsets, __transaction_state and __share_group_state have
// keys and values of their own.
enum class RecordDecoder : std::uint8_t { none, groups, transactions, share_groups };

[[nodiscard]] RecordDecoder decoder_of_topic(std::string_view topic);

// {"type":1,"name":"OffsetCommitKey","data":{...}}: the number tells the kinds of a topic apart.
// Nothing where the bytes are no such record.
[[nodiscard]] std::optional<std::string> decode_record_key(RecordDecoder decoder, ByteView key);
// {"version":4,"data":{...}}. What a value is, its key says.
[[nodiscard]] std::optional<std::string> decode_record_value(RecordDecoder decoder, ByteView key,
                                                             ByteView value);
// The value of a control record: {"version":0,"data":{...}}.
[[nodiscard]] std::optional<std::string> decode_control_value(protocol::ControlRecordType type,
                                                              ByteView value);

}  // namespace millrace::storage

namespace millrace::storage {

// What the lists in one message may take in memory.
inline constexpr std::size_t printed_arena_bytes_max = 64 * mebibyte;

enum class MessageKind : std::uint8_t { coordinator_key, coordinator_value, data };

// Prints one kind of message.
struct MessagePrinter {
  std::string_view name;
  MessageKind kind = MessageKind::data;
  std::int16_t key = -1;  // of the kind, in the keys of its topic
  std::int16_t version_min = 0;
  std::int16_t version_max = 0;
  std::optional<std::string> (*print)(ByteView input, std::int16_t version) = nullptr;
};

template <class Message, class Print>
std::optional<std::string> print_message(ByteView input, std::int16_t version, Print print) {
  protocol::Arena arena(printed_arena_bytes_max);
  Message message;
  if (!decode(message, input, version, arena)) return std::nullopt;
  JsonWriter json;
  print(json, message, version);
  return json.take();
}

// Generated, one for each message of the family.
[[nodiscard]] std::span<const MessagePrinter> records_printers();

}  // namespace millrace::storage
