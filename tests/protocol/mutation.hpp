// Damage to encoded messages, as networks and hostile peers do it.
#pragma once

#include <string>

#include "random.hpp"

namespace millrace::table {

// One to four changes: bits flipped, bytes overwritten with edge values, bytes put in, left out or
// repeated.
[[nodiscard]] std::string mutated(std::string bytes, Random& random);

}  // namespace millrace::table
