//===- PtxParserTest.cpp - What PTX text says -----------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Ptx.h"
#include "runtime/support/Safetensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <limits>

using namespace fk::ptx;
namespace fs = std::filesystem;

using Kind = Operand::Kind;

static std::string readText(const fs::path &path) {
  return fk::readTextFile(path);
}

/// `body` as the body of an entry `k` with two parameters, from line 4 on.
static Module parseBody(const std::string &body) {
  return parse(".version 9.0\n.target sm_90a\n.address_size 64\n"
               ".entry k(.param .u64 p, .param .u32 n) {" +
                   body + "}",
               "k.ptx");
}

/// The operands of the last instruction of `body`.
static std::vector<Operand> parseOperands(const std::string &body) {
  return parseBody(body).functions.at(0).instructions.back().operands;
}

//===----------------------------------------------------------------------===//
// The text that has one of everything
//===----------------------------------------------------------------------===//

/// test/unit/ptx/forms.ptx, which ptxas takes.
static const Module &getForms() {
  static const Module module =
      parse(readText(FK_SOURCE_DIR "/test/unit/ptx/forms.ptx"), "forms.ptx");
  return module;
}

static const Function &getFirst() { return *getForms().findFunction("first"); }

/// The bytes of a variable's initial value as elements.
template <typename T> static std::vector<T> getInit(std::string_view name) {
  const Variable *variable = getForms().findVariable(name);
  if (!variable)
    return {};
  std::vector<T> values(variable->init.size() / sizeof(T));
  if (!values.empty())
    std::memcpy(values.data(), variable->init.data(),
                values.size() * sizeof(T));
  return values;
}

TEST(PtxParser, HeaderOfTheModule) {
  EXPECT_EQ(getForms().file, "forms.ptx");
  EXPECT_EQ(getForms().versionMajor, 9);
  EXPECT_EQ(getForms().versionMinor, 0);
  EXPECT_EQ(getForms().target, "sm_90a");
}

