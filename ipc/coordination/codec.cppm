// Messages as bytes, by Cap'n Proto.
module;

export module millrace.ipc.coordination:codec;

import millrace.base;
import :messages;

export namespace millrace::coordination {

// What is written is within the limits: see limits.cppm.
[[nodiscard]] OwnedBytes encode(const ToCoordinator& message);
[[nodiscard]] OwnedBytes encode(const ToBroker& message);

// Fails for bytes that are no such message, that pass a limit, or that hold a number that means
// nothing. Takes memory in proportion to the bytes that are there.
[[nodiscard]] Result<ToCoordinator> decode_to_coordinator(ByteView bytes);
[[nodiscard]] Result<ToBroker> decode_to_broker(ByteView bytes);

}  // namespace millrace::coordination
