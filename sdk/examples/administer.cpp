// Creates a compacted topic and shows what the cluster has: administer BOOTSTRAP TOPIC PARTITIONS.
#include <millrace/millrace.hpp>

#include <cstdint>
#include <iostream>
#include <string>

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const std::int32_t partitions = std::stoi(arguments[3]);
  millrace::Admin admin({{"bootstrap.servers", arguments[1]}});
  auto created = admin.create_topics({{.name = arguments[2],
                                       .partitions = partitions,
                                       .replication_factor = std::int16_t{1},
                                       .configs = {{"cleanup.policy", "compact"}}}});
  bool is_good = true;
  for (const auto& [topic, outcome] : created.get()) {  // an outcome for each
    if (outcome)
      std::cout << "created " << topic << ": " << outcome->partitions << " partitions\n";
    else
      std::cerr << topic << ": " << outcome.error() << '\n';
    is_good = is_good && outcome;
  }
  const auto topics = admin.list_topics().get();
  if (!topics) {
    std::cerr << topics.error() << '\n';
    return 1;
  }
  for (const auto& topic : *topics)
    if (!topic.is_internal) std::cout << topic.name << ' ' << topic.partitions << '\n';
  return is_good ? 0 : 1;
}
