// Our client in the exchange of records with others (exchange_test.py), built as users build
// theirs.
//   sdk_exchange write BOOTSTRAP TOPIC CODEC                     records, one a line, from the
//   input sdk_exchange read BOOTSTRAP COUNT PARTITIONS TOPIC...        so many of each topic
// README.md shows what a line looks like.
#include <millrace/millrace.hpp>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 180s;
constexpr std::string_view digits = "0123456789abcdef";
constexpr std::string_view no_headers = ".";
constexpr std::string_view null = "-";

std::string hex_of(millrace::BytesView bytes) {
  if (bytes.is_null()) return std::string(null);
  std::string hex = "x";
  for (const char letter : bytes.text()) {
    const auto byte = static_cast<unsigned char>(letter);
    hex += digits[byte / 16];
    hex += digits[byte % 16];
  }
  return hex;
}

std::optional<std::string> bytes_of(std::string_view word) {
  if (word == null) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 1; i + 1 < word.size(); i += 2) {
    bytes += static_cast<char>(digits.find(word[i]) * 16 + digits.find(word[i + 1]));
  }
  return bytes;
}

millrace::BytesView view_of(const std::optional<std::string>& bytes) {
  return bytes ? millrace::BytesView(*bytes) : millrace::BytesView(nullptr);
}

template <class Number>
Number number(std::string_view word) {
  Number value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) {
    throw std::invalid_argument(std::string(word));
  }
  return value;
}

// A record of the input, and what its views are of.
class Line {
 public:
  explicit Line(const std::string& line) {
    std::istringstream words(line);
    std::string partition;
    std::string timestamp;
    std::string key;
    std::string value;
    std::string headers;
    if (!(words >> partition >> timestamp >> key >> value >> headers)) {
      throw std::invalid_argument(line);
    }
    partition_ = number<std::int32_t>(partition);
    timestamp_ = millrace::Timestamp(std::chrono::milliseconds(number<std::int64_t>(timestamp)));
    key_ = bytes_of(key);
    value_ = bytes_of(value);
    if (headers == no_headers) return;
    std::istringstream list(headers);
    for (std::string header; std::getline(list, header, ',');) {
      const auto at = header.find('=');
      const auto& [name, content] = texts_.emplace_back(
          *bytes_of(std::string_view(header).substr(0, at)), bytes_of(header.substr(at + 1)));
      headers_.push_back({.key = name, .value = view_of(content)});
    }
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  [[nodiscard]] millrace::Record record(std::string_view topic) const {
    millrace::Record record = {.topic = topic,
                               .key = view_of(key_),
                               .value = view_of(value_),
                               .headers = headers_,
                               .timestamp = timestamp_};
    if (partition_ >= 0) record.partition = partition_;
    return record;
  }

 private:
  std::int32_t partition_ = -1;
  millrace::Timestamp timestamp_;
  std::optional<std::string> key_;
  std::optional<std::string> value_;
  std::deque<std::pair<std::string, std::optional<std::string>>> texts_;
  std::vector<millrace::Header> headers_;
};

int write(const std::string& bootstrap, const std::string& topic, const std::string& codec) {
  millrace::Producer producer({{"bootstrap.servers", bootstrap}, {"compression.type", codec}});
  std::atomic<std::uint64_t> delivered = 0;
  producer.on_delivery([&](std::uint64_t tag, const millrace::Result<millrace::Delivery>& outcome) {
    if (outcome) {
      ++delivered;
    } else {
      std::cerr << "record " << tag << ": " << outcome.error() << '\n';
    }
  });
  std::uint64_t count = 0;
  for (std::string text; std::getline(std::cin, text); ++count) {
    const Line line(text);
    if (auto taken = producer.post(line.record(topic), count); !taken) {
      std::cerr << "record " << count << ": " << taken.error() << '\n';
      return 1;
    }
  }
  if (auto closed = producer.close(patience); !closed) {
    std::cerr << closed.error() << '\n';
    return 1;
  }
  return delivered == count ? 0 : 1;
}

void print(const millrace::RecordView& record) {
  std::string headers;
  for (const millrace::Header& header : record.headers()) {
    headers += (headers.empty() ? "" : ",") + hex_of(header.key) + '=' + hex_of(header.value);
  }
  std::cout << record.topic() << ' ' << record.partition() << ' ' << record.offset() << ' '
            << record.timestamp().time_since_epoch().count() << ' ' << hex_of(record.key()) << ' '
            << hex_of(record.value()) << ' '
            << (headers.empty() ? std::string(no_headers) : headers) << '\n';
}

int read(const std::string& bootstrap, std::uint64_t count, std::int32_t partitions,
         const std::vector<std::string>& topics) {
  millrace::Consumer consumer(
      {{"bootstrap.servers", bootstrap}, {"auto.offset.reset", "earliest"}});
  std::vector<millrace::TopicPartition> all;
  for (const std::string& topic : topics) {
    for (std::int32_t i = 0; i < partitions; ++i) all.push_back({topic, i});
  }
  if (auto assigned = consumer.assign(all); !assigned) {
    std::cerr << assigned.error() << '\n';
    return 1;
  }
  for (std::uint64_t read = 0; read < count * topics.size();) {
    const auto batch = consumer.poll(patience);
    if (!batch) {
      std::cerr << batch.error() << '\n';
      return 1;
    }
    if (batch->empty()) {
      std::cerr << "nothing comes after " << read << " records\n";
      return 1;
    }
    for (const millrace::RecordView record : *batch) print(record);
    read += batch->size();
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() == 4 && words[0] == "write") return write(words[1], words[2], words[3]);
  if (words.size() > 4 && words[0] == "read") {
    return read(words[1], number<std::uint64_t>(words[2]), number<std::int32_t>(words[3]),
                {words.begin() + 4, words.end()});
  }
  std::cerr
      << "sdk_exchange write BOOTSTRAP TOPIC CODEC | read BOOTSTRAP COUNT PARTITIONS TOPIC...\n";
  return 2;
}
