// A mock cluster on TCP, with a thread of its own.
module;
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

export module millrace.mock:live_cluster;

import millrace.base;
import millrace.runtime;
import millrace.runtime.shard;
import :cluster;
import :options;

export namespace millrace::mock {

// For programs that talk to it as to any cluster: over the loopback, while they run on threads of
// their own. Owned by who started it; its functions are for any thread but its own. Its end closes
// the cluster and waits for the thread.
class LiveCluster {
 public:
  // Fails where the addresses cannot be listened on, or without descriptors or threads.
  [[nodiscard]] static Result<std::unique_ptr<LiveCluster>> start(const Options& options,
                                                                  Logger logger);
  ~LiveCluster();
  LiveCluster(const LiveCluster&) = delete;
  LiveCluster& operator=(const LiveCluster&) = delete;

  // For bootstrap.servers.
  [[nodiscard]] const std::string& bootstrap() const { return bootstrap_; }

  // Calls function(Cluster&) on the cluster's thread, waits, and gives what it gave.
  template <class Function>
  auto run(Function function) {
    Visit<Function> visit(*this, std::move(function));
    return visit.wait();
  }

 private:
  template <class Work>
  class Visit : public Callback {
    using Given = std::invoke_result_t<Work&, Cluster&>;

   public:
    Visit(LiveCluster& live, Work work)
        : Callback([](Callback& self) { static_cast<Visit&>(self).visit(); }),
          live_(live),
          work_(std::move(work)) {
      live_.loop_->mailbox().send(*this);
    }
    auto wait() {
      ended_.wait();
      if constexpr (!std::is_void_v<Given>) return std::move(*given_);
    }

   private:
    void visit() {
      if constexpr (std::is_void_v<Given>) {
        work_(*live_.cluster_);
      } else {
        given_.emplace(work_(*live_.cluster_));
      }
      ended_.count_down();
    }

    LiveCluster& live_;
    Work work_;
    std::optional<std::conditional_t<std::is_void_v<Given>, bool, Given>> given_;
    std::latch ended_{1};
  };

  LiveCluster(std::unique_ptr<ShardLoop> loop, std::unique_ptr<SystemClock> clock);
  void live(const Options& options, const Logger& logger, Result<void>& outcome,
            std::latch& started);

  std::unique_ptr<SystemClock> clock_;
  std::unique_ptr<ShardLoop> loop_;
  std::unique_ptr<Cluster> cluster_;  // on the thread
  std::string bootstrap_;
  bool ending_ = false;  // on the thread
  std::thread thread_;
};

}  // namespace millrace::mock
