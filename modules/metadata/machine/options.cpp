module;
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

module millrace.metadata.machine;

import millrace.base;
import millrace.config;

namespace millrace::metadata {

Options options_from(std::shared_ptr<const config::ServerConfig> server) {
  Options options;
  options.partitions_default = server->get<"num.partitions">();
  options.replication_factor_default =
      static_cast<std::int16_t>(server->get<"default.replication.factor">());
  options.session_timeout = server->get<"broker.session.timeout.ms">();
  options.server = std::move(server);
  return options;
}

}  // namespace millrace::metadata
