#include <gtest/gtest.h>

import millrace.base;
