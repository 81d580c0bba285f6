// Between the structs of controller_api.cppm and those of schema/controller.capnp. Templates, so
// that this header needs no import; wire.cpp holds the one instance of each.
#pragma once
#include <cstddef>
#include "kj.hpp"

#include "schema/controller.capnp.h"

namespace millrace::rpc::wire {

template <class Plain, class Builder>
void write(const Plain& from, Builder to);

// Throws a kj::Exception for what no process of ours writes: a pointer out of bounds, a list that
// is too long.
template <class Plain, class Reader>
[[nodiscard]] Plain read(Reader from);

// The bytes of all texts, data and lists in it.
template <class Plain>
[[nodiscard]] std::size_t bytes_of(const Plain& plain);

}  // namespace millrace::rpc::wire
