//===- PtxParserErrorTest.cpp - Texts that are no PTX ---------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Ptx.h"

#include <gtest/gtest.h>

using namespace fk::ptx;

/// "" where the text is PTX.
static std::string getErrors(std::string_view text) {
  try {
    parse(text, "k.ptx");
  } catch (const PtxError &error) {
    return error.what();
  }
  return "";
}

static const std::string header =
    ".version 9.0\n.target sm_90a\n.address_size 64\n";

//===----------------------------------------------------------------------===//
// What is said, and where
//===----------------------------------------------------------------------===//

namespace {
enum class In { Whole, Module, Body };

struct Malformed {
  const char *name;
  In in;
  const char *text;
  /// Without the name of the file.
  std::vector<std::string> errors;
};

class PtxMalformed : public testing::TestWithParam<Malformed> {};
} // namespace

/// A text inside a body starts at line 6, one inside a module at line 4.
static std::string getText(const Malformed &param) {
  if (param.in == In::Whole)
    return param.text;
  if (param.in == In::Module)
    return header + param.text + "\n";
  return header +
         ".entry k(.param .u64 p) {\n"
         ".reg .b32 %r<9>, x; .reg .pred %q; .reg .v2 .f32 v;\n" +
         param.text + "\nret;\n}\n";
}

TEST_P(PtxMalformed, IsSaid) {
  std::string wanted;
  for (const std::string &error : GetParam().errors)
    wanted += (wanted.empty() ? "k.ptx:" : "\nk.ptx:") + error;
  EXPECT_EQ(getErrors(getText(GetParam())), wanted);
}

