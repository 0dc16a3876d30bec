//===- Signature.cpp - The kernel signature of a task ---------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/support/Signature.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstdlib>
#include <set>

using namespace fk;

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

namespace {

class Parser {
public:
  explicit Parser(std::string_view text) : text(text) {}

  Signature parse() {
    skipSpace();
    signature.task = parseName("the task's name");
    expect("(");
    parseSection([&] { signature.results.push_back(parseTensor()); });
    if (accept(";"))
      parseSection([&] { signature.operands.push_back(parseTensor()); });
    if (accept(";"))
      parseSection([&] { signature.scalars.push_back(parseScalar(false)); });
    if (accept(";"))
      parseSection([&] { signature.axes.push_back(parseAxis()); });
    if (accept(";"))
      parseSection([&] { signature.variants.push_back(parseScalar(true)); });
    expect(")");
    if (position != text.size())
      fail("the end", position);
    checkAxes();
    return std::move(signature);
  }

private:
  [[noreturn]] void fail(const std::string &wanted, size_t at) {
    throw Error({.what = "signature '" + std::string(text.substr(0, 200)) +
                         "' is malformed at column " + std::to_string(at + 1),
                 .wanted = wanted,
                 .got = at < text.size()
                            ? "'" + std::string(text.substr(at, 24)) + "'"
                            : "the end"});
  }

  void skipSpace() {
    while (position < text.size() &&
           (text[position] == ' ' || text[position] == '\n' ||
            text[position] == '\t'))
      ++position;
  }

  bool accept(std::string_view token) {
    if (text.substr(position, token.size()) != token)
      return false;
    position += token.size();
    skipSpace();
    return true;
  }

  void expect(std::string_view token) {
    if (!accept(token))
      fail("'" + std::string(token) + "'", position);
  }

  std::string parseName(const std::string &wanted) {
    size_t start = position;
    auto isLetter = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    while (
        position < text.size() &&
        (isLetter(text[position]) ||
         (position > start && text[position] >= '0' && text[position] <= '9')))
      ++position;
    if (position == start)
      fail(wanted, start);
    std::string name(text.substr(start, position - start));
    skipSpace();
    return name;
  }

  /// A parameter's name; the C prototype needs each once.
  std::string parseNewName(const std::string &wanted) {
    size_t start = position;
    std::string name = parseName(wanted);
    if (name == "workspace")
      fail("a name other than 'workspace', which is the launch's", start);
    if (!names.insert(name).second)
      fail("a name that is not taken", start);
    return name;
  }

  template <typename Item> void parseSection(Item item) {
    if (peekEnd())
      return;
    do
      item();
    while (accept(","));
    if (!peekEnd())
      fail("',', ';' or ')'", position);
  }

  bool peekEnd() const {
    return position == text.size() || text[position] == ';' ||
           text[position] == ')';
  }

  TensorParam parseTensor() {
    TensorParam param;
    param.name = parseNewName("a tensor's name");
    param.optional = accept("?");
    expect(":");
    size_t start = position;
    std::string element = parseName("an element type");
    if (element == "state") {
      param.state = true;
      start = position;
      element = parseName("an element type");
    }
    if (element != "T") {
      param.element = parseDType(element);
      if (!param.element)
        fail("T or an element type such as f32", start);
    }
    expect("[");
    if (accept("]"))
      return param;
    do
      param.shape.push_back(parseExtent());
    while (accept(","));
    expect("]");
    return param;
  }

  Expr parseExtent() {
    size_t start = position;
    int depth = 0;
    for (; position < text.size(); ++position) {
      char c = text[position];
      if (depth == 0 && (c == ',' || c == ']'))
        break;
      if (c == ';')
        break;
      depth += (c == '(') - (c == ')');
    }
    std::string_view extent = text.substr(start, position - start);
    while (!extent.empty() && extent.back() == ' ')
      extent.remove_suffix(1);
    if (extent == "_")
      return Expr();
    // Padded, so that the expression's error names this text's column.
    return Expr::parse(std::string(start, ' ') + std::string(extent),
                       "signature of " + signature.task);
  }

