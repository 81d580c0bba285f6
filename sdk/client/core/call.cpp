module;
#include <coroutine>
#include <utility>

module millrace.client.core;

import millrace.base;
import millrace.protocol.api;
import millrace.runtime;

namespace millrace::client {

CallOperation::CallOperation(protocol::ApiKey called, bool answered, BrokerId asked,
                             const CallOptions& given)
    : Callback([](Callback& self) { static_cast<CallOperation&>(self).awaiting_.resume(); }),
      api(called),
      is_answered(answered),
      broker(asked),
      options(given) {}

CallOperation::Late::Late(CallOperation& o)
    : Timer([](Timer& self) {
        CallOperation& late = static_cast<Late&>(self).operation;
        late.on_late(late, late.owner);
      }),
      operation(o) {}

void CallOperation::end(Executor& executor, ClientResult<AnsweredCall> result) {
  check(!outcome_.has_value(), "a call ends once");
  outcome_.emplace(std::move(result));
  if (late.armed()) executor.cancel(late);
  executor.post(*this);
}

}  // namespace millrace::client
