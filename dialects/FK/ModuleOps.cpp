//===- ModuleOps.cpp - Weights, states, candidates ------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace fk;

//===----------------------------------------------------------------------===//
// Types and attributes
//===----------------------------------------------------------------------===//

LogicalResult KVCacheType::verify(function_ref<InFlightDiagnostic()> emitError,
                                  int64_t pageSize, int64_t kvHeads,
                                  int64_t headDim, Type elementType) {
  if (pageSize <= 0 || kvHeads <= 0 || headDim <= 0)
    return emitError() << "kv_cache_c1: page_size, kv_heads and head_dim must "
                          "be positive, got "
                       << pageSize << " x " << kvHeads << " x " << headDim;
  if (!elementType.isBF16() && !elementType.isF16() && !elementType.isF32() &&
      !elementType.isF64())
    return emitError()
           << "kv_cache_c2: elements must be bf16, f16, f32 or f64, got "
           << elementType;
  return success();
}

namespace {

/// The settings a type of rotary table reads.
struct RopeRule {
  llvm::StringRef required; ///< comma-separated
  llvm::StringRef optional;
};

std::optional<RopeRule> getRopeRule(llvm::StringRef type) {
  return llvm::StringSwitch<std::optional<RopeRule>>(type)
      .Case("default", RopeRule{"theta", ""})
      .Case("linear", RopeRule{"theta,factor", ""})
      .Case("dynamic",
            RopeRule{"theta,factor,max_positions", "original_max_positions"})
      .Case("yarn",
            RopeRule{"theta,factor,original_max_positions,beta_fast,beta_slow",
                     "attention_factor,mscale,mscale_all_dim,truncate"})
      .Case("llama3", RopeRule{"theta,factor,original_max_positions,"
                               "low_freq_factor,high_freq_factor",
                               ""})
      .Case("longrope", RopeRule{"theta,original_max_positions,short_factor,"
                                 "long_factor",
                                 "factor,attention_factor"})
      .Default(std::nullopt);
}

bool lists(llvm::StringRef names, llvm::StringRef name) {
  llvm::SmallVector<llvm::StringRef> parts;
  names.split(parts, ',', -1, /*KeepEmpty=*/false);
  return llvm::is_contained(parts, name);
}

} // namespace

