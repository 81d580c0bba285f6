// Commands against a cluster of the process that does wrong what it is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

import millrace.cli.frame;
import millrace.cli.records;
import millrace.cli.session;
import millrace.mock;

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

struct Said {
  int code = 0;
  std::string output;
  std::string errors;
};

std::string contents(std::FILE* file) {
  std::rewind(file);
  std::string text;
  for (int letter = std::fgetc(file); letter != EOF; letter = std::fgetc(file))
    text += static_cast<char>(letter);
  std::fclose(file);
  return text;
}

class RecordCommands : public testing::Test {
 protected:
  RecordCommands() {
    auto started = mock::LiveCluster::start({}, Logger(std::make_shared<MemoryLogSink>(), "mock"));
    check(started.has_value(), "the mock listens");
    cluster_ = *std::move(started);
    check(cluster_->run([](mock::Cluster& cluster) {
      return cluster.create_topic("orders", {.partitions = 1}).has_value();
    }),
          "the mock takes a topic");
  }

  ~RecordCommands() override { const Interrupt forgets_the_signal; }

  // The line is apart by blanks.
  Said run(std::string_view line) {
    std::vector<Command> commands = record_commands();
    for (Command& command : bench_commands()) commands.push_back(std::move(command));
    const Program program(std::move(commands),
                          [](Completes, const Arguments&) { return std::vector<std::string>(); });
    std::vector<std::string> words = split(line, ' ');
    words.insert(words.end(), {"-b", cluster_->bootstrap()});
    std::FILE* output = std::tmpfile();
    std::FILE* errors = std::tmpfile();
    const int code = program.run(words, output, errors);
    return {code, contents(output), contents(errors)};
  }

  std::unique_ptr<mock::LiveCluster> cluster_;
};

TEST_F(RecordCommands, tell_that_a_group_did_not_get_the_last_commit) {
  const std::vector<mock::StoredRecord> records(1);
  ASSERT_TRUE(cluster_->run([&](mock::Cluster& cluster) {
    cluster.fail_next(protocol::ApiKey::offset_commit,
                      protocol::ErrorCode::coordinator_load_in_progress, mock::always);
    return cluster.append("orders", PartitionIndex(0), records).has_value();
  }));
  const Said said = run("consume orders --group readers --from start --count 1 --timeout 2");
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.errors, HasSubstr("error: committing: "));
}

TEST_F(RecordCommands, do_not_call_it_a_measurement_when_records_stay_away) {
  const std::vector<mock::StoredRecord> records(3);
  ASSERT_TRUE(cluster_->run([&](mock::Cluster& cluster) {
    cluster.delay(protocol::ApiKey::fetch, 1h);
    return cluster.append("orders", PartitionIndex(0), records).has_value();
  }));
  const Said said = run("bench consume orders --timeout 1");
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.errors, HasSubstr("error: only 0 of 3 records came"));
}

TEST_F(RecordCommands, tell_no_times_of_records_that_were_not_sent) {
  const Said said = run("bench produce orders --records 1 --size 2000000 -o json");
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.output, HasSubstr("\"latency_p50_us\":null,"));
  const Said table = run("bench latency orders --records 1 --size 2000000");
  EXPECT_EQ(table.code, 1);
  EXPECT_THAT(table.errors, HasSubstr("max.request.size"));
  EXPECT_THAT(table.output, Not(HasSubstr("latency:")));
}

TEST_F(RecordCommands, count_records_only_that_failed_when_they_are_interrupted) {
  cluster_->run([](mock::Cluster& cluster) { cluster.delay(protocol::ApiKey::produce, 1h); });
  std::array<int, 2> ends = {};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const int input = ::dup(STDIN_FILENO);
  ::dup2(ends[0], STDIN_FILENO);
  ASSERT_EQ(::write(ends[1], "paid\n", 5), 5);
  std::thread interrupter([&] {
    int unread = 1;
    while (unread > 0) {
      std::this_thread::sleep_for(10ms);
      ::ioctl(ends[0], FIONREAD, &unread);
    }
    ::kill(::getpid(), SIGINT);
  });
  const Said said = run("produce orders -o json");
  interrupter.join();
  ::dup2(input, STDIN_FILENO);
  for (const int file : {input, ends[0], ends[1]}) ::close(file);
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.output, HasSubstr("\"delivered\":0,\"failed\":1,"));
}

}  // namespace
}  // namespace millrace::cli