static const Malformed malformed[] = {
    {"Empty",
     In::Whole,
     "",
     {"1:1: error: this is no PTX: it has no .version: wanted .version 6.0 to "
      "9.0, got the end of the text"}},
    {"NoVersion",
     In::Whole,
     "hello",
     {"1:1: error: this is no PTX: it has no .version: wanted .version 6.0 to "
      "9.0, got 'hello'"}},
    {"BadVersion",
     In::Whole,
     ".version nine",
     {"1:10: error: the PTX version is not a version: wanted one from 6.0 to "
      "9.0, got 'nine'"}},
    {"NewVersion",
     In::Whole,
     ".version 9.1\n.target sm_90a",
     {"1:10: error: the PTX is too new: wanted a version up to 9.0 (CUDA "
      "13.0), got version 9.1 (compile it with CUDA 13.0 or older)"}},
    {"OldVersion",
     In::Whole,
     ".version 5.0",
     {"1:10: error: the PTX is too old: wanted a version from 6.0 to 9.0, got "
      "version 5.0 (compile it again with CUDA 9 to 13.0)"}},
    {"VersionOfOneNumber",
     In::Whole,
     ".version 9\n",
     {"1:10: error: the PTX version is not a version: wanted one from 6.0 to "
      "9.0, got '9'"}},
    {"NoTarget",
     In::Whole,
     ".version 9.0\n.address_size 64",
     {"2:1: error: the PTX names no target: wanted .target sm_90a, got "
      "'.address_size'"}},
    {"UnknownTarget",
     In::Whole,
     ".version 9.0\n.target sm_90a, texmode\n",
     {"2:17: error: unknown target 'texmode': wanted sm_90a or the like, "
      "debug, texmode_unified, texmode_independent"}},
    {"TargetOfNoGpu",
     In::Whole,
     ".version 9.0\n.target debug\n",
     {"3:1: error: the PTX names no target: wanted .target sm_90a"}},
    {"NoAddressSize",
     In::Whole,
     ".version 9.0\n.target sm_90a\n.entry k {}",
     {"3:1: error: the PTX is not for 64-bit addresses: wanted .address_size "
      "64, got '.entry'"}},
    {"Addresses32",
     In::Whole,
     ".version 9.0\n.target sm_90a\n.address_size 32",
     {"3:15: error: the PTX is not for 64-bit addresses: wanted .address_size "
      "64, got '32'"}},
    {"HeaderTwice",
     In::Module,
     ".target sm_80",
     {"4:1: error: '.target' stands once, at the start"}},
    {"WordInModule",
     In::Module,
     "mov.u32 %r1, 2;",
     {"4:1: error: wanted a directive such as .entry or .global, got 'mov'"}},
    {"UnknownDirective",
     In::Module,
     ".banana 3;",
     {"4:1: error: unknown directive '.banana'"}},
    {"TwoLinkages",
     In::Module,
     ".visible .extern .global .u32 x;",
     {"4:1: error: more than one of .extern, .visible, .weak and .common"}},
    {"RegisterOutside",
     In::Module,
     ".reg .b32 x;",
     {"4:1: error: '.reg' outside a function"}},
    {"StrayBrace",
     In::Module,
     "}",
     {"4:1: error: wanted a directive such as .entry or .global, got '}'"}},
    {"CommentOpen",
     In::Module,
     "/* never\nclosed",
     {"4:1: error: a comment is not closed: wanted '*/'"}},
    {"StringOpen",
     In::Module,
     ".pragma \"never\n;",
     {"4:9: error: a string is not closed: wanted '\"'"}},
    {"NoType",
     In::Module,
     ".global x;",
     {"4:9: error: wanted a type such as .b32, got 'x'"}},
    {"UnknownType",
     In::Module,
     ".global .b24 x;",
     {"4:9: error: wanted a type such as .b32, got '.b24'"}},
    {"TwoTypes",
     In::Module,
     ".global .b32 .b16 x;",
     {"4:14: error: wanted a type such as .b32, got '.b16'"}},
    {"AlignmentOfThree",
     In::Module,
     ".global .align 3 .b8 x;",
     {"4:16: error: the alignment is no power of two"}},
    {"AlignmentTooLarge",
     In::Module,
     ".global .align 4194304 .b8 x;",
     {"4:16: error: wanted an alignment up to 1048576, got '4194304'"}},
    {"ArrayTooLarge",
     In::Module,
     ".global .b64 x[1099511627776][1099511627776];",
     {"4:14: error: the array is too large: wanted at most 1 TiB"}},
    {"ArrayWithoutSize",
     In::Module,
     ".global .b32 x[];",
     {"4:14: error: 'x' has no size: wanted a number of elements, or .extern"}},
    {"ArrayOfNothing",
     In::Module,
     ".shared .b32 x[0];",
     {"4:14: error: 'x' has no size: wanted a number of elements, or .extern"}},
    {"InnerWithoutSize",
     In::Module,
     ".global .b32 x[2][];",
     {"4:19: error: only the first dimension may be []"}},
    {"NegativeSize",
     In::Module,
     ".global .b32 x[-1];",
     {"4:16: error: wanted a number of elements up to 1099511627776, got '-'"}},
    {"PredicateInMemory",
     In::Module,
     ".global .pred x;",
     {"4:15: error: a predicate outside a register"}},
    {"VariableTwice",
     In::Module,
     ".global .b32 x;\n.global .b32 x;",
     {"5:14: error: 'x' is declared twice: first at line 4"}},
    {"NoSemicolonInModule",
     In::Module,
     ".global .b32 x\n.global .b32 y;",
     {"4:15: error: wanted ';' after the variables, got '.global'"}},
    {"TooManyValues",
     In::Module,
     ".global .b32 x[2] = {1, 2, 3};",
     {"4:28: error: more initial values than the array has elements: wanted at "
      "most 2"}},
    {"BracesOfScalar",
     In::Module,
     ".global .b32 x = {1};",
     {"4:18: error: braces around the initial value of a variable that is no "
      "array"}},
    {"NoInnerBraces",
     In::Module,
     ".global .b32 x[2][2] = {1, 2, 3, 4};",
     {"4:25: error: wanted '{' before the elements of an inner array, got "
      "'1'"}},
    {"InitNotClosed",
     In::Module,
     ".global .b32 x[2] = {1, 2;",
     {"4:26: error: wanted '}' after the initial values, got ';'"}},
    {"IntegerForFloat",
     In::Module,
     ".global .f32 x = 3;",
     {"4:18: error: wanted a floating-point literal, got an integer"}},
    {"FloatForInteger",
     In::Module,
     ".global .u32 x = 1.5;",
     {"4:18: error: wanted an integer, got a floating-point literal"}},
    {"HalfInit",
     In::Module,
     ".global .f16 x = 1.5;",
     {"4:18: error: a .f16 variable cannot have an initial value"}},
    {"InitOfShared",
     In::Module,
     ".shared .b32 x = 3;",
     {"4:16: error: 'x' cannot have an initial value"}},
    {"UnknownSymbol",
     In::Module,
     ".global .u64 x = y;",
     {"4:18: error: unknown variable or function 'y'"}},
    {"AddressInByte",
     In::Module,
     ".global .u32 y;\n.global .u8 x = y;",
     {"5:17: error: an address does not fit a .u8: wanted .u64, .u32 or .b8 "
      "with masks"}},
    {"WrongMask",
     In::Module,
     ".global .u32 y;\n.global .u8 x = 0xF0(y);",
     {"5:17: error: wanted a mask of one byte such as 0xFF00, got '0xF0'"}},
    {"ExpressionDividesByZero",
     In::Module,
     ".global .u32 x = 1 / (3 - 3);",
     {"4:20: error: a constant is divided by zero"}},
    {"UnknownParameter",
     In::Module,
     ".entry k(.global .u64 p) { ret; }",
     {"4:10: error: wanted a parameter such as .param .u64 a, got '.global'"}},
    {"ParameterInRegister",
     In::Module,
     ".entry k(.reg .b64 p) { ret; }",
     {"4:10: error: wanted a parameter such as .param .u64 a, got '.reg'"}},
    {"ParametersNotClosed",
     In::Module,
     ".entry k(.param .u64 p { ret; }",
     {"4:24: error: wanted ')' after the parameters, got '{'"}},
    {"ParameterTwice",
     In::Module,
     ".entry k(.param .u64 p, .param .u64 p) { ret; }",
     {"4:37: error: 'p' is declared twice: first at line 4"}},
    {"ParameterTooLarge",
     In::Module,
     ".entry k(.param .b8 p[70000]) { ret; }",
     {"4:21: error: the parameter is too large: wanted at most 65536 bytes, "
      "got 70000"}},
    {"NoFunctionName",
     In::Module,
     ".entry { ret; }",
     {"4:8: error: wanted the name of a function, got '{'"}},
    {"UnknownFunctionDirective",
     In::Module,
     ".entry k .maxbanana 3 { ret; }",
     {"4:10: error: unknown directive '.maxbanana' of a function"}},
    {"NoShape",
     In::Module,
     ".entry k .reqntid 0 { ret; }",
     {"4:19: error: .reqntid is not a shape: wanted one to three numbers from "
      "1 to 65536, got '0'"}},
    {"EntryTwice",
     In::Module,
     ".entry k { ret; }\n.entry k { ret; }",
     {"5:8: error: 'k' is defined twice: first at line 4"}},
    {"DeclaredInTwoWays",
     In::Module,
     ".func f(.param .b32 a);\n.func f { ret; }",
     {"5:7: error: 'f' is declared in two ways: first at line 4"}},
    {"FunctionIsVariable",
     In::Module,
     ".global .b32 f;\n.func f { ret; }",
     {"5:7: error: 'f' is declared twice: first at line 4"}},
    {"BodyNotClosed",
     In::Module,
     ".entry k {\nret;\n",
     {"7:1: error: the body of 'k' is not closed: wanted '}' for the '{' of "
      "line 4, got the end of the text"}},
    {"BodyRunsIntoNext",
     In::Module,
     ".entry k {\nret;\n.visible .entry l { ret; }",
     {"6:1: error: the body of 'k' is not closed: wanted '}' before "
      "'.visible'"}},
    {"NoBody",
     In::Module,
     ".entry k ret;",
     {"4:10: error: wanted '{' or ';' after the header of 'k', got 'ret'"}},
    {"AliasOfEntry",
     In::Module,
     ".entry k { ret; }\n.func f;\n.alias f, k;",
     {"6:11: error: 'k' is an entry: .alias is of a .func"}},
    {"SectionNotClosed",
     In::Module,
     ".section .debug_str {\n.b8 1",
     {"4:10: error: the section is not closed: wanted '}'"}},
    {"UnknownRegister",
     In::Body,
     "mov.u32 %r1, %r9;",
     {"6:14: error: unknown register '%r9'"}},
    {"UnknownName",
     In::Body,
     "mov.u32 x, y;",
     {"6:12: error: unknown name 'y'"}},
    {"UnknownLabel",
     In::Body,
     "bra nowhere;",
     {"6:5: error: unknown label 'nowhere'"}},
    {"LabelOfAnotherScope",
     In::Body,
     "{ L: ret; }\nbra L;",
     {"7:5: error: unknown label 'L'"}},
    {"UnknownFunction",
     In::Body,
     "call f, (x);",
     {"6:6: error: unknown function 'f' (a function is declared before it is "
      "called)"}},
    {"FunctionOfLater",
     In::Body,
     "call later;\nret;\n}\n.func later {",
     {"6:6: error: unknown function 'later' (a function is declared before it "
      "is called)"}},
    {"LabelTwice",
     In::Body,
     "L:\nL: ret;",
     {"7:1: error: label 'L' is declared twice: first at line 6"}},
    {"RegisterTwice",
     In::Body,
     ".reg .f32 x;",
     {"6:11: error: 'x' is declared twice: first at line 5"}},
    {"RegisterOfRangeTwice",
     In::Body,
     ".reg .f32 %r3;",
     {"6:11: error: '%r3' is declared twice: first at line 5"}},
    {"RangeTwice",
     In::Body,
     ".reg .f32 %r<3>;",
     {"6:11: error: '%r<...>' is declared twice: first at line 5"}},
    {"RangeTooLarge",
     In::Body,
     ".reg .b32 y<4294967296>;",
     {"6:13: error: wanted a number of registers up to 2147483647, got "
      "'4294967296'"}},
    {"NoSemicolon",
     In::Body,
     "mov.u32 %r1, %r2\nmov.u32 %r2, %r3;",
     {"6:17: error: wanted ';' after the instruction, got 'mov'"}},
    {"NoComma",
     In::Body,
     "mov.u32 %r1 %r2;",
     {"6:13: error: wanted ',' or ';' after an operand, got '%r2'"}},
    {"NoOperand",
     In::Body,
     "mov.u32 %r1, ;",
     {"6:14: error: wanted an operand, got ';'"}},
    {"NoOpcode",
     In::Body,
     "@%q ;",
     {"6:5: error: wanted an instruction, got ';'"}},
    {"GuardIsNoPredicate",
     In::Body,
     "@%r1 ret;",
     {"6:2: error: '%r1' is no predicate"}},
    {"GuardUnknown",
     In::Body,
     "@%p1 ret;",
     {"6:2: error: unknown register '%p1'"}},
    {"TwoGuards",
     In::Body,
     "@%q @%q ret;",
     {"6:5: error: wanted an instruction, got '@'"}},
    {"Assignment",
     In::Body,
     "%r1 = 3;",
     {"6:5: error: wanted an operand, got '='"}},
    {"VectorNotClosed",
     In::Body,
     "st.global.v2.b32 [x], {%r1, %r2;",
     {"6:32: error: wanted '}' after the elements, got ';'"}},
    {"EmptyVector",
     In::Body,
     "st.global.v2.b32 [x], {};",
     {"6:24: error: wanted an operand, got '}'"}},
    {"AddressNotClosed",
     In::Body,
     "ld.global.b32 %r1, [x;",
     {"6:22: error: wanted ']' after the address, got ';'"}},
    {"AddressMinus",
     In::Body,
     "ld.global.b32 %r1, [x-4];",
     {"6:22: error: wanted ']' after the address, got '-'"}},
    {"AddressOfFloat",
     In::Body,
     "ld.global.b32 %r1, [1.5];",
     {"6:21: error: the address is no integer"}},
    {"OffsetOutside",
     In::Body,
     "mov.u32 %r1, %r2+4;",
     {"6:17: error: an offset after '%r2' outside of []"}},
    {"NoComponent",
     In::Body,
     "mov.u32 %r1, %r2.x;",
     {"6:17: error: '%r2' has no component '.x'"}},
    {"NoSuchComponent",
     In::Body,
     "mov.f32 v.x, v.z;",
     {"6:15: error: 'v' has no component '.z'"}},
    {"NoComponentOfSpecial",
     In::Body,
     "mov.u32 %r1, %tid.q;",
     {"6:18: error: '%tid' has no component '.q'"}},
    {"OctalDigit",
     In::Body,
     "mov.u32 %r1, 09;",
     {"6:14: error: '09' is no octal number"}},
    {"HexDigit",
     In::Body,
     "mov.u32 %r1, 0xG;",
     {"6:14: error: '0xG' is no hexadecimal number"}},
    {"BinaryDigit",
     In::Body,
     "mov.u32 %r1, 0b12;",
     {"6:14: error: '0b12' is no binary number"}},
    {"NumberWithTail",
     In::Body,
     "mov.u32 %r1, 12abc;",
     {"6:14: error: '12abc' is no number"}},
    {"NumberTooLarge",
     In::Body,
     "mov.u64 x, 99999999999999999999;",
     {"6:12: error: '99999999999999999999' does not fit 64 bits"}},
    {"FloatTooShort",
     In::Body,
     "mov.f32 %r1, 0f3F80000;",
     {"6:14: error: '0f3F80000' is no floating-point literal: wanted 8 "
      "hexadecimal digits after '0f'"}},
    {"FloatNoHex",
     In::Body,
     "mov.f64 %r1, 0d3FF00000000000G0;",
     {"6:14: error: '0d3FF00000000000G0' is no floating-point literal: wanted "
      "16 hexadecimal digits after '0d'"}},
    {"FloatTooLarge",
     In::Body,
     "mov.f64 %r1, 1e999;",
     {"6:14: error: '1e999' does not fit a double"}},
    {"FloatExpression",
     In::Body,
     "mov.f32 %r1, 1.5 % 2.0;",
     {"6:18: error: '%' between floating-point literals"}},
    {"SingleNegated",
     In::Body,
     "mov.f32 %r1, -0f3F800000;",
     {"6:15: error: '-' before a floating-point literal"}},
    {"TernaryWithoutElse",
     In::Body,
     "mov.u32 %r1, 1 ? 2;",
     {"6:19: error: wanted ':' after '?', got ';'"}},
    {"ParenthesisOpen",
     In::Body,
     "mov.u32 %r1, (1 + 2;",
     {"6:20: error: wanted ')' to close the expression, got ';'"}},
    {"CastOfFloat",
     In::Body,
     "mov.u64 x, (.s64)1.5;",
     {"6:18: error: a cast of a floating-point literal"}},
    {"TableOfNoLabel",
     In::Body,
     "T: .branchtargets A;",
     {"6:19: error: unknown label 'A'"}},
    {"TableOfTable",
     In::Body,
     "T: .branchtargets T;\nbrx.idx x, T;",
     {"6:19: error: 'T' is no label of an instruction"}},
    {"DirectiveInBody",
     In::Body,
     ".maxntid 3;",
     {"6:1: error: unknown directive '.maxntid'"}},
    {"PreprocessorLine",
     In::Body,
     "#define X 3",
     {"6:1: error: '#' has no meaning in PTX: wanted text that a preprocessor "
      "has been through"}},
    {"TwoErrors",
     In::Body,
     "mov.u32 %r1, %r77;\nmov.u32 %r1, %r78;\nadd.s32 %r1 %r1;\nmov.u32 %r1, "
     "%r79;",
     {"6:14: error: unknown register '%r77'",
      "7:14: error: unknown register '%r78'",
      "8:13: error: wanted ',' or ';' after an operand, got '%r1'",
      "9:14: error: unknown register '%r79'"}},
    {"VariableAfterLinkage",
     In::Body,
     ".extern ret;",
     {"6:9: error: wanted a state space such as .shared, got 'ret'"}},
    {"LocWithoutNumbers",
     In::Body,
     ".loc 1 2 x",
     {"6:10: error: wanted a file, a line and a column, got 'x'"}},
    {"SpecialUnknown",
     In::Body,
     "mov.u32 %r1, %envreg32;",
     {"6:14: error: unknown register '%envreg32'"}},
};

