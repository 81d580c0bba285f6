// The broker's link to its controllers: registration, heartbeats, metadata, forwarded requests.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

export module millrace.broker.cluster:cluster_link;

import millrace.base;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.runtime;

export namespace millrace::broker {

using protocol::ErrorCode;

// Who this process is; the same for all its life.
struct ClusterLinkOptions {
  BrokerId broker_id = no_broker;
  Uuid incarnation;  // drawn anew by each process
  std::vector<metadata::Endpoint> endpoints;
  std::optional<std::string> rack;
  std::string software_version;
  Duration heartbeat_interval = std::chrono::seconds{2};  // broker.heartbeat.interval.ms
  Duration session_timeout = std::chrono::seconds{9};     // broker.session.timeout.ms
  // Whether the controllers are asked to let the broker go: controlled.shutdown.enable.
  bool controlled_shutdown = true;
  // How long stop() waits until the controller has moved our partitions away.
  Duration controlled_shutdown_max = std::chrono::seconds{10};
};

struct Registration {
  Uuid cluster_id;
  std::vector<Uuid> directories;
  // Of the run before, if it stopped cleanly: what .kafka_cleanshutdown holds.
  BrokerEpoch previous_epoch{-1};
};

// Made before the log directories are opened, for hello(); then register_broker(), once. It then
// heartbeats, follows the metadata and registers again, with the same incarnation, when the
// controllers forgot this broker. Lives on the home shard of the broker, which owns it; the
// executor and the calls outlive it. While no controller answers, all goes on with the image that
// there is, and the log says so now and then. Await stop() before it is destroyed, whatever else
// was called.
class ClusterLink {
 public:
  // Called with each image, on the home shard; the next image is given when it has ended. The
  // controllers hear of an offset when all listeners have ended with it.
  using ImageListener =
      std::function<Task<void>(std::shared_ptr<const metadata::Image>, const metadata::Delta&)>;

  ClusterLink(Executor& home, rpc::ControllerCalls& controllers, ClusterLinkOptions options,
              const Logger& log);
  ClusterLink(const ClusterLink&) = delete;
  ClusterLink& operator=(const ClusterLink&) = delete;
  ~ClusterLink();

  // Asks a controller which cluster this is; goes on asking until the deadline, also when a
  // controller ends that was asked.
  [[nodiscard]] Task<Result<rpc::HelloReply>> hello(MonotonicTime deadline);

  // Listeners are called in the order of adding; all are added before register_broker().
  void on_image(ImageListener listener);

  // Goes on trying until the deadline, also while another process with this id may be alive, or
  // when a controller ends that was asked; what trying cannot mend, such as another cluster, is an
  // error at once.
  [[nodiscard]] Task<Result<BrokerEpoch>> register_broker(Registration registration,
                                                          MonotonicTime deadline);

  // The broker may be unfenced as soon as its own registration is in the image, and the listeners
  // have ended with it. Until this is called it stays fenced.
  void ready_to_serve();
  // Resumes when the broker is unfenced for the first time: true; false when stop() came before.
  [[nodiscard]] Task<bool> unfenced();
  [[nodiscard]] bool is_fenced() const;

  // The newest that all listeners have ended with; never null.
  [[nodiscard]] std::shared_ptr<const metadata::Image> image() const;
  // Resumes when image() is at that offset or later: true; false at the deadline or stop().
  [[nodiscard]] Task<bool> wait_for(metadata::MetadataOffset offset, MonotonicTime deadline);
  [[nodiscard]] BrokerEpoch epoch() const;

  // What the request has changed is in image() before its answer is there: whoever asked for a
  // topic may write to it at once. Where that takes longer than the request may, it is answered
  // before. not_controller: nobody took it, nothing was done. request_timed_out: it may be carried
  // out.
  [[nodiscard]] Task<Result<std::vector<std::byte>, ErrorCode>> forward(rpc::Forward request);
  [[nodiscard]] Task<Result<metadata::ProducerIdBlock, ErrorCode>> allocate_producer_ids();
  [[nodiscard]] Task<rpc::RpcResult<rpc::DescribeQuorumReply>> describe_quorum(
      MonotonicTime deadline);

  // Told with the next heartbeat.
  void directories_offline(std::vector<Uuid> directories);

  // Controlled shutdown, if the options say so: asks the controllers to let this broker go, and
  // waits for that as long as they say, or until no controller answers within farewell_timeout.
  // True if it was let go: forward() goes on, and so does the metadata. False: whoever waits here
  // for metadata is told that it does not come. Called once.
  [[nodiscard]] Task<bool> leave();
  // Leaves, if that was not done, and ends all that runs here, calls that are under way last: at
  // their deadlines or, as it should be, because the calls were closed before. Called once.
  [[nodiscard]] Task<void> stop();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::broker
