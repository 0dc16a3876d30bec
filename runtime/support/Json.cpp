//===- Json.cpp - Strict JSON ---------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/support/Json.h"
#include "runtime/support/Error.h"

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

namespace {

/// Builds a tree event by event. nlohmann/json's own builder with a callback
/// takes time quadratic in the length of a list of objects.
class TreeBuilder final : public json::json_sax_t {
public:
  TreeBuilder(json &root, const std::string &where)
      : root(root), where(where) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t &) override {
    return add(value);
  }
  bool string(string_t &value) override { return add(std::move(value)); }
  bool binary(binary_t &value) override { return add(std::move(value)); }
  bool start_object(size_t) override { return open(json::object()); }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t &name) override {
    auto [it, isNew] = stack.back()->emplace(name, nullptr);
    if (!isNew)
      throw Error({.what = "JSON key '" + name + "' stands twice in one object",
                   .where = where,
                   .mend = "remove one of them"});
    slot = &*it;
    return true;
  }

  bool parse_error(size_t, const std::string &,
                   const json::exception &exception) override {
    throw Error({.what = "not valid JSON",
                 .where = where,
                 .got = getJsonMessage(exception)});
  }

private:
  template <typename T> json *put(T &&value) {
    if (stack.empty())
      slot = &root;
    else if (stack.back()->is_array())
      slot = &stack.back()->emplace_back(nullptr);
    *slot = std::forward<T>(value);
    return slot;
  }

  template <typename T> bool add(T &&value) {
    put(std::forward<T>(value));
    return true;
  }

  bool open(json &&value) {
    if (stack.size() == maxDepth)
      throw Error(
          {.what = "JSON is nested too deeply",
           .where = where,
           .wanted = "at most " + std::to_string(maxDepth) + " levels"});
    stack.push_back(put(std::move(value)));
    return true;
  }

  bool close() {
    stack.pop_back();
    return true;
  }

  static constexpr size_t maxDepth = 64;
  json &root;
  const std::string &where;
  /// The open objects and lists. A list only grows while it is the innermost,
  /// so that these stay where they are.
  std::vector<json *> stack;
  json *slot = nullptr; ///< where an object's next value goes
};

} // namespace

json fk::parseJson(std::string_view text, const std::string &where) {
  json root;
  TreeBuilder builder(root, where);
  json::sax_parse(text.begin(), text.end(), &builder);
  return root;
}
