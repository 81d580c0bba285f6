#include "millrace/records.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import millrace.client.consumer;
import millrace.client.bridge;

namespace millrace::inline v1 {

namespace {

const client::ConsumedRecord& record_at(const void* record) {
  return *static_cast<const client::ConsumedRecord*>(record);
}

std::optional<std::string> kept(BytesView bytes) {
  if (bytes.is_null()) return std::nullopt;
  return std::string(bytes.text());
}

}  // namespace

std::string_view RecordView::topic() const noexcept {
  return record_at(record_).topic;
}

std::int32_t RecordView::partition() const noexcept {
  return record_at(record_).partition.value();
}

std::int64_t RecordView::offset() const noexcept {
  return record_at(record_).offset.value();
}

Timestamp RecordView::timestamp() const noexcept {
  return Timestamp(std::chrono::milliseconds(record_at(record_).timestamp.value()));
}

BytesView RecordView::key() const noexcept {
  return client::public_bytes(record_at(record_).key);
}

BytesView RecordView::value() const noexcept {
  return client::public_bytes(record_at(record_).value);
}

bool RecordView::has_headers() const noexcept {
  return !record_at(record_).headers.empty();
}

std::vector<Header> RecordView::headers() const {
  std::vector<Header> headers;
  for (const auto& header : record_at(record_).headers)
    headers.push_back({header.key, client::public_bytes(header.value)});
  return headers;
}

OwnedRecord RecordView::to_owned() const {
  OwnedRecord owned{.topic = std::string(topic()),
                    .partition = partition(),
                    .offset = offset(),
                    .timestamp = timestamp(),
                    .key = kept(key()),
                    .value = kept(value())};
  for (const Header& header : headers())
    owned.headers.push_back({std::string(header.key), kept(header.value)});
  return owned;
}

RecordView Records::operator[](std::size_t index) const noexcept {
  return RecordView(static_cast<const client::ConsumedRecord*>(first_) + index);
}

}  // namespace millrace::inline v1