  ScalarParam parseScalar(bool variant) {
    ScalarParam param;
    param.name = parseNewName("a scalar's name");
    expect(":");
    size_t start = position;
    auto type = parseDType(parseName("a scalar type"));
    if (type != DType::F32 && type != DType::I32 && type != DType::I64)
      fail("f32, i32 or i64", start);
    param.type = *type;
    if (!variant)
      return param;
    expect("=");
    start = position;
    while (!peekEnd() && text[position] != ',' && text[position] != ' ')
      ++position;
    param.defaultValue = std::string(text.substr(start, position - start));
    skipSpace();
    defaults.push_back({start, param.defaultValue});
    return param;
  }

  std::string parseAxis() { return parseNewName("an axis"); }

  /// Extents and defaults speak only of axes, which the text declares last.
  void checkAxes() {
    auto isAxis = [&](const std::string &name) {
      return std::find(signature.axes.begin(), signature.axes.end(), name) !=
             signature.axes.end();
    };
    for (const auto *params : {&signature.results, &signature.operands})
      for (const TensorParam &param : *params)
        for (const Expr &extent : param.shape)
          for (const std::string &name : extent.getAxes())
            if (!isAxis(name))
              throw Error({.what = "extent '" + extent.str() + "' of '" +
                                   param.name + "' speaks of '" + name +
                                   "', which is no axis",
                           .where = "signature of " + signature.task,
                           .mend = "declare the axis in the fourth section"});
    for (const auto &[at, value] : defaults) {
      char *end = nullptr;
      std::strtod(value.c_str(), &end);
      bool isNumber = !value.empty() && *end == '\0';
      if (!isNumber && !isAxis(value))
        fail("a number or an axis", at);
    }
  }

  std::string_view text;
  size_t position = 0;
  Signature signature;
  std::set<std::string> names;
  std::vector<std::pair<size_t, std::string>> defaults;
};

} // namespace

Signature Signature::parse(std::string_view text) {
  return Parser(text).parse();
}

//===----------------------------------------------------------------------===//
// Solving
//===----------------------------------------------------------------------===//

