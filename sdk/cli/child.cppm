// One child process: started, watched, its output read.
module;
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.cli:child;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import millrace.runtime.streams;

export namespace millrace::cli {

// How a process ended.
struct Ending {
  int exit_code = 0;
  int signal = 0;  // not 0: it ended the process

  [[nodiscard]] bool is_success() const { return exit_code == 0 && signal == 0; }
};
// "exit code 1", "signal 9 (Killed)".
[[nodiscard]] std::string to_string(const Ending& ending);

struct ChildCommand {
  std::string program;
  std::vector<std::string> arguments;
  // Stays open in the child, under some number; -1: none.
  int inherited_descriptor = -1;
};

// A process that ends when this one does, however that ends. It has a process group of its own, so
// that Ctrl-C on a terminal does not reach it: its parent says when to stop. Belongs to one loop,
// on the thread that made it, which lives as long as the process.
class Child {
 public:
  // Its output goes to `take`, piece by piece; both standard output and standard error. Fails when
  // the program cannot be started.
  using OutputTaker = std::function<void(std::string_view)>;
  [[nodiscard]] static Result<std::unique_ptr<Child>> start(EventLoop& loop,
                                                            const ChildCommand& command,
                                                            OutputTaker take);
  // Killed if it still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // One waits at a time.
  [[nodiscard]] Task<Ending> wait_for_end();
  void send(int signal) const;
  [[nodiscard]] pid_t process() const { return process_; }

 private:
  struct OwnedWatch : Watch {
    OwnedWatch(Child& c, Function function) : Watch(function), child(c) {}
    Child& child;
  };

  Child(EventLoop& loop, pid_t process, ipc::Descriptor handle, ipc::Descriptor output,
        OutputTaker take);
  [[nodiscard]] Result<void> watch();
  void reap();
  // False when nothing more will come.
  bool read_output();

  EventLoop& loop_;
  pid_t process_;
  ipc::Descriptor handle_;
  ipc::Descriptor output_;
  OutputTaker take_;
  AsyncSignal ended_;
  std::optional<Ending> ending_;
  OwnedWatch handle_watch_{*this, [](Watch& self) { static_cast<OwnedWatch&>(self).child.reap(); }};
  OwnedWatch output_watch_{*this, [](Watch& self) {
                             Child& child = static_cast<OwnedWatch&>(self).child;
                             if (!child.read_output()) child.loop_.unwatch(self);
                           }};
};

}  // namespace millrace::cli
