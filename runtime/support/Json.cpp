//===- Json.cpp - Strict JSON ---------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/support/Json.h"
#include "runtime/support/Error.h"

#include <set>
#include <vector>

using namespace fk;
using nlohmann::json;

std::string fk::getJsonMessage(const json::exception &exception) {
  std::string_view message = exception.what();
  if (size_t end = message.find("] ");
      message.starts_with("[json.") && end != std::string_view::npos)
    message.remove_prefix(end + 2);
  return std::string(message.substr(0, 300));
}

std::string_view fk::describeJsonType(const json &value) {
  switch (value.type()) {
  case json::value_t::null:
    return "null";
  case json::value_t::object:
    return "an object";
  case json::value_t::array:
    return "an array";
  case json::value_t::string:
    return "a string";
  case json::value_t::boolean:
    return "a boolean";
  case json::value_t::number_integer:
  case json::value_t::number_unsigned:
    return "an integer";
  case json::value_t::number_float:
    return "a number with a fraction";
  default:
    return "nothing";
  }
}

json fk::parseJson(std::string_view text, const std::string &where) {
  constexpr int maxDepth = 64;
  // One set of keys per open object, arrays having an empty one.
  std::vector<std::set<std::string>> keys;
  auto callback = [&](int depth, json::parse_event_t event, json &parsed) {
    switch (event) {
    case json::parse_event_t::object_start:
    case json::parse_event_t::array_start:
      if (depth >= maxDepth)
        throw Error(
            {.what = "JSON is nested too deeply",
             .where = where,
             .wanted = "at most " + std::to_string(maxDepth) + " levels"});
      keys.emplace_back();
      break;
    case json::parse_event_t::object_end:
    case json::parse_event_t::array_end:
      keys.pop_back();
      break;
    case json::parse_event_t::key:
      if (!keys.back().insert(parsed.get<std::string>()).second)
        throw Error({.what = "JSON key '" + parsed.get<std::string>() +
                             "' stands twice in one object",
                     .where = where,
                     .mend = "remove one of them"});
      break;
    case json::parse_event_t::value:
      break;
    }
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), callback);
  } catch (const json::exception &exception) {
    throw Error({.what = "not valid JSON",
                 .where = where,
                 .got = getJsonMessage(exception)});
  }
}
