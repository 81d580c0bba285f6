module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

module millrace.storage.dump;

namespace millrace::storage {

namespace {

using protocol::ControlRecordType;

// Keys are numbered within a topic: which of the messages with a number is meant, its name says.
RecordDecoder decoder_of_message(std::string_view name) {
  if (name.starts_with("TransactionLog")) return RecordDecoder::transactions;
  if (name.starts_with("ShareSnapshot") || name.starts_with("ShareUpdate")) {
    return RecordDecoder::share_groups;
  }
  return RecordDecoder::groups;
}

const MessagePrinter* find_printer(RecordDecoder decoder, MessageKind kind, std::int16_t key) {
  for (const MessagePrinter& printer : records_printers()) {
    if (printer.kind == kind && printer.key == key && decoder_of_message(printer.name) == decoder) {
      return &printer;
    }
  }
  return nullptr;
}

const MessagePrinter* find_printer(std::string_view name) {
  for (const MessagePrinter& printer : records_printers()) {
    if (printer.name == name) return &printer;
  }
  return nullptr;
}

std::optional<std::int16_t> leading_number(ByteView bytes) {
  if (bytes.size() < sizeof(std::int16_t)) return std::nullopt;
  return load_big_endian<std::int16_t>(bytes.data());
}

std::optional<std::string> print_versioned(const MessagePrinter* printer, std::int16_t version,
                                           ByteView body) {
  if (printer == nullptr || version < printer->version_min || version > printer->version_max) {
    return std::nullopt;
  }
  const auto data = printer->print(body, version);
  if (!data) return std::nullopt;
  return "{\"version\":" + std::to_string(version) + ",\"name\":\"" + std::string(printer->name) +
         "\",\"data\":" + *data + "}";
}

std::string_view control_message(ControlRecordType type) {
  switch (type) {
    case ControlRecordType::abort:
    case ControlRecordType::commit:
      return "EndTxnMarker";
    case ControlRecordType::leader_change:
      return "LeaderChangeMessage";
    case ControlRecordType::snapshot_header:
      return "SnapshotHeaderRecord";
    case ControlRecordType::snapshot_footer:
      return "SnapshotFooterRecord";
    case ControlRecordType::kraft_version:
      return "KRaftVersionRecord";
    case ControlRecordType::kraft_voters:
      return "VotersRecord";
  }
  return {};
}

}  // namespace

RecordDecoder decoder_of_topic(std::string_view topic) {
  if (topic == "__consumer_offsets") return RecordDecoder::groups;
  if (topic == "__transaction_state") return RecordDecoder::transactions;
  if (topic == "__share_group_state") return RecordDecoder::share_groups;
  return RecordDecoder::none;
}

std::optional<std::string> decode_record_key(RecordDecoder decoder, ByteView key) {
  const auto number = leading_number(key);
  if (!number) return std::nullopt;
  const MessagePrinter* printer = find_printer(decoder, MessageKind::coordinator_key, *number);
  if (printer == nullptr) return std::nullopt;
  const auto data = printer->print(key.subspan(sizeof(std::int16_t)), printer->version_max);
  if (!data) return std::nullopt;
  return "{\"type\":" + std::to_string(*number) + ",\"name\":\"" + std::string(printer->name) +
         "\",\"data\":" + *data + "}";
}

std::optional<std::string> decode_record_value(RecordDecoder decoder, ByteView key,
                                               ByteView value) {
  const auto number = leading_number(key);
  const auto version = leading_number(value);
  if (!number || !version) return std::nullopt;
  return print_versioned(find_printer(decoder, MessageKind::coordinator_value, *number), *version,
                         value.subspan(sizeof(std::int16_t)));
}

std::optional<std::string> decode_control_value(ControlRecordType type, ByteView value) {
  const auto version = leading_number(value);
  if (!version) return std::nullopt;
  const bool marker = type == ControlRecordType::abort || type == ControlRecordType::commit;
  // The version of a marker stands before it; that of the others is their first field.
  return print_versioned(find_printer(control_message(type)), *version,
                         marker ? value.subspan(sizeof(std::int16_t)) : value);
}

}  // namespace millrace::storage
