//===- ExpectError.h - Asserting on what an Error says ---------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TEST_UNIT_EXPECTERROR_H
#define FK_TEST_UNIT_EXPECTERROR_H

#include "runtime/support/Error.h"

#include <gtest/gtest.h>

#include <string>

namespace fk {

/// What `action` says when it throws Error, or a text no message equals.
template <typename Action> std::string getErrorOf(Action action) {
  try {
    action();
  } catch (const Error &error) {
    return error.what();
  }
  return "(no error)";
}

/// Fails unless `action` throws an Error whose message holds `fragment`.
template <typename Action>
void expectError(Action action, const std::string &fragment) {
  std::string message = getErrorOf(action);
  EXPECT_NE(message.find(fragment), std::string::npos)
      << "wanted: " << fragment << "\n   got: " << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

} // namespace fk

#endif // FK_TEST_UNIT_EXPECTERROR_H
