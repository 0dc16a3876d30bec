//===- Expr.h - Integer expressions over the axes of a task ----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One small language says grids, workspaces, buffer sizes and which shapes a
// kernel serves:
//
//   value     := sum of products of atoms, with + - * / % and parentheses
//   atom      := integer | axis | - atom | ceildiv(v, v) | min(v, v) | max(v, v)
//   condition := value (== != < <= > >=) value, joined by && and || and ()
//
// Arithmetic is in 64 bits; `/` rounds down; overflow and division by zero are
// errors, never wrapped results.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_SUPPORT_EXPR_H
#define FK_RUNTIME_SUPPORT_EXPR_H

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fk {

/// What the axes are worth: {"tokens", 7}, {"hidden", 4096}.
using AxisValues = std::map<std::string, int64_t, std::less<>>;

struct ExprNode;
enum class ExprOp;

/// A parsed expression; cheap to copy, immutable.
class Expr {
public:
  Expr() = default;
  /*implicit*/ Expr(int64_t constant);

  /// One axis, by its name.
  static Expr axis(std::string_view name);
  /// A node with its constants folded, in canonical form; a fold that would
  /// overflow or divide by zero is left for evaluate() to report.
  static Expr binary(ExprOp op, Expr lhs, Expr rhs);

  /// Parses a value, or throws Error naming the column. `where` goes into the
  /// message ("grid of cand.ptx").
  static Expr parse(std::string_view text, std::string_view where);
  /// Parses a condition (the `where` of a kernel).
  static Expr parseCondition(std::string_view text, std::string_view where);

  explicit operator bool() const { return node != nullptr; }

  /// Throws Error for an unknown axis, overflow or division by zero.
  int64_t evaluate(const AxisValues &axes) const;
  /// Whether a condition holds; an empty one always does.
  bool holds(const AxisValues &axes) const {
    return !node || evaluate(axes) != 0;
  }

  /// The axes it speaks of, sorted, each once.
  std::vector<std::string> getAxes() const;

  /// Replaces every axis by what `map` says of it; an axis that `map` does not
  /// know (it returns an empty Expr) stays.
  Expr substitute(const std::function<Expr(std::string_view)> &map) const;

  /// The canonical text; parse(str()) gives an equal expression. Constants are
  /// folded and stand to the right of an axis: "tokens * 4", "seqs + 1".
  std::string str() const;

  const ExprNode *getNode() const { return node.get(); }

private:
  std::shared_ptr<const ExprNode> node;
  friend struct ExprNode;
};

enum class ExprOp {
  Constant, Axis,
  Add, Sub, Mul, FloorDiv, Mod, CeilDiv, Min, Max,
  Eq, Ne, Lt, Le, Gt, Ge, And, Or,
};

/// One node of the tree, open to those that translate it (the compiler turns
/// it into an AffineExpr).
struct ExprNode {
  ExprOp op;
  int64_t constant = 0;    ///< Constant
  std::string axis;        ///< Axis
  Expr lhs, rhs;           ///< everything else
};

} // namespace fk

#endif // FK_RUNTIME_SUPPORT_EXPR_H
