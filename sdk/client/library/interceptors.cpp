#include "millrace/interceptors.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::inline v1 {

OutgoingRecord::OutgoingRecord(const Record& record) : record_(record) {}

OutgoingRecord::~OutgoingRecord() = default;

std::string_view OutgoingRecord::keep(std::string_view text) {
  return kept_.emplace_back(text);
}

BytesView OutgoingRecord::keep(BytesView bytes) {
  return bytes.is_null() ? bytes : BytesView(keep(bytes.text()));
}

// Headers can be added once they are in a list of its own.
void OutgoingRecord::own_headers() {
  const auto there = record_.headers.span();
  if (there.data() != headers_.data() || there.size() != headers_.size())
    headers_.assign(there.begin(), there.end());
}

OutgoingRecord& OutgoingRecord::set_topic(std::string_view topic) {
  record_.topic = keep(topic);
  return *this;
}

OutgoingRecord& OutgoingRecord::set_key(BytesView key) {
  record_.key = keep(key);
  return *this;
}

OutgoingRecord& OutgoingRecord::set_value(BytesView value) {
  record_.value = keep(value);
  return *this;
}

OutgoingRecord& OutgoingRecord::add_header(std::string_view key, BytesView value) {
  own_headers();
  headers_.push_back({keep(key), keep(value)});
  record_.headers = headers_;
  return *this;
}

OutgoingRecord& OutgoingRecord::remove_headers(std::string_view key) {
  own_headers();
  std::erase_if(headers_, [&](const Header& header) { return header.key == key; });
  record_.headers = headers_;
  return *this;
}

OutgoingRecord& OutgoingRecord::set_partition(std::optional<std::int32_t> partition) {
  record_.partition = partition;
  return *this;
}

OutgoingRecord& OutgoingRecord::set_timestamp(std::optional<Timestamp> timestamp) {
  record_.timestamp = timestamp;
  return *this;
}

ProducerInterceptor::~ProducerInterceptor() = default;
void ProducerInterceptor::on_send(OutgoingRecord& /*record*/) {}
void ProducerInterceptor::on_acknowledgement(const Acknowledgement& /*acknowledgement*/) {}

ConsumerInterceptor::~ConsumerInterceptor() = default;
void ConsumerInterceptor::on_consume(const Records& /*records*/) {}
void ConsumerInterceptor::on_commit(const std::map<TopicPartition, std::int64_t>& /*offsets*/) {}

}  // namespace millrace::inline v1
