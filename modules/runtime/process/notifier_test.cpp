#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>

#include "notify_socket.hpp"

import millrace.runtime.process;

namespace millrace {
namespace {

using namespace std::chrono_literals;

TEST(Notifier, tells_what_systemd_wants_to_know) {
  const NotifySocket systemd;
  const Notifier notifier({.socket = systemd.name(), .watchdog = {}});
  ASSERT_TRUE(notifier.is_heard());
  notifier.ready("serving");
  EXPECT_EQ(systemd.hear(), "READY=1\nSTATUS=serving");
  notifier.status("recovering 3 of 10");
  EXPECT_EQ(systemd.hear(), "STATUS=recovering 3 of 10");
  notifier.stopping("bye");
  EXPECT_EQ(systemd.hear(), "STOPPING=1\nSTATUS=bye");
  notifier.watchdog();
  EXPECT_EQ(systemd.hear(), "WATCHDOG=1");
  notifier.extend_timeout(90s);
  EXPECT_EQ(systemd.hear(), "EXTEND_TIMEOUT_USEC=90000000");
}

TEST(Notifier, keeps_a_status_in_its_line) {
  const NotifySocket systemd;
  const Notifier notifier({.socket = systemd.name(), .watchdog = {}});
  notifier.status("one\nMAINPID=1");
  EXPECT_EQ(systemd.hear(), "STATUS=one MAINPID=1");
}

TEST(Notifier, finds_a_socket_by_its_path) {
  const std::string path = testing::TempDir() + "notify-" + std::to_string(::getpid());
  {
    const NotifySocket systemd(path);
    const Notifier notifier({.socket = path, .watchdog = {}});
    notifier.watchdog();
    EXPECT_EQ(systemd.hear(), "WATCHDOG=1");
  }
  ::unlink(path.c_str());
}

TEST(Notifier, does_nothing_when_nobody_listens) {
  for (const std::string& socket :
       {std::string(), std::string("relative"), std::string("/no/such/socket"),
        "/" + std::string(500, 'x'), std::string("@nobody-listens-here")}) {
    const Notifier notifier({.socket = socket, .watchdog = {}});
    EXPECT_FALSE(notifier.is_heard()) << socket;
    notifier.ready("nobody hears it");
  }
}

TEST(Notifier, outlives_its_listener) {
  std::optional<NotifySocket> systemd;
  systemd.emplace();
  const Notifier notifier({.socket = systemd->name(), .watchdog = {}});
  systemd.reset();
  notifier.ready("nobody hears it");
}

struct Variables {
  const char* socket;
  const char* microseconds;
  const char* process;
};

NotifyEnvironment taken(const Variables& variables) {
  const auto set = [](const char* name, const char* value) {
    if (value != nullptr) ::setenv(name, value, 1);
  };
  set("NOTIFY_SOCKET", variables.socket);
  set("WATCHDOG_USEC", variables.microseconds);
  set("WATCHDOG_PID", variables.process);
  return NotifyEnvironment::take();
}

TEST(NotifyEnvironment, is_taken_out_so_that_children_do_not_speak_for_us) {
  const std::string own = std::to_string(::getpid());
  const auto environment = taken({"/run/notify", "3000000", own.c_str()});
  EXPECT_EQ(environment.socket, "/run/notify");
  EXPECT_EQ(environment.watchdog, Duration(3s));
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    EXPECT_EQ(std::getenv(name), nullptr) << name;
  }
}

TEST(NotifyEnvironment, has_a_watchdog_only_if_it_is_for_us_and_makes_sense) {
  EXPECT_EQ(taken({"/s", "1000", nullptr}).watchdog, Duration(1ms));
  EXPECT_EQ(taken({"/s", "1000", "1"}).watchdog, std::nullopt);
  for (const char* number :
       {"", "0", "-5", "soon", "5s", "99999999999999999999", "18446744073709551615"}) {
    EXPECT_EQ(taken({"/s", number, nullptr}).watchdog, std::nullopt) << number;
  }
  EXPECT_EQ(taken({nullptr, nullptr, nullptr}).socket, "");
}

}  // namespace
}  // namespace millrace
