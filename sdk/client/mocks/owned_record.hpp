// A record that is sent, as one to keep.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "millrace/record.hpp"

namespace millrace::inline v1::detail {

[[nodiscard]] inline std::optional<std::string> owned_bytes(BytesView bytes) {
  if (bytes.is_null()) return std::nullopt;
  return std::string(bytes.text());
}

// Its partition, where it has none, is 0; its offset is 0.
[[nodiscard]] inline OwnedRecord owned_record(const Record& record) {
  using namespace std::chrono;
  OwnedRecord owned{
      .topic = std::string(record.topic),
      .partition = record.partition.value_or(0),
      .timestamp = record.timestamp.value_or(floor<milliseconds>(system_clock::now())),
      .key = owned_bytes(record.key),
      .value = owned_bytes(record.value)};
  for (const Header& header : record.headers)
    owned.headers.push_back({std::string(header.key), owned_bytes(header.value)});
  return owned;
}

}  // namespace millrace::inline v1::detail
