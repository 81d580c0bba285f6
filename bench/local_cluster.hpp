// A cluster of the command line's `millrace local`, for programs of their own: started, found and
// ended; and what its processes took of the processors.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace millrace::bench {

class LocalCluster {
 public:
  // Ends the program with a sentence if it does not come up.
  explicit LocalCluster(const std::filesystem::path& millrace) {
    std::string place = (std::filesystem::temp_directory_path() / "millrace-bench-XXXXXX").string();
    if (::mkdtemp(place.data()) == nullptr) give_up("no directory");
    directory_ = place;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) give_up("no pipe");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<std::string> words = {millrace.string(), "local",
                                      "--data",          (directory_ / "data").string(),
                                      "--port",          free_port()};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int failed =
        ::posix_spawn(&process_, words[0].c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (failed != 0) give_up("no millrace beside this program");
    read_ready(ends[0]);
    output_ = ends[0];
  }
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;
  ~LocalCluster() {
    ::kill(process_, SIGTERM);
    int status = 0;
    ::waitpid(process_, &status, 0);
    ::close(output_);
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  [[nodiscard]] const std::string& bootstrap() const { return bootstrap_; }

  // Of its processes so far.
  [[nodiscard]] double cpu_seconds() const {
    double ticks = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "stat");
      std::string line;
      if (!std::getline(file, line) || line.rfind(')') == std::string::npos) continue;
      std::istringstream fields(line.substr(line.rfind(')') + 2));
      std::vector<std::string> field;
      for (std::string word; fields >> word;) field.push_back(word);
      if (field.size() < 13 || std::stol(field[1]) != process_) continue;
      ticks += std::stod(field[11]) + std::stod(field[12]);
    }
    return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }

 private:
  [[noreturn]] static void give_up(const char* why) {
    std::fprintf(stderr, "the cluster does not start: %s\n", why);
    std::exit(1);
  }
  static std::string free_port() {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    socklen_t size = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    if (::bind(probe, name, size) != 0 || ::getsockname(probe, name, &size) != 0) {
      give_up("no free port");
    }
    ::close(probe);
    return std::to_string(ntohs(address.sin_port));
  }
  void read_ready(int output) {
    std::string text;
    const std::string mark = "ready bootstrap=";
    for (char letter; ::read(output, &letter, 1) == 1;) {
      text.push_back(letter);
      if (letter != '\n') continue;
      if (const auto at = text.find(mark); at != std::string::npos) {
        bootstrap_ = text.substr(at + mark.size());
        bootstrap_ = bootstrap_.substr(0, bootstrap_.find_first_of(" \n"));
        return;
      }
    }
    give_up("it ended");
  }

  std::filesystem::path directory_;
  pid_t process_ = 0;
  int output_ = -1;
  std::string bootstrap_;
};

}  // namespace millrace::bench
