// How groups behave, from the configuration of the process.
module;

export module millrace.coordinator:options;

import millrace.base;
import millrace.config;
import millrace.groups;

export namespace millrace::coordinator {

// The settings of Kafka that groups have; limits of our own as they are. Fails, with a sentence,
// for settings that do not make sense together.
[[nodiscard]] Result<groups::Options> group_options(const config::ServerConfig& config);

}  // namespace millrace::coordinator
