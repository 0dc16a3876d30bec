//===- Parser.h - PTX text to a module -------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A parser by recursive descent. A member that parses returns false after a
// syntax error, which it has reported; statements then go on after the next
// `;`. An error of names or sizes is reported and parsing goes on as if it were
// right.
//
// Nothing recurses with the text but operands and constant expressions, which
// have a greatest depth; scopes are a stack. Time is linear in the text.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_PARSER_H
#define FK_RUNTIME_EMULATOR_PARSER_H

#include "runtime/emulator/Lexer.h"

#include <deque>
#include <unordered_map>

namespace fk::ptx {

// What no text of a compiler reaches: these keep a hostile one from using up
// memory or the stack.
constexpr unsigned maxDepth = 64;         ///< of an operand or expression
constexpr size_t maxScopes = 200;         ///< `{` inside `{`
constexpr size_t maxParams = 1024;        ///< of a function
constexpr uint64_t maxParamBytes = 65536; ///< of one parameter
constexpr uint64_t maxVariableBytes = uint64_t(1) << 40;
constexpr uint64_t maxInitBytes = uint64_t(1) << 26; ///< of a whole module
constexpr uint64_t maxRangeVariables = 65536; ///< `x<N>` of a whole module
constexpr size_t maxTextBytes = size_t(1) << 30;

/// The value of a constant expression.
struct Constant {
  enum class Kind : uint8_t { Signed, Unsigned, Double, Single };
  Kind kind = Kind::Signed;
  uint64_t bits = 0;

  bool isInteger() const {
    return kind == Kind::Signed || kind == Kind::Unsigned;
  }
  double toDouble() const;
  bool isTrue() const { return isInteger() ? bits != 0 : toDouble() != 0; }
};

class Parser {
public:
  Parser(std::string_view text, std::string_view file)
      : lexer(text, diagnostics), file(file) {
    module.file = file;
    current = lexer.next();
    following = lexer.next();
  }

  /// Throws PtxError.
  Module parse();

private:
  //===--- Tokens (Parser.cpp) --------------------------------------------===//

  Token take();
  bool accept(char c);
  bool accept(std::string_view dotted);
  /// After `what`, for the message: "after the operands".
  bool expect(char c, std::string_view context);
  bool expectSemicolon(std::string_view context);
  bool expectWord(std::string_view &word, std::string_view wanted);
  /// An integer literal up to `most`.
  bool expectNumber(uint64_t &value, uint64_t most, std::string_view wanted);
  static std::string describe(const Token &token);
  bool error(Location location, std::string message) {
    return diagnostics.error(location, std::move(message));
  }
  bool isAtEnd() const {
    return current.kind == TokenKind::End || isFatal || diagnostics.isFull();
  }
  /// Behind the `;` of the statement that failed, or at a `}` or the end.
  void recover();

  //===--- Modules (Parser.cpp) -------------------------------------------===//

  struct Linkage {
    bool isExtern = false, isVisible = false, isWeak = false, isCommon = false;
  };
  bool parseHeader();
  bool parseVersion();
  bool parseTarget();
  bool parseAddressSize();
  bool parseModuleStatement();
  bool parseLinkage(Linkage &linkage);
  bool parseFile();
  bool parseLoc();
  bool parsePragma();
  bool parseSection();
  bool parseAlias();
  void resolveAliases();

  //===--- Names (ParserNames.cpp) ----------------------------------------===//

  struct Symbol {
    enum class Kind : uint8_t {
      Register,
      Variable,
      Param,
      ReturnParam,
      Global,
      Function
    };
    Kind kind = Kind::Register;
    uint8_t lanes = 1;  ///< of a vector register: consecutive indices
    uint16_t depth = 0; ///< of the scope: 0 for the module
    uint32_t index = 0;
    uint32_t epoch = 0; ///< of the ranges when it was last looked up
    Location location;
  };
  /// `%r<100>`
  struct Range {
    uint64_t count = 0;
    Type type = Type::None;
    uint8_t lanes = 1;
    uint16_t depth = 0;
    Location location;
  };
  struct LabelSymbol {
    Operand::Kind kind = Operand::Kind::Label;
    uint32_t index = 0;
    Location location;
  };
  /// A name that no declaration so far explains: a label of this scope or of
  /// one around it, perhaps further down.
  struct LabelUse {
    std::string_view name;
    std::string_view wanted; ///< "label", "name"
    Location location;
    Operand::Kind kind = Operand::Kind::Sink; ///< found: what it is
    uint32_t index = 0;
  };
  struct Scope {
    /// What the names meant outside, to be restored.
    std::vector<std::pair<std::string_view, std::optional<Symbol>>> shadowed;
    std::vector<std::string_view> ranges;
    std::unordered_map<std::string_view, LabelSymbol> labels;
    std::vector<uint32_t> uses; ///< indices of labelUses
    Location location;
  };

