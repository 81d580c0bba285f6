#include <gtest/gtest.h>

#include <memory>
#include <optional>

import millrace.runtime;

namespace millrace {
namespace {

struct Counting {
  int calls = 0;
  RecurringCallback callback{this, [](void* self) { ++static_cast<Counting*>(self)->calls; }};
};

TEST(RecurringCallback, is_asked_for_once_until_it_was_called) {
  Counting counting;
  Callback* asked = counting.callback.ask();
  ASSERT_NE(asked, nullptr);
  EXPECT_EQ(counting.callback.ask(), nullptr);
  asked->call();
  EXPECT_EQ(counting.calls, 1);
  Callback* again = counting.callback.ask();
  ASSERT_NE(again, nullptr);
  again->call();
  EXPECT_EQ(counting.calls, 2);
}

TEST(RecurringCallback, calls_nobody_when_its_owner_is_gone) {
  auto counting = std::make_unique<Counting>();
  Callback* asked = counting->callback.ask();
  ASSERT_NE(asked, nullptr);
  counting.reset();
  asked->call();  // frees what is left of it, as the leak checker sees
}

TEST(RecurringCallback, may_end_its_owner) {
  std::optional<RecurringCallback> callback;
  callback.emplace(
      &callback, [](void* self) { static_cast<std::optional<RecurringCallback>*>(self)->reset(); });
  callback->ask()->call();
  EXPECT_FALSE(callback.has_value());
}

}  // namespace
}  // namespace millrace