static std::string formatShape(const std::vector<int64_t> &shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

static std::string formatShape(const std::vector<Expr> &shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + (shape[i] ? shape[i].str() : "_");
  return out + "]";
}

/// The axis that `expr == value` determines, where exactly one is unknown and
/// the path to it can be undone; stores it in `axes`. False where it cannot.
static bool invert(const Expr &expr, int64_t value, AxisValues &axes) {
  const ExprNode *node = expr.getNode();
  if (node->op == ExprOp::Axis)
    return axes.emplace(node->axis, value).second;
  if (node->op != ExprOp::Add && node->op != ExprOp::Sub &&
      node->op != ExprOp::Mul)
    return false;
  auto isKnown = [&](const Expr &side) {
    for (const std::string &name : side.getAxes())
      if (!axes.count(name))
        return false;
    return true;
  };
  bool left = isKnown(node->lhs), right = isKnown(node->rhs);
  if (left == right)
    return false;
  const Expr &unknown = left ? node->rhs : node->lhs;
  int64_t known = (left ? node->lhs : node->rhs).evaluate(axes), rest;
  if (node->op == ExprOp::Mul) {
    if (known <= 0 || value % known != 0)
      return false;
    return invert(unknown, value / known, axes);
  }
  bool overflows;
  if (node->op == ExprOp::Add)
    overflows = __builtin_sub_overflow(value, known, &rest);
  else if (left)
    overflows = __builtin_sub_overflow(known, value, &rest);
  else
    overflows = __builtin_add_overflow(value, known, &rest);
  return !overflows && invert(unknown, rest, axes);
}

AxisValues Signature::solve(
    const std::vector<std::optional<std::vector<int64_t>>> &shapes) const {
  std::vector<const TensorParam *> params;
  for (const TensorParam &param : results)
    params.push_back(&param);
  for (const TensorParam &param : operands)
    params.push_back(&param);
  if (params.size() != shapes.size())
    throw Error({.what = task + " has the wrong number of tensors",
                 .wanted = std::to_string(params.size()),
                 .got = std::to_string(shapes.size())});
  for (size_t i = 0; i < params.size(); ++i) {
    const TensorParam &param = *params[i];
    if (!shapes[i]) {
      if (!param.optional)
        throw Error({.what = task + " lacks '" + param.name + "'",
                     .wanted = "a tensor " + formatShape(param.shape),
                     .got = "none"});
      continue;
    }
    if (shapes[i]->size() != param.shape.size())
      throw Error(
          {.what = "'" + param.name + "' of " + task + " has the wrong rank",
           .wanted = formatShape(param.shape),
           .got = formatShape(*shapes[i])});
    for (int64_t extent : *shapes[i])
      if (extent < 0)
        throw Error({.what = "'" + param.name + "' of " + task +
                             " has a negative extent",
                     .wanted = formatShape(param.shape),
                     .got = formatShape(*shapes[i])});
  }

  AxisValues values;
  for (bool progress = true; progress;) {
    progress = false;
    for (size_t i = 0; i < params.size(); ++i)
      for (size_t d = 0; shapes[i] && d < params[i]->shape.size(); ++d)
        if (params[i]->shape[d])
          progress |= invert(params[i]->shape[d], (*shapes[i])[d], values);
  }

  for (size_t i = 0; i < params.size(); ++i)
    for (size_t d = 0; shapes[i] && d < params[i]->shape.size(); ++d) {
      const Expr &extent = params[i]->shape[d];
      if (!extent)
        continue;
      std::string wanted = extent.str();
      bool known = true;
      for (const std::string &name : extent.getAxes())
        known &= values.count(name) != 0;
      if (known) {
        int64_t value = extent.evaluate(values);
        if (value == (*shapes[i])[d])
          continue;
        wanted += " = " + std::to_string(value);
      }
      throw Error({.what = "extent " + std::to_string(d) + " of '" +
                           params[i]->name + "' of " + task + " does not fit",
                   .wanted = wanted,
                   .got = std::to_string((*shapes[i])[d]) + " in " +
                          formatShape(*shapes[i])});
    }
  for (const std::string &axis : axes) {
    auto it = values.find(axis);
    if (it == values.end())
      throw Error({.what = "axis '" + axis + "' of " + task +
                           " does not follow from the shapes"});
    if (it->second < 0)
      throw Error({.what = "axis '" + axis + "' of " + task + " is negative",
                   .wanted = "at least 0",
                   .got = std::to_string(it->second)});
  }
  return values;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static std::string_view getCType(DType type) {
  switch (type) {
  case DType::F64:
    return "double";
  case DType::F32:
    return "float";
  case DType::F16:
    return "__half";
  case DType::BF16:
    return "__nv_bfloat16";
  case DType::I64:
    return "int64_t";
  case DType::I32:
    return "int32_t";
  case DType::I16:
    return "int16_t";
  case DType::I8:
    return "int8_t";
  case DType::U8:
    return "uint8_t";
  case DType::Bool:
    return "bool";
  }
  return "";
}

std::string Signature::getPrototype(bool withOptional) const {
  std::string out;
  auto append = [&](const std::string &param) {
    out += (out.empty() ? "" : ", ") + param;
  };
  auto appendTensor = [&](const TensorParam &param, bool written) {
    if (param.optional && !withOptional)
      return;
    std::string type(param.element ? getCType(*param.element) : "T");
    append((written ? "" : "const ") + type + " *" + param.name);
  };
  for (const TensorParam &param : results)
    appendTensor(param, /*written=*/true);
  for (const TensorParam &param : operands)
    appendTensor(param, /*written=*/param.state);
  for (const ScalarParam &param : scalars)
    append(std::string(getCType(param.type)) + " " + param.name);
  for (const std::string &axis : axes)
    append("int32_t " + axis);
  return task + " (" + out + ")";
}
