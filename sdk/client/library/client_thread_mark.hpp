// Tells the thread of a client from all others.
#pragma once

namespace millrace::inline v1::detail {

// Set while the thread of a client runs code of the application, which then must not wait for the
// client.
[[nodiscard]] bool on_client_thread() noexcept;

class ClientThreadMark {
 public:
  ClientThreadMark() noexcept;
  ClientThreadMark(const ClientThreadMark&) = delete;
  ClientThreadMark& operator=(const ClientThreadMark&) = delete;
  ~ClientThreadMark();

 private:
  bool before_;
};

}  // namespace millrace::inline v1::detail
