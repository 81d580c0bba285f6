// Where every request of a shard's connections comes in, and goes to whoever answers it.
module;
#include <coroutine>
#include <memory>

export module millrace.broker.requests:dispatcher;

import millrace.base;
import millrace.broker.requests.lookups;
import millrace.broker.requests.ports;
import millrace.metadata;
import millrace.runtime;
import :api_rules;
import :producer_ids;
import :surroundings;
import :topic_creation;

export namespace millrace::broker {

// Who answers what this module does not.
struct RequestPorts {
  DataPort& data;
  FetchPort& fetches;
  GroupPort& groups;
};

// One per shard, on its thread; what it was given outlives it. An API or version that is not
// served, and a body that cannot be read, close the connection with a reason. stop() comes after
// the last request has ended and before the end.
class Dispatcher final : public RequestHandler {
 public:
  Dispatcher(const HandlerSurroundings& around, const RequestPorts& ports, const Logger& log);

  [[nodiscard]] Task<Response> handle(Request request) override;
  void connection_closing(ConnectionId connection) override;

  // Waits for what was begun and no client waits for.
  [[nodiscard]] Task<void> stop();

 private:
  [[nodiscard]] Task<Response> route(Request request, const ApiRule& rule);
  [[nodiscard]] Task<Response> answer_with_others(Request request);
  [[nodiscard]] Task<Response> ask_others(Request request);
  [[nodiscard]] Task<Response> answer_here(Request request);
  [[nodiscard]] Response answer_at_once(const Request& request);
  [[nodiscard]] Response api_versions(const Request& request);
  [[nodiscard]] Response metadata(const Request& request);
  void tell_of_illegal_names(const MetadataAnswer& answer, const RequestContext& context);
  [[nodiscard]] Response find_coordinator(const Request& request);
  [[nodiscard]] Response describe_cluster(const Request& request);
  [[nodiscard]] Response describe_topic_partitions(const Request& request);
  [[nodiscard]] Response describe_configs(const Request& request);
  [[nodiscard]] Response list_config_resources(const Request& request);

  // Reads the body and gives the message, the image and the arena to `make`, which answers.
  template <class Message, class Make>
  [[nodiscard]] Response answer(const Request& request, Make make);

  HandlerSurroundings around_;
  RequestPorts ports_;
  ProducerIds producer_ids_;
  TopicCreation topic_creation_;
  LimitedLogger log_;
};

}  // namespace millrace::broker
