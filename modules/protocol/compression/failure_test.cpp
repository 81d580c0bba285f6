// Names and sentences of faults. Also proves test_support.cpp, which shows them.
#include <gtest/gtest.h>

#include "test_support.h"

import millrace.protocol.compression;

using namespace millrace::protocol;

TEST(CompressionFault, has_a_name_and_a_sentence_each) {
  const auto last = static_cast<int>(CompressionFault::step_limit);
  for (int number = 0; number <= last; ++number) {
    const auto fault = static_cast<CompressionFault>(number);
    EXPECT_NE(name_of(fault), "unknown") << number;
    EXPECT_TRUE(sentence(fault).ends_with('.') && sentence(fault).size() > 20) << number;
  }
}

TEST(CompressionFault, is_shown_with_its_place_by_the_tests) {
  using compression_test::outcome_of;
  EXPECT_EQ(outcome_of("none", "61 62"), "\"ab\"");
  EXPECT_EQ(outcome_of("gzip", "1f"), "truncated at 0");
}

TEST(CompressionFault, is_a_limit_or_not) {
  EXPECT_TRUE(is_limit(CompressionFault::output_limit));
  EXPECT_TRUE(is_limit(CompressionFault::ratio_limit));
  EXPECT_TRUE(is_limit(CompressionFault::step_limit));
  EXPECT_FALSE(is_limit(CompressionFault::data_invalid));
  EXPECT_FALSE(is_limit(CompressionFault::memory_exhausted));
}