  void openScope(Location location);
  void closeScope();
  /// nullptr where nothing of the name is visible. Valid until the next call.
  const Symbol *lookup(std::string_view name);
  const Symbol *lookupRange(std::string_view name, const Symbol *direct);
  void bind(std::string_view name, Symbol symbol);
  /// Reports a name that its scope already has.
  bool declare(std::string_view name, Symbol symbol);
  uint32_t addRegisters(std::string_view name, Type type, uint8_t lanes,
                        Location location);
  void declareLabel(std::string_view name, LabelSymbol label);
  uint32_t useLabel(std::string_view name, std::string_view wanted,
                    Location location);
  /// Puts the instruction indices where labels were used.
  void resolveLabels();
  void resolveLabels(Operand &operand);

  //===--- Declarations (ParserDeclarations.cpp)
  //---------------------------===//

  struct Shape {
    uint8_t lanes = 1;
    std::vector<uint64_t> extents; ///< outermost first; UINT64_MAX: []
  };
  /// `.align 16 .v4 .f32`, `.attribute(...)`, and `.ptr` where `variable` is a
  /// parameter.
  bool parseDeclaration(Variable &variable, Shape &shape);
  bool parseAttribute();
  bool parseExtents(Shape &shape);
  bool parseRegisters();
  bool parseVariables(StateSpace space, const Linkage &linkage);
  bool parseVariable(Variable variable, Shape shape, const Linkage &linkage);
  bool setSize(Variable &variable, const Shape &shape, Location location);
  void declareVariable(Variable variable, std::string_view name,
                       const Linkage &linkage);
  bool parseInit(Variable &variable, Shape &shape);
  bool parseInitElement(Variable &variable, uint64_t offset);
  bool parseInitSymbol(Variable &variable, uint64_t offset);
  bool parseInitMask(Variable &variable, uint64_t offset);
  bool parseSymbolValue(Variable::Relocation &relocation);
  bool growInit(Variable &variable, uint64_t offset, uint64_t bytes,
                Location location);
  void finishInit(Variable &variable);
  bool parseSamplerInit();
  void storeInit(Variable &variable, uint64_t offset, const Constant &value,
                 Location location);

  //===--- Functions (ParserFunctions.cpp)
  //---------------------------------===//

  bool parseFunction(bool isEntry, const Linkage &linkage);
  bool parseFunctionInScope();
  void skipFunction();
  void registerFunction(std::string_view name);
  bool parseParams(std::vector<Variable> &params,
                   std::vector<uint32_t> *registers, Symbol::Kind kind);
  bool parseFunctionDirectives();
  bool parseExtentList(std::array<uint32_t, 3> &extents,
                       std::string_view directive);
  bool parseBody();
  bool startsFunction() const;
  bool parseStatement();
  bool parseBodyDirective();
  bool parseLabel();
  bool parseLabelDirective(std::string_view name, LabelSymbol label);
  bool parsePrototype(Function::Prototype &prototype);

  //===--- Instructions (ParserOperands.cpp)
  //-------------------------------===//

  bool parseInstruction();
  bool parseGuard(Instruction &instruction);
  bool parseOperand(Operand &operand, unsigned depth);
  bool parseNamedOperand(Operand &operand, bool isAddress);
  bool parseConstantOperand(Operand &operand);
  bool parseOperandList(Operand &operand, char close, unsigned depth);
  bool parseAddress(Operand &operand, unsigned depth);
  bool parseIndex(Operand &operand);
  void resolveName(Operand &operand, std::string_view name);
  void setSymbol(Operand &operand, const Symbol &symbol);
  bool startsConstant() const;

  //===--- Constant expressions (ParserConstants.cpp)
  //-----------------------===//

  bool parseConstant(Constant &value, unsigned depth = 0);
  bool parseBinary(Constant &left, int precedence, unsigned depth);
  bool parseUnary(Constant &value, unsigned depth);
  bool parsePrimary(Constant &value, unsigned depth);
  bool apply(const Token &op, Constant &left, Constant right);
  /// An expression of integers.
  bool parseInteger(int64_t &value);

  Diagnostics diagnostics;
  Lexer lexer;
  std::string_view file;
  Token current, following;
  Location previousEnd; ///< behind the token taken last
  Module module;
  uint64_t initBytes = 0, rangeVariables = 0;
  std::deque<std::string> rangeNames; ///< keys of `names` that no text holds
  struct Alias {
    uint32_t alias, target;
  };
  std::vector<Alias> aliases;

  std::unordered_map<std::string_view, Symbol> names;
  std::unordered_map<std::string_view, std::vector<Range>> ranges;
  uint32_t rangeEpoch = 1;
  std::vector<Scope> scopes; ///< of the function
  std::vector<LabelUse> labelUses;
  Function function;                   ///< the one being parsed
  uint32_t functionIndex = UINT32_MAX; ///< of its place; none: it has no place
  std::string_view opcode;             ///< of the instruction being parsed
  std::string_view wantedName; ///< what a name that nothing explains should be
  bool isCall = false, isBranchTarget = false;
  bool isFatal = false;    ///< nothing after it is worth reading
  unsigned openBraces = 0; ///< of vectors and initialisers, for recover()
};

} // namespace fk::ptx

#endif // FK_RUNTIME_EMULATOR_PARSER_H
