//===- Json.h - Strict JSON ------------------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_SUPPORT_JSON_H
#define FK_RUNTIME_SUPPORT_JSON_H

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace fk {

/// Parses one JSON value that may come from anyone: nesting is limited, a key
/// may stand only once in its object, strings are UTF-8. Throws Error with line
/// and column; `where` is the file.
nlohmann::json parseJson(std::string_view text, const std::string &where);

/// What nlohmann/json says of a failure, without its internal numbering.
std::string getJsonMessage(const nlohmann::json::exception &exception);

/// "a string", "an object"; for messages.
std::string_view describeJsonType(const nlohmann::json &value);

} // namespace fk

#endif // FK_RUNTIME_SUPPORT_JSON_H
