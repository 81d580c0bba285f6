// How a request waits for something to happen. Inside this module only.
module;
#include <coroutine>

module millrace.mock:waiting;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::mock {

// What a connection is to the request that is handled on it. Waiting ends when anything happened in
// the cluster, or the connection is to end: then who waits answers at once, for nobody.
class Waiting {
 public:
  explicit Waiting(Executor& executor) : signal_(executor) {}

  void wake() { signal_.set(); }
  void end() {
    ending_ = true;
    wake();
  }
  [[nodiscard]] bool ending() const { return ending_; }
  [[nodiscard]] auto wait(MonotonicTime deadline = no_deadline) { return signal_.wait(deadline); }

 private:
  AsyncSignal signal_;
  bool ending_ = false;
};

}  // namespace millrace::mock
