#include <gtest/gtest.h>

import millrace.protocol.wire;
