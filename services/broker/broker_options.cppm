// What the process is told by its configuration, in the words of its parts.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

export module millrace.broker:broker_options;

import millrace.base;
import millrace.broker.cluster;
import millrace.broker.connections;
import millrace.config;
import millrace.ipc.rpc;
import millrace.storage.manager;

export namespace millrace::broker {

// Frames and requests of all connections together take no more memory than this. An idle broker
// takes none of it.
inline constexpr std::size_t request_memory_bytes = 512 * mebibyte;

// While logs are opened: so long none may come further, until whoever starts the broker gives up.
inline constexpr Duration opening_timeout = std::chrono::seconds{90};
static_assert(opening_timeout > 2 * storage::opening_progress_interval);

// Those of controller.quorum.voters. Fails with a sentence when there are none.
[[nodiscard]] Result<std::vector<rpc::ControllerAddress>> controllers_of(
    const config::ServerConfig& config);

// As the broker registers them, once it listens.
[[nodiscard]] std::vector<metadata::Endpoint> endpoints_of(
    const std::vector<ListenerEndpoint>& listeners);

// Of what the process may have open, files that stay open take half at the most: connections, and
// files that are open for a moment, need the rest.
[[nodiscard]] storage::ManagerOptions storage_options_of(const config::ServerConfig& config,
                                                         std::size_t descriptors);

}  // namespace millrace::broker