LogicalResult
RopeTableAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      StringRef type, int64_t rotaryDim,
                      DictionaryAttr settings) {
  std::optional<RopeRule> rule = getRopeRule(type);
  if (!rule)
    return emitError() << "rope_table_c1: type must be default, linear, "
                          "dynamic, yarn, llama3 or longrope, got \""
                       << type << "\"";
  if (rotaryDim <= 0 || rotaryDim % 2 != 0)
    return emitError()
           << "rope_table_c2: rotary_dim must be even and positive, got "
           << rotaryDim;
  llvm::SmallVector<llvm::StringRef> required;
  rule->required.split(required, ',', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef name : required)
    if (!settings.get(name))
      return emitError() << "rope_table_c3: type \"" << type
                         << "\" needs the setting '" << name << "'";
  for (NamedAttribute setting : settings) {
    llvm::StringRef name = setting.getName().strref();
    Attribute value = setting.getValue();
    // `max_positions` is the config's, kept for every type.
    if (!lists(rule->required, name) && !lists(rule->optional, name) &&
        name != "max_positions")
      return emitError() << "rope_table_c3: type \"" << type
                         << "\" has no setting '" << name << "'";
    if (name == "short_factor" || name == "long_factor") {
      auto factors = dyn_cast<DenseF64ArrayAttr>(value);
      if (!factors || factors.size() != rotaryDim / 2)
        return emitError() << "rope_table_c4: " << name
                           << " must be array<f64: ...> of rotary_dim / 2 = "
                           << rotaryDim / 2 << " numbers, got " << value;
      continue;
    }
    if (name == "truncate"
            ? !isa<BoolAttr>(value)
            : !isa<FloatAttr>(value) &&
                  (!isa<IntegerAttr>(value) || isa<BoolAttr>(value)))
      return emitError() << "rope_table_c4: " << name << " must be a "
                         << (name == "truncate" ? "bool" : "number") << ", got "
                         << value;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  auto tensor = dyn_cast<RankedTensorType>(getType());
  if (!tensor || tensor.getRank() == 0)
    return emitOpError()
           << "weight_c1: type must be a ranked tensor of at least one "
              "dimension, got "
           << getType();
  if (bool(getParts()) == bool(getRopeTable()))
    return emitOpError()
           << "weight_c2: wants either parts or a rope table, got "
           << (getParts() ? "both" : "neither");
  if (std::optional<RopeTableAttr> table = getRopeTable()) {
    auto wanted =
        RankedTensorType::get({ShapedType::kDynamic, table->getRotaryDim()},
                              Float32Type::get(getContext()));
    if (tensor != wanted)
      return emitOpError() << "weight_c3: a rope table must be " << wanted
                           << ", got " << tensor;
    return success();
  }
  if (!tensor.hasStaticShape())
    return emitOpError() << "weight_c4: extents must be static, got " << tensor;
  ArrayAttr parts = *getParts();
  if (parts.empty())
    return emitOpError() << "weight_c5: wants at least one #fk.part";
  int64_t rows = 0;
  bool known = true;
  for (Attribute attr : parts) {
    auto part = dyn_cast<PartAttr>(attr);
    if (!part || part.getTensor().empty() || part.getBegin() < 0 ||
        (part.getEnd() != -1 && part.getEnd() <= part.getBegin()))
      return emitOpError()
             << "weight_c5: a part must be #fk.part<\"tensor\"> or "
                "#fk.part<\"tensor\", begin to end> with 0 <= begin < end, got "
             << attr;
    if (part.getEnd() == -1)
      known = false;
    else
      rows += part.getEnd() - part.getBegin();
  }
  int64_t wanted = tensor.getDimSize(0);
  if (known ? rows != wanted : rows >= wanted)
    return emitOpError() << "weight_c6: the parts must have " << wanted
                         << " rows together, as " << tensor << " has, got "
                         << rows
                         << (known ? "" : " before the open-ended ones");
  return success();
}

namespace {

/// The declaration a get_weight or get_state names, or null with a diagnostic.
template <typename DeclT>
DeclT lookupDeclaration(Operation *user, FlatSymbolRefAttr symbol,
                        SymbolTableCollection &tables, StringRef what) {
  auto decl = tables.lookupNearestSymbolFrom<DeclT>(user, symbol);
  if (!decl)
    user->emitOpError() << "get_" << what << "_c1: " << symbol
                        << " must name an fk." << what << " of the module";
  return decl;
}

} // namespace

LogicalResult
GetWeightOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto decl = lookupDeclaration<WeightOp>(*this, getWeightAttr(), symbolTable,
                                          "weight");
  if (!decl)
    return failure();
  if (decl.getType() == getType())
    return success();
  auto diagnostic = emitOpError() << "get_weight_c2: type must be the declared "
                                  << decl.getType() << ", got " << getType();
  diagnostic.attachNote(decl.getLoc()) << "declared here";
  return diagnostic;
}

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

LogicalResult StateOp::verify() {
  if (!isa<KVCacheType>(getType()))
    return emitOpError() << "state_c1: type must be !fk.kv_cache, got "
                         << getType();
  return success();
}

LogicalResult GetStateOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto decl =
      lookupDeclaration<StateOp>(*this, getStateAttr(), symbolTable, "state");
  if (!decl)
    return failure();
  if (decl.getType() == getResult().getType())
    return success();
  auto diagnostic = emitOpError()
                    << "get_state_c2: type must be the declared "
                    << decl.getType() << ", got " << getResult().getType();
  diagnostic.attachNote(decl.getLoc()) << "declared here";
  return diagnostic;
}

//===----------------------------------------------------------------------===//
// Candidates
//===----------------------------------------------------------------------===//

LogicalResult CandidateOp::verify() {
  if (getTask().empty())
    return emitOpError() << "candidate_c1: wants the name of a task";
  auto isHex = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  };
  if (getSha256().size() != 64 || !llvm::all_of(getSha256(), isHex))
    return emitOpError() << "candidate_c2: sha256 must be 64 lower-case "
                            "hexadecimal digits, got \""
                         << getSha256() << "\"";
  return success();
}
