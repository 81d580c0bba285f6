// What tests of the library share: a cluster of the process, on a thread and on ports of its own.
// It names no type of a module: those stand below the includes.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// Owned by a test; reached from its thread.
class MockCluster {
 public:
  struct Stored {
    std::string key;
    std::string value;
    std::vector<std::string> headers;  // "key=value"

    friend bool operator==(const Stored&, const Stored&) = default;
  };

  MockCluster();
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  [[nodiscard]] const std::string& bootstrap() const { return bootstrap_; }
  void create_topic(std::string_view name, int partitions = 1);
  [[nodiscard]] std::vector<Stored> records(std::string_view topic, int partition = 0);
  // The next Produce requests are answered with this code of Kafka's, and nothing is done.
  void refuse_produce(int error_code, unsigned times);
  // Produce requests get no answer any more.
  void silence_produce();

 private:
  struct Insides;
  std::unique_ptr<Insides> insides_;
  std::string bootstrap_;
};
