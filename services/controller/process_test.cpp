// Real controllers and their clients over the loopback. Also proves main.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.base;
import millrace.controller;
import millrace.ipc.rpc;
import millrace.protocol.admin;
import millrace.runtime;
import millrace.runtime.shard;

namespace millrace::controller {
namespace {

using testing::HasSubstr;

// One that nobody listens on now.
std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(socket, generic, size), 0);
  EXPECT_EQ(::getsockname(socket, generic, &size), 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

class Child {
 public:
  explicit Child(std::vector<std::string> settings) {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    std::vector<std::string> words = {CONTROLLER};
    for (std::string& setting : settings) {
      words.emplace_back("--set");
      words.push_back(std::move(setting));
    }
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    process_ = ::fork();
    if (process_ == 0) {
      ::close(pipe[0]);
      ::dup2(pipe[1], STDERR_FILENO);
      ::execv(pointers[0], pointers.data());
      std::_Exit(127);
    }
    ::close(pipe[1]);
    output_ = pipe[0];
  }
  ~Child() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    ::close(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void send(int signal) const { EXPECT_EQ(::kill(process_, signal), 0); }

  // Reads until the text is there, or the end.
  bool prints(std::string_view text) {
    std::array<char, 4096> buffer{};
    while (printed_.find(text) == std::string::npos) {
      const auto count = ::read(output_, buffer.data(), buffer.size());
      if (count <= 0) return false;
      printed_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return true;
  }
  [[nodiscard]] std::string all_output() {
    EXPECT_FALSE(prints("\n never printed \n"));
    return printed_;
  }
  // The port that the system chose.
  [[nodiscard]] std::uint16_t port() {
    EXPECT_TRUE(prints("ready: ")) << printed_;
    EXPECT_TRUE(prints_line_end());
    const std::size_t ready = printed_.find("ready: ");
    const std::size_t at = printed_.find("127.0.0.1:", ready) + std::string("127.0.0.1:").size();
    return static_cast<std::uint16_t>(std::atoi(printed_.c_str() + at));
  }
  [[nodiscard]] int exit_code() {
    int status = 0;
    EXPECT_EQ(::waitpid(process_, &status, 0), process_);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

 private:
  bool prints_line_end() {
    const std::size_t ready = printed_.find("ready: ");
    std::array<char, 256> buffer{};
    while (printed_.find('\n', ready) == std::string::npos) {
      const auto count = ::read(output_, buffer.data(), buffer.size());
      if (count <= 0) return false;
      printed_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return true;
  }

  pid_t process_ = -1;
  int output_ = -1;
  std::string printed_;
};

class ControllerProcess : public testing::Test {
 protected:
  ControllerProcess() {
    std::string pattern = testing::TempDir() + "controller-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~ControllerProcess() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::vector<std::string> settings(int node = 1, int port = free_port()) const {
    return {formatted("node.id={}", node),
            formatted("controller.quorum.voters={}@127.0.0.1:{}", node, port),
            "metadata.log.dir=" + directory_ + "/metadata", "millrace.shards=1"};
  }

  // Runs a coroutine with a client of the controller on that port.
  void with_client(std::uint16_t port, std::function<Task<void>(rpc::ControllerClient&)> work) {
    const auto talk = [&]() -> Task<void> {
      rpc::ControllerClientOptions options;
      options.controllers = {{rpc::NodeId(1), "127.0.0.1", port}};
      options.hello.node_id = rpc::NodeId(2);
      rpc::ControllerClient client(*thread_, *loop_, options, log_);
      co_await work(client);
      co_await client.stop();
    };
    bool ended = false;
    TaskGroup group;
    const auto run = [&]() -> Task<void> {
      co_await talk();
      ended = true;
    };
    group.start(run());
    loop_->turn_until(ended);
  }
  [[nodiscard]] MonotonicTime soon() const { return clock_.now() + std::chrono::minutes{1}; }

  Task<void> start_broker(rpc::ControllerClient& client) {
    const auto hello = co_await client.call(rpc::Hello{}, soon());
    EXPECT_TRUE(hello);
    rpc::RegisterBroker registration;
    registration.cluster_id = hello->cluster_id;
    registration.broker_id = BrokerId(2);
    registration.incarnation.bytes[0] = std::byte{1};
    const auto registered = co_await client.call(registration, soon());
    EXPECT_TRUE(registered);
    EXPECT_EQ(registered->error, protocol::ErrorCode::none) << registered->message;
    rpc::Heartbeat heartbeat;
    heartbeat.broker_id = BrokerId(2);
    heartbeat.epoch = registered->epoch;
    heartbeat.metadata_offset = rpc::MetadataOffset(1'000'000);
    heartbeat.want_fence = false;
    const auto beaten = co_await client.call(heartbeat, soon());
    EXPECT_TRUE(beaten);
    EXPECT_FALSE(beaten->is_fenced);
  }
  Task<int> create(rpc::ControllerClient& client, std::string name) {
    std::vector<protocol::CreateTopicsRequest::CreatableTopic> topics(1);
    topics[0].name = name;
    topics[0].num_partitions = 1;
    topics[0].replication_factor = 1;
    protocol::CreateTopicsRequest message;
    message.topics =
        protocol::Array(std::span<const protocol::CreateTopicsRequest::CreatableTopic>(topics));
    rpc::Forward forward;
    forward.api = protocol::ApiKey::create_topics;
    forward.version = 5;
    forward.body.resize(protocol::measure(message, 5)->inline_bytes);
    protocol::Writer writer(forward.body, {});
    protocol::write(message, 5, writer);
    const auto reply = co_await client.call(forward, soon());
    if (!reply || reply->error != protocol::ErrorCode::none) co_return -1;
    protocol::Arena arena(mebibyte);
    protocol::CreateTopicsResponse response;
    EXPECT_TRUE(protocol::decode(response, reply->body, 5, arena));
    co_return response.topics[0].error_code;
  }

  std::string directory_;
  SystemClock clock_;
  std::shared_ptr<MemoryLogSink> sink_ = std::make_shared<MemoryLogSink>();
  Logger log_{sink_, "client"};
  std::unique_ptr<rpc::RpcThread> thread_ = rpc::RpcThread::start().value();
  std::unique_ptr<ShardLoop> loop_ = ShardLoop::make(clock_).value();
};

TEST_F(ControllerProcess, keeps_what_it_answered_when_it_is_killed) {
  constexpr int lives = 4;
  std::vector<std::string> created;
  for (int life = 0; life < lives; ++life) {
    Child child(settings());
    with_client(child.port(), [&](rpc::ControllerClient& client) -> Task<void> {
      if (life == 0) co_await start_broker(client);
      for (const std::string& name : created) {
        EXPECT_EQ(co_await create(client, name), 36) << "it is there already";
      }
      for (int i = 0; i < 10; ++i) {
        const std::string name = formatted("t-{}-{}", life, i);
        EXPECT_EQ(co_await create(client, name), 0) << name;
        created.push_back(name);
      }
    });
    child.send(life % 2 == 0 ? SIGKILL : SIGTERM);
    EXPECT_EQ(child.exit_code(), life % 2 == 0 ? 1000 + SIGKILL : 0);
  }
  EXPECT_EQ(created.size(), 10u * lives);
}

TEST_F(ControllerProcess, a_directory_in_use_or_of_another_controller_is_refused_by_name) {
  {
    Child first(settings());
    EXPECT_GT(first.port(), 0);
    Child second(settings());
    EXPECT_THAT(second.all_output(), HasSubstr("another process uses this log directory"));
    EXPECT_EQ(second.exit_code(), 1);
    first.send(SIGTERM);
    EXPECT_EQ(first.exit_code(), 0);
  }
  Child other(settings(5));
  EXPECT_THAT(other.all_output(), HasSubstr("node.id is 5"));
  EXPECT_EQ(other.exit_code(), 1);
}

TEST_F(ControllerProcess, a_port_in_use_is_named) {
  Child first(settings());
  const std::uint16_t port = first.port();
  std::vector<std::string> same_port = settings(1, port);
  same_port[2] += "-2";
  Child second(same_port);
  EXPECT_THAT(second.all_output(), HasSubstr("Address already in use"));
  EXPECT_EQ(second.exit_code(), 1);
}

TEST_F(ControllerProcess, a_quorum_that_it_is_not_in_is_refused) {
  for (const char* voters : {"", "2@127.0.0.1:9", "1@127.0.0.1:9,2@127.0.0.1:8"}) {
    std::vector<std::string> wrong = settings();
    wrong[1] = std::string("controller.quorum.voters=") + voters;
    Child child(wrong);
    EXPECT_THAT(child.all_output(), HasSubstr("controller.quorum.voters")) << voters;
    EXPECT_EQ(child.exit_code(), 1);
  }
}

}  // namespace
}  // namespace millrace::controller
