module;
#include <signal.h>

#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

module millrace.mock;

import millrace.base;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.runtime.streams;
import :cluster;
import :live_cluster;
import :options;

namespace millrace::mock {

LiveCluster::LiveCluster(std::unique_ptr<ShardLoop> loop, std::unique_ptr<SystemClock> clock)
    : clock_(std::move(clock)), loop_(std::move(loop)) {}

Result<std::unique_ptr<LiveCluster>> LiveCluster::start(const Options& options, Logger logger) {
  auto clock = std::make_unique<SystemClock>();
  auto loop = ShardLoop::make(*clock);
  if (!loop) return failure(loop.error());
  std::unique_ptr<LiveCluster> live(new LiveCluster(*std::move(loop), std::move(clock)));
  Result<void> outcome;
  std::latch started(1);
  // The thread inherits the mask: signals are for the program that is tested.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  try {
    live->thread_ = std::thread([&live = *live, &options, &logger, &outcome, &started] {
      live.live(options, logger, outcome, started);
    });
  } catch (const std::system_error& error) {
    outcome = failure(ErrorKind::limit_exceeded, error.what());
    started.count_down();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  started.wait();
  if (!outcome) return failure(outcome.error());
  return live;
}

void LiveCluster::live(const Options& options, const Logger& logger, Result<void>& outcome,
                       std::latch& started) {
  TcpNetwork network(*loop_, logger);
  auto cluster = Cluster::start(*loop_, network, options);
  if (!cluster) {
    outcome = failure(cluster.error());
    started.count_down();
    return;
  }
  cluster_ = *std::move(cluster);
  bootstrap_ = cluster_->bootstrap();
  // Nothing that was handed in is used from here on.
  started.count_down();
  loop_->turn_until(ending_);
  loop_->run(cluster_->close());
  cluster_.reset();
  loop_->drain();
}

LiveCluster::~LiveCluster() {
  if (!thread_.joinable()) return;
  struct End : Callback {
    explicit End(bool& e)
        : Callback([](Callback& self) { static_cast<End&>(self).ending = true; }), ending(e) {}
    bool& ending;
  };
  End end(ending_);
  // Of a cluster that did not start, the thread has ended: then this is called with the loop.
  loop_->mailbox().send(end);
  thread_.join();
  loop_.reset();
}

}  // namespace millrace::mock
