// What tests of programs that use the library are written with: a cluster in the process, and a
// producer and a consumer that need none. Part of the library millrace_mock.
#pragma once
#include "millrace/mock/api.hpp"
#include "millrace/mock/cluster.hpp"
#include "millrace/mock/mock_consumer.hpp"
#include "millrace/mock/mock_producer.hpp"