TEST(PtxParser, InitialValues) {
  EXPECT_EQ(getInit<uint32_t>("two"), std::vector<uint32_t>{2});
  EXPECT_EQ(getInit<uint32_t>("plain"), std::vector<uint32_t>{});
  EXPECT_EQ(getInit<float>("vector"), (std::vector<float>{1, 2, 1.5, -0.25}));
  EXPECT_EQ(getInit<uint8_t>("bytes"),
            (std::vector<uint8_t>{1, 2, 3, 4, 255, 255}));
  EXPECT_EQ(getInit<uint16_t>("matrix"),
            (std::vector<uint16_t>{1, 2, 3, 4, 0, 0}));
  EXPECT_EQ(getInit<int64_t>("unsized"), (std::vector<int64_t>{-1, 64, 28, 2}));
  EXPECT_EQ(getInit<double>("pairs"), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(getInit<float>("bits"), std::vector<float>{1});
  EXPECT_EQ(getInit<uint32_t>("elsewhere"), std::vector<uint32_t>{5});
  EXPECT_EQ(getInit<uint32_t>("counter"), std::vector<uint32_t>{3});
}

TEST(PtxParser, AddressesAmongInitialValues) {
  const auto &relocations = getForms().findVariable("addresses")->relocations;
  ASSERT_EQ(relocations.size(), 4u);
  EXPECT_EQ(relocations[1].symbol, "matrix");
  EXPECT_EQ(relocations[1].offset, 8u);
  EXPECT_EQ(relocations[1].addend, 4);
  EXPECT_FALSE(relocations[1].isGeneric);
  EXPECT_EQ(relocations[3].addend, -2);
  EXPECT_TRUE(relocations[3].isGeneric);
  EXPECT_EQ(relocations[3].bytes, 8);
  const auto &masked = getForms().findVariable("masked")->relocations;
  ASSERT_EQ(masked.size(), 2u);
  EXPECT_EQ(masked[0].offset, 1u);
  EXPECT_EQ(masked[0].shift, 0);
  EXPECT_EQ(masked[0].bytes, 1);
  EXPECT_EQ(masked[1].shift, 8);
  EXPECT_EQ(masked[1].addend, 4);
  EXPECT_TRUE(masked[1].isGeneric);
}

TEST(PtxParser, ModuleVariables) {
  const Variable *vector = getForms().findVariable("vector");
  EXPECT_EQ(vector->alignment, 16u);
  EXPECT_EQ(vector->bytes, 16u);
  EXPECT_FALSE(vector->isArray);
  const Variable *pairs = getForms().findVariable("pairs");
  EXPECT_EQ(pairs->alignment, 16u);
  EXPECT_EQ(pairs->bytes, 32u);
  EXPECT_EQ(getForms().findVariable("unsized")->bytes, 32u);
  const Variable *dynamic = getForms().findVariable("dynamic");
  EXPECT_TRUE(dynamic->isExtern && dynamic->isArray);
  EXPECT_EQ(dynamic->bytes, 0u);
  EXPECT_EQ(dynamic->space, StateSpace::Shared);
  EXPECT_EQ(getForms().findVariable("tile")->bytes, 128u);
  EXPECT_EQ(getForms().findVariable("bytes")->space, StateSpace::Const);
  EXPECT_FALSE(getForms().findVariable("elsewhere")->isExtern);
  EXPECT_TRUE(getForms().findVariable("numbered2"));
  EXPECT_FALSE(getForms().findVariable("numbered3"));
  EXPECT_EQ(getForms().findVariable("texture")->type, Type::Opaque);
}

TEST(PtxParser, FunctionHeaders) {
  const Function *printf = getForms().findFunction("vprintf");
  EXPECT_TRUE(printf->isExtern && printf->isDeclaration);
  EXPECT_EQ(printf->params.size(), 2u);
  const Function *trap = getForms().findFunction("noreturn_one");
  EXPECT_TRUE(trap->isNoReturn && trap->isVisible && !trap->isDeclaration);
  const Function *structure = getForms().findFunction("structure");
  EXPECT_EQ(structure->returnParams.at(0).bytes, 16u);
  EXPECT_EQ(structure->params.at(0).alignment, 8u);
  EXPECT_EQ(structure->paramRegisters, (std::vector<uint32_t>{~0u, ~0u}));
  EXPECT_EQ(structure->instructions.size(), 3u);
  const Function *registers = getForms().findFunction("in_registers");
  EXPECT_EQ(registers->returnRegisters, std::vector<uint32_t>{0});
  EXPECT_EQ(registers->paramRegisters, (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(registers->registers[2].type, Type::F32);
  EXPECT_TRUE(getForms().findFunction("bare")->isEntry);
  EXPECT_EQ(getForms().findFunction("absent"), nullptr);
}

TEST(PtxParser, EntryHeaders) {
  const Function &first = getFirst();
  EXPECT_TRUE(first.isEntry && first.isVisible);
  EXPECT_EQ((*first.maxBlock), (std::array<uint32_t, 3>{128, 2, 1}));
  EXPECT_EQ((*first.requiredCluster), (std::array<uint32_t, 3>{2, 1, 1}));
  EXPECT_FALSE(first.requiredBlock);
  ASSERT_EQ(first.params.size(), 5u);
  EXPECT_TRUE(first.params[2].isPointer);
  EXPECT_FALSE(first.params[4].isPointer);
  EXPECT_EQ(first.params[3].bytes, 24u);
  EXPECT_TRUE(first.params[3].isArray);
  EXPECT_EQ(first.params[3].alignment, 8u);
  EXPECT_EQ(first.params[4].type, Type::F32);
}

/// The instruction of forms.ptx at `line`.
static const Instruction &getAt(std::string_view text) {
  static const std::string source =
      readText(FK_SOURCE_DIR "/test/unit/ptx/forms.ptx");
  size_t at = source.find(text);
  uint32_t line =
      1 + std::count(source.begin(), source.begin() + ptrdiff_t(at), '\n');
  for (const Function &function : getForms().functions)
    for (const Instruction &instruction : function.instructions)
      if (instruction.location.line == line)
        return instruction;
  ADD_FAILURE() << "no instruction at '" << text << "'";
  return getFirst().instructions[0];
}

static std::string getRegister(const Operand &operand) {
  if (operand.kind != Kind::Register)
    return "no register";
  return getFirst().registers.at(operand.index).name;
}

TEST(PtxParser, ModifiersKeepWhatBelongsTogether) {
  EXPECT_EQ(
      getAt("cp.async.bulk.shared").modifiers,
      (std::vector<std::string>{"async", "bulk", "shared::cluster", "global",
                                "mbarrier::complete_tx::bytes"}));
  EXPECT_EQ(getAt("tex.2d").modifiers,
            (std::vector<std::string>{"2d", "v4", "f32", "s32"}));
  EXPECT_EQ(getAt("mma.sync").modifiers[2], "m16n8k16");
  EXPECT_EQ(getAt("ld.global .L1").str(),
            "ld.global.L1::no_allocate.L2::128B.v2.f32");
}

TEST(PtxParser, Addresses) {
  const Operand &tensor = getAt("cp.async.bulk.tensor").operands.at(1);
  EXPECT_EQ(tensor.kind, Kind::Address);
  ASSERT_EQ(tensor.parts.size(), 2u);
  EXPECT_EQ(getRegister(tensor.parts[0]), "%rd1");
  EXPECT_EQ(tensor.parts[1].kind, Kind::Vector);
  EXPECT_EQ(getRegister(tensor.parts[1].parts.at(1)), "%r2");
  EXPECT_EQ(getAt("st.global.v4.f32 [%rd1+-16]").operands[0].offset, -16);
  EXPECT_EQ(getAt("ld.global .L1").operands[1].offset, 4);
  const Operand &param = getAt("ld.param.b32 %r1, [by_value").operands[1];
  EXPECT_EQ(param.parts.at(0).kind, Kind::Param);
  EXPECT_EQ(param.parts.at(0).index, 3u);
  EXPECT_EQ(param.offset, 8);
  const Operand &local = getAt("st.local.b32").operands[0];
  EXPECT_EQ(local.parts.at(0).kind, Kind::Variable);
  EXPECT_EQ(getFirst().variables.at(local.parts[0].index).name, "depot");
  const Operand &immediate = getAt("ld.local.u32 %r1, [8]").operands[1];
  EXPECT_EQ(immediate.parts.at(0).kind, Kind::Integer);
  EXPECT_EQ(immediate.parts.at(0).bits, 8u);
  const Operand &tile = getAt("cp.async.bulk.tensor").operands.at(0);
  EXPECT_EQ(getForms().variables.at(tile.parts.at(0).index).name, "tile");
  const Operand &sampled = getAt("tex.2d").operands.at(1);
  EXPECT_EQ(sampled.parts.size(), 3u);
}

TEST(PtxParser, SymbolsAsOperands) {
  EXPECT_EQ(getAt("mov.u64 %rd3, matrix+8").operands[1].offset, 8);
  const Operand &indexed = getAt("mov.u64 %rd3, matrix[2]").operands[1];
  EXPECT_EQ(indexed.kind, Kind::Global);
  EXPECT_EQ(indexed.offset, 4);
  const Operand &loaded = getAt("ld.global.u16 %rs1, matrix[1]").operands[1];
  EXPECT_EQ(loaded.kind, Kind::Address);
  EXPECT_EQ(loaded.offset, 2);
  EXPECT_EQ(loaded.parts.at(0).kind, Kind::Global);
  EXPECT_EQ(getAt("mov.u64 %rd4, structure").operands[1].kind, Kind::Function);
  const Operand &result = getAt("st.param.b64 [result]").operands[0];
  EXPECT_EQ(result.parts.at(0).kind, Kind::ReturnParam);
}

TEST(PtxParser, VectorRegistersAreScalars) {
  const Operand &whole = getAt("mov.v4.f32 quad").operands[0];
  ASSERT_EQ(whole.kind, Kind::Vector);
  ASSERT_EQ(whole.parts.size(), 4u);
  EXPECT_EQ(getRegister(whole.parts[3]), "quad.w");
  EXPECT_EQ(whole.parts[3].index, whole.parts[0].index + 3);
  EXPECT_EQ(getRegister(getAt("mov.f32 quad.y").operands[0]), "quad.y");
  EXPECT_EQ(getRegister(getAt("mov.f32 quad.y").operands[1]), "quad.x");
  EXPECT_EQ(getRegister(getAt("mov.b32 duo1.x").operands[1]), "duo0.y");
}

TEST(PtxParser, SpecialRegisters) {
  EXPECT_EQ(getAt("mov.u32 %r2, %tid.x").operands[1].kind, Kind::Special);
  EXPECT_EQ(getAt("mov.u32 %r2, %tid.x").operands[1].name, "tid.x");
  EXPECT_EQ(getAt("mov.u32 %r4, %envreg3").operands[1].name, "envreg3");
  EXPECT_EQ(getAt("mov.u64 %rd2, %clock64").operands[1].name, "clock64");
  std::vector<Operand> whole =
      parseOperands(".reg .v4 .b32 v; mov.v4.u32 v, %ctaid;");
  ASSERT_EQ(whole.at(1).parts.size(), 4u);
  EXPECT_EQ(whole[1].parts[2].name, "ctaid.z");
}

TEST(PtxParser, OtherOperands) {
  const Instruction &set = getAt("setp.eq.and.s32");
  EXPECT_EQ(set.operands[0].kind, Kind::Pair);
  EXPECT_EQ(getRegister(set.operands[0].parts.at(1)), "q");
  EXPECT_EQ(set.operands[2].bits, 32u); // WARP_SZ
  EXPECT_TRUE(set.operands[3].isNegated);
  EXPECT_EQ(getAt("setp.lt.s32").operands[0].parts.at(1).kind, Kind::Sink);
  EXPECT_EQ(getAt("mov.b64 {%r6").operands[0].parts.at(1).kind, Kind::Sink);
  EXPECT_EQ(getAt("atom.global.add.u32 _").operands[0].kind, Kind::Sink);
  EXPECT_EQ(getAt("vadd").operands[2].selector, "h1");
  EXPECT_TRUE(parseOperands(".reg .f32 a; foo a, -a;").at(1).isMinus);
}

TEST(PtxParser, Literals) {
  auto getBits = [](const std::string &literal) {
    const Operand operand =
        parseOperands(".reg .b64 r; mov.b64 r, " + literal + ";").at(1);
    EXPECT_EQ(operand.kind, Kind::Integer) << literal;
    return operand.bits;
  };
  EXPECT_EQ(getBits("0x1fU"), 31u);
  EXPECT_EQ(getBits("0XFFFFFFFFFFFFFFFF"), ~uint64_t(0));
  EXPECT_EQ(getBits("017"), 15u);
  EXPECT_EQ(getBits("0"), 0u);
  EXPECT_EQ(getBits("0U"), 0u);
  EXPECT_EQ(getBits("0B11U"), 3u);
  EXPECT_EQ(getBits("-9223372036854775808"), uint64_t(1) << 63);
  EXPECT_EQ(getBits("18446744073709551615"), ~uint64_t(0));
  auto getFloat = [](const std::string &literal) {
    const Operand operand =
        parseOperands(".reg .f64 r; mov.f64 r, " + literal + ";").at(1);
    EXPECT_EQ(operand.kind, Kind::Float) << literal;
    if (operand.isSingle)
      return double(std::bit_cast<float>(static_cast<uint32_t>(operand.bits)));
    return std::bit_cast<double>(operand.bits);
  };
  EXPECT_EQ(getFloat("0f3fC00000"), 1.5);
  EXPECT_EQ(getFloat("0D3FF8000000000000"), 1.5);
  EXPECT_EQ(getFloat(".5"), 0.5);
  EXPECT_EQ(getFloat("5."), 5.0);
  EXPECT_EQ(getFloat("-1e-3"), -0.001);
  EXPECT_EQ(getFloat("1.5+2.5*2.0"), 6.5);
}

TEST(PtxParser, ConstantExpressions) {
  const std::pair<const char *, int64_t> cases[] = {
      {"1 + 2 * 3", 7},
      {"(1 + 2) * 3", 9},
      {"10 - 3 - 2", 5},
      {"1 << 3 + 1", 16},
      {"-8 >> 1", -4},
      {"(.u64)-8 >> 60", 15},
      {"(.s64)0xFFFFFFFFFFFFFFFF >> 4", -1},
      {"1 << 64", 0},
      {"-1 >> 64", -1},
      {"7 & 3 | 8 ^ 1", 11},
      {"1 == 1 && 2 > 1", 1},
      {"0 || 1 < 0", 0},
      {"-1 < 1U", 0},
      {"-1 < 1", 1},
      {"-7 / 2", -3},
      {"-7 % 2", -1},
      {"(.s64)0x8000000000000000 / -1", std::numeric_limits<int64_t>::min()},
      {"(.s64)0x8000000000000000 % -1", 0},
      // Too large for .s64, so of .u64, minus or not.
      {"-9223372036854775808 >> 63", 1},
      {"~0", -1},
      {"!5", 0},
      {"!0", 1},
      {"!!5", 1},
      {"1.5 < 2.5", 1},
      {"WARP_SZ / 2", 16},
      {"0 ? 1 : 0 ? 2 : 3", 3},
      {"1 <= 1 != 0", 1},
  };
  for (auto [text, value] : cases) {
    Operand operand =
        parseOperands(std::string(".reg .b64 r; mov.b64 r, ") + text + ";")
            .at(1);
    EXPECT_EQ(static_cast<int64_t>(operand.bits), value) << text;
  }
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

TEST(PtxParser, OnlyNamedRegistersOfARange) {
  Module module =
      parseBody(".reg .b32 %r<2000000000>; mov.b32 %r1999999999, %r5;"
                "mov.b32 %r5, 1;");
  ASSERT_EQ(module.functions[0].registers.size(), 2u);
  EXPECT_EQ(module.functions[0].registers[1].name, "%r5");
}

TEST(PtxParser, RangesThatOverlap) {
  // As ptxas: %z12 is the thirteenth %z, and %z01 the second.
  Module module = parseBody(".reg .b32 %z1<3>; .reg .b64 %z<50>;"
                            "mov.b64 %z12, 1; mov.b64 %z01, 1;"
                            "mov.b64 %z1, 1;");
  const auto &registers = module.functions[0].registers;
  ASSERT_EQ(registers.size(), 2u);
  EXPECT_EQ(registers[0].type, Type::B64);
  EXPECT_EQ(registers[1].name, "%z1");
}

TEST(PtxParser, ScopesShadow) {
  Module module = parseBody(R"(
    .reg .b32 %r<4>, x;
    mov.b32 %r1, x;
    {
      .reg .f32 %r<2>;
      .reg .f64 x;
      mov.f32 %r1, x;
      mov.b32 %r3, 1; // of the outer range
      { .reg .b16 %r1; mov.b16 %r1, 1; }
      mov.f32 %r1, x;
    }
    mov.b32 %r1, x;
    mov.b32 %r3, 1;)");
  const Function &function = module.functions[0];
  std::vector<Type> types;
  for (const Instruction &instruction : function.instructions)
    types.push_back(function.registers[instruction.operands[0].index].type);
  EXPECT_EQ(types,
            (std::vector<Type>{Type::B32, Type::F32, Type::B32, Type::B16,
                               Type::F32, Type::B32, Type::B32}));
  EXPECT_EQ(function.instructions[2].operands[0].index,
            function.instructions[6].operands[0].index);
  EXPECT_EQ(function.registers[function.instructions[4].operands[1].index].type,
            Type::F64);
  EXPECT_EQ(function.registers.size(), 6u);
}

TEST(PtxParser, LabelsOfScopes) {
  Module module = parseBody(R"(
    bra L;
    { bra L; bra M; L: bra L; }
    { L: bra L; }
    L: bra N;
    M: exit;
    N:)");
  std::vector<uint32_t> targets;
  for (const Instruction &instruction : module.functions[0].instructions)
    if (instruction.opcode == "bra")
      targets.push_back(instruction.operands[0].index);
  EXPECT_EQ(targets, (std::vector<uint32_t>{5, 3, 6, 3, 4, 7}));
}

TEST(PtxParser, BranchesGuardsAndTables) {
  const Function &first = getFirst();
  const Instruction &done = getAt("@%p1 bra done");
  EXPECT_TRUE(done.hasGuard);
  EXPECT_FALSE(done.isGuardNegated);
  EXPECT_EQ(first.registers.at(done.guard).name, "%p1");
  EXPECT_EQ(first.instructions.at(done.operands[0].index).opcode, "ret");
  EXPECT_TRUE(getAt("@!%p1 bra.uni").isGuardNegated);
  const Instruction &jump = getAt("brx.idx");
  ASSERT_EQ(jump.operands.at(1).kind, Kind::Table);
  const auto &table = first.branchTargets.at(jump.operands[1].index);
  ASSERT_EQ(table.size(), 3u);
  EXPECT_EQ(table[0], 0u);
  EXPECT_EQ(&first.instructions.at(table[2]), &jump);
}

TEST(PtxParser, Calls) {
  const Instruction &direct = getAt("call.uni (answer)");
  ASSERT_EQ(direct.operands.size(), 3u);
  EXPECT_EQ(direct.operands[0].kind, Kind::List);
  EXPECT_EQ(direct.operands[1].kind, Kind::Function);
  EXPECT_EQ(getForms().functions.at(direct.operands[1].index).name,
            "structure");
  EXPECT_EQ(direct.operands[2].parts.size(), 2u);
  const Instruction &indirect =
      getAt("call (answer), %rd4, (argument, argument1), prototype");
  EXPECT_EQ(getRegister(indirect.operands[1]), "%rd4");
  ASSERT_EQ(indirect.operands.at(3).kind, Kind::Prototype);
  const auto &prototype = getFirst().prototypes.at(indirect.operands[3].index);
  EXPECT_EQ(prototype.params.size(), 2u);
  EXPECT_EQ(prototype.returnParams.at(0).bytes, 16u);
  const Instruction &listed =
      getAt("call (answer), %rd4, (argument, argument1), targets");
  EXPECT_EQ(getFirst().prototypes.at(listed.operands.at(3).index).targets,
            std::vector<std::string>{"structure"});
  EXPECT_EQ(getAt("call (%r8)").operands[2].parts.at(1).kind, Kind::Float);
}

TEST(PtxParser, AliasesAreTheirFunctions) {
  const Instruction &call = getAt("call aliased, ()");
  EXPECT_EQ(getForms().functions.at(call.operands.at(0).index).name,
            "original");
}

TEST(PtxParser, Locations) {
  const Instruction &set = getAt("setp.eq.and.s32");
  EXPECT_EQ(set.location.column, 3u);
  EXPECT_EQ(set.operands[0].location.column, 19u);
  EXPECT_EQ(getAt("@%p1 bra done").location.column, 8u);
}

TEST(PtxParser, PreprocessedText) {
  Module module = parse("# 1 \"k.cu\"\n#line 3\n.version 6.0\r\n.target sm_70\n"
                        " # 7 \"k.cu\" 2\n.address_size 64\n",
                        "k.ptx");
  EXPECT_EQ(module.versionMajor, 6);
  EXPECT_EQ(module.target, "sm_70");
}

TEST(PtxParser, TypesByName) {
  for (int i = 1; i <= static_cast<int>(Type::Opaque); ++i) {
    auto type = static_cast<Type>(i);
    EXPECT_EQ(parseType(getName(type)), type) << getName(type);
    EXPECT_GT(getSizeInBytes(type), 0u);
  }
  EXPECT_EQ(parseType("surfref"), Type::Opaque);
  EXPECT_EQ(parseType("b24"), Type::None);
  EXPECT_EQ(parseType(""), Type::None);
  EXPECT_EQ(getSizeInBytes(Type::F16x2), 4u);
  EXPECT_EQ(getSizeInBytes(Type::E4M3x2), 2u);
}

//===----------------------------------------------------------------------===//
// Compilers' texts
//===----------------------------------------------------------------------===//

/// Every .ptx under `folder`.
static std::vector<fs::path> findPtx(const fs::path &folder) {
  std::vector<fs::path> paths;
  if (fs::exists(folder))
    for (const auto &entry : fs::recursive_directory_iterator(folder))
      if (entry.path().extension() == ".ptx")
        paths.push_back(entry.path());
  std::ranges::sort(paths);
  return paths;
}

TEST(PtxParser, TakesWhatCompilersWrite) {
  size_t count = 0;
  for (const char *folder : {FK_SOURCE_DIR "/examples",
                             FK_SOURCE_DIR "/test/unit/ptx", FK_KERNELS_DIR})
    for (const fs::path &path : findPtx(folder)) {
      ++count;
      try {
        EXPECT_FALSE(parse(readText(path), path.string()).functions.empty());
      } catch (const PtxError &error) {
        ADD_FAILURE() << error.what();
      }
    }
  EXPECT_GE(count, 7u);
}

TEST(PtxParser, NvccWithoutOptimisation) {
  Module module =
      parse(readText(FK_SOURCE_DIR "/test/unit/ptx/nvcc_debug.ptx"), "k.ptx");
  const Variable *operators = module.findVariable("ops");
  ASSERT_NE(operators, nullptr);
  EXPECT_EQ(operators->relocations.size(), 2u);
  EXPECT_EQ(operators->relocations[0].symbol, "_Z5twicef");
  EXPECT_EQ(module.findVariable("counters")->init.size(), 24u);
}

TEST(PtxParser, ClangsMasks) {
  Module module =
      parse(readText(FK_SOURCE_DIR "/test/unit/ptx/clang_small.ptx"), "k.ptx");
  const Variable *odd = module.findVariable("odd");
  ASSERT_EQ(odd->relocations.size(), 8u);
  EXPECT_EQ(odd->relocations[7].shift, 56);
  EXPECT_EQ(odd->relocations[7].offset, 8u);
}
