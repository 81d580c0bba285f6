// What the files share that define the functions of a public admin client. Included last: it
// imports.
#pragma once
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/admin.hpp"

import millrace.client.bridge;
import millrace.client.bridge.admin;
import millrace.client.core;

namespace millrace::inline v1 {

class Admin::Implementation final : public client::AdminCore {
 public:
  using client::AdminCore::AdminCore;
};

}  // namespace millrace::inline v1
