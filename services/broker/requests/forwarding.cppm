// Requests that only the controllers can answer: passed on with the principal, and answered in the
// right form where nobody takes them.
module;
#include <coroutine>

export module millrace.broker.requests:forwarding;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.runtime;
import :surroundings;

export namespace millrace::broker {

// For CreateTopics, DeleteTopics, CreatePartitions, AlterConfigs and IncrementalAlterConfigs. What
// the principal may not do is taken out of what the controller sees. Who asks for what nobody may
// have, such as an illegal name or a setting that there is not, is named in the log.
[[nodiscard]] Task<Response> forward_to_controller(Request request,
                                                   const HandlerSurroundings& around,
                                                   const LimitedLogger& log);

// DescribeQuorum.
[[nodiscard]] Task<Response> describe_quorum(Request request, const HandlerSurroundings& around);

}  // namespace millrace::broker
