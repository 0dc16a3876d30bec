//===- Ptx.cpp - A PTX module as its text says it -------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Ptx.h"

#include <algorithm>

using namespace fk;
using namespace fk::ptx;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

static std::string formatDiagnostic(std::string_view file,
                                    const Diagnostic &diagnostic) {
  // On one line and harmless to a terminal, whatever the text held.
  return formatError({.what = std::string(file) + ":" +
                              std::to_string(diagnostic.location.line) + ":" +
                              std::to_string(diagnostic.location.column) +
                              ": error: " + diagnostic.message});
}

PtxError::PtxError(std::string_view file, std::vector<Diagnostic> list)
    : Error({.what = list.empty() ? std::string(file) + ": no PTX"
                                  : formatDiagnostic(file, list.front())}),
      file(file), diagnostics(std::move(list)) {
  for (const std::string &line : getLines())
    lines += (lines.empty() ? "" : "\n") + line;
}

std::vector<std::string> PtxError::getLines() const {
  std::vector<std::string> result;
  for (const Diagnostic &diagnostic : diagnostics)
    result.push_back(formatDiagnostic(file, diagnostic));
  return result;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

namespace {
struct TypeEntry {
  Type type;
  std::string_view name;
  uint8_t bytes;
};
} // namespace

/// In the order of the enumeration.
static constexpr TypeEntry types[] = {
    {Type::None, "", 0},         {Type::Pred, "pred", 1},
    {Type::B8, "b8", 1},         {Type::B16, "b16", 2},
    {Type::B32, "b32", 4},       {Type::B64, "b64", 8},
    {Type::B128, "b128", 16},    {Type::U8, "u8", 1},
    {Type::U16, "u16", 2},       {Type::U32, "u32", 4},
    {Type::U64, "u64", 8},       {Type::S8, "s8", 1},
    {Type::S16, "s16", 2},       {Type::S32, "s32", 4},
    {Type::S64, "s64", 8},       {Type::F16, "f16", 2},
    {Type::BF16, "bf16", 2},     {Type::F32, "f32", 4},
    {Type::F64, "f64", 8},       {Type::F16x2, "f16x2", 4},
    {Type::BF16x2, "bf16x2", 4}, {Type::TF32, "tf32", 4},
    {Type::E4M3, "e4m3", 1},     {Type::E5M2, "e5m2", 1},
    {Type::E4M3x2, "e4m3x2", 2}, {Type::E5M2x2, "e5m2x2", 2},
    {Type::U16x2, "u16x2", 4},   {Type::S16x2, "s16x2", 4},
    {Type::Opaque, "texref", 8},
};

static constexpr bool isInOrder() {
  for (size_t i = 0; i < std::size(types); ++i)
    if (types[i].type != static_cast<Type>(i))
      return false;
  return true;
}
static_assert(isInOrder());

size_t fk::ptx::getSizeInBytes(Type type) {
  return types[static_cast<size_t>(type)].bytes;
}

std::string_view fk::ptx::getName(Type type) {
  return types[static_cast<size_t>(type)].name;
}

Type fk::ptx::parseType(std::string_view text) {
  if (text.empty())
    return Type::None;
  if (text == "samplerref" || text == "surfref")
    return Type::Opaque;
  auto it = std::ranges::find(types, text, &TypeEntry::name);
  return it == std::end(types) ? Type::None : it->type;
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

std::string Instruction::str() const {
  std::string result = opcode;
  for (const std::string &modifier : modifiers)
    result += "." + modifier;
  return result;
}

const Function *Module::findFunction(std::string_view name) const {
  auto it = std::ranges::find(functions, name, &Function::name);
  return it == functions.end() ? nullptr : &*it;
}

const Variable *Module::findVariable(std::string_view name) const {
  auto it = std::ranges::find(variables, name, &Variable::name);
  return it == variables.end() ? nullptr : &*it;
}
