module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.broker;

import millrace.base;
import millrace.broker.cluster;
import millrace.broker.connections;
import millrace.config;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.storage.manager;

namespace millrace::broker {

Result<std::vector<rpc::ControllerAddress>> controllers_of(const config::ServerConfig& config) {
  std::vector<rpc::ControllerAddress> controllers;
  for (const config::Voter& voter : config.get<"controller.quorum.voters">()) {
    controllers.push_back({rpc::NodeId(voter.id.value()), voter.address.host, voter.address.port});
  }
  if (controllers.empty()) {
    return failure(Error{ErrorKind::invalid_argument,
                         "controller.quorum.voters is empty: a broker needs the addresses of its "
                         "controllers, for example 1@127.0.0.1:9093"});
  }
  return controllers;
}

std::vector<metadata::Endpoint> endpoints_of(const std::vector<ListenerEndpoint>& listeners) {
  std::vector<metadata::Endpoint> endpoints;
  for (const ListenerEndpoint& listener : listeners) {
    endpoints.push_back({listener.name, listener.advertised_host, listener.advertised_port.value(),
                         static_cast<std::int16_t>(listener.protocol)});
  }
  return endpoints;
}

storage::ManagerOptions storage_options_of(const config::ServerConfig& config,
                                           std::size_t descriptors) {
  storage::ManagerOptions options = storage::manager_options(config);
  options.open_files_max = std::min(options.open_files_max, descriptors / 2);
  return options;
}

}  // namespace millrace::broker
