// A type of the application, in bytes of its own: own_type BOOTSTRAP TOPIC. Sends two readings and
// something else to a topic of one partition, and receives what is there.
#include <millrace/millrace.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>

namespace {

struct Reading {
  std::int64_t time = 0;
  float degrees = 0;
};

// Eight bytes of time, four of degrees.
class ReadingSerializer {
 public:
  void serialize(const Reading& reading, std::string& buffer) const {
    millrace::int64().serialize(reading.time, buffer);
    millrace::float32().serialize(reading.degrees, buffer);
  }

  [[nodiscard]] millrace::Result<Reading> deserialize(millrace::BytesView bytes) const {
    if (bytes.size() != time_size + degrees_size)  // null has no bytes
      return millrace::cannot_deserialize("reading", "it has not 12 bytes");
    const std::string_view text = bytes.text();
    const auto time = millrace::int64().deserialize(text.substr(0, time_size));
    if (!time) return time.error();
    const auto degrees = millrace::float32().deserialize(text.substr(time_size));
    if (!degrees) return degrees.error();
    return Reading{.time = *time, .degrees = *degrees};
  }

 private:
  static constexpr std::size_t time_size = 8;
  static constexpr std::size_t degrees_size = 4;
};

constexpr std::size_t sent_records = 3;

void print(const millrace::TypedRecord<std::string, Reading>& record) {
  std::cout << record.record.key_text() << ": ";
  if (record.value)
    std::cout << record.value->degrees << " degrees at " << record.value->time << '\n';
  else
    std::cout << record.value.error() << '\n';
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const millrace::Config config{{"bootstrap.servers", arguments[1]}};
  const std::string topic = arguments[2];
  try {
    millrace::TypedProducer<std::string, Reading> sender(config, topic, millrace::text(),
                                                         ReadingSerializer());
    sender.send("kitchen", {.time = 1'700'000'000, .degrees = 21.5F}).get().value();
    sender.send("garden", {.time = 1'700'000'060, .degrees = -3.25F}).get().value();
    sender.producer().send({.topic = topic, .key = "cellar", .value = "cold"}).get().value();

    millrace::TypedConsumer<std::string, Reading> receiver(
        config + millrace::Config{{"auto.offset.reset", "earliest"}}, millrace::text(),
        ReadingSerializer());
    receiver.consumer().assign({{topic, 0}}).value();
    for (std::size_t received = 0; received < sent_records;)
      received += receiver.poll(std::chrono::seconds{1}, print).value();
  } catch (const millrace::Failed& failed) {
    std::cerr << failed.error() << '\n';
    return 1;
  }
}