INSTANTIATE_TEST_SUITE_P(All, PtxMalformed, testing::ValuesIn(malformed),
                         [](const auto &info) {
                           return std::string(info.param.name);
                         });

TEST(PtxErrors, BytesThatAreNoText) {
  EXPECT_EQ(getErrors(std::string_view(".version 9.0\n\0", 14)),
            "k.ptx:2:1: error: this is no PTX text: it holds a NUL byte (a "
            "cubin's name ends in .cubin)");
  EXPECT_EQ(getErrors(header + ".global .u32 \xc3\xa4;"),
            "k.ptx:4:14: error: byte 0xc3 has no meaning in PTX outside "
            "comments");
  EXPECT_EQ(getErrors(header + ".global .u32 \x01;"),
            "k.ptx:4:14: error: byte 0x01 has no meaning in PTX outside "
            "comments");
  EXPECT_EQ(getErrors(header + "// \xc3\xa4\n"), "");
}

TEST(PtxErrors, AtMostTwenty) {
  std::string text = header + ".entry k {\n";
  for (int i = 0; i < 1000; ++i)
    text += "mov.u32 %a" + std::to_string(i) + ", 1;\n";
  try {
    parse(text + "}", "k.ptx");
    FAIL();
  } catch (const PtxError &error) {
    EXPECT_EQ(error.getDiagnostics().size(), 20u);
    EXPECT_EQ(error.getLines().size(), 20u);
    EXPECT_EQ(error.getLines()[19],
              "k.ptx:24:9: error: unknown register '%a19'");
    EXPECT_EQ(error.getKind(), fk::ErrorKind::BadInput);
  }
}

TEST(PtxErrors, MessagesCannotDriveATerminal) {
  std::string text = header + ".banana\x1b[31m";
  EXPECT_EQ(getErrors(text).find('\x1b'), std::string::npos);
  try {
    parse("x", "a\x1b\nb.ptx");
    FAIL();
  } catch (const PtxError &error) {
    EXPECT_EQ(std::string(error.what()).find_first_of("\x1b\n"),
              std::string::npos);
  }
}
