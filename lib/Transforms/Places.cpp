//===- Places.cpp - Module paths of ops -----------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Transforms/Places.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

std::string fk::joinPlaces(StringRef prefix, StringRef rest) {
  if (prefix.empty() || rest.empty())
    return (prefix + rest).str();
  return (prefix + "." + rest).str();
}

std::string fk::getPlace(Location loc) {
  return TypeSwitch<LocationAttr, std::string>(loc)
      .Case([](NameLoc name) {
        return joinPlaces(name.getName(), getPlace(name.getChildLoc()));
      })
      .Case([](CallSiteLoc site) {
        return joinPlaces(getPlace(site.getCaller()),
                          getPlace(site.getCallee()));
      })
      .Case([](FusedLoc fused) {
        for (Location part : llvm::reverse(fused.getLocations()))
          if (std::string place = getPlace(part); !place.empty())
            return place;
        return std::string();
      })
      .Default([](LocationAttr) { return std::string(); });
}

Location fk::renamePlace(Location loc, StringRef last) {
  MLIRContext *context = loc->getContext();
  if (auto site = dyn_cast<CallSiteLoc>(loc)) {
    if (getPlace(site.getCallee()).empty())
      return CallSiteLoc::get(site.getCallee(),
                              renamePlace(site.getCaller(), last));
    return CallSiteLoc::get(renamePlace(site.getCallee(), last),
                            site.getCaller());
  }
  std::string place = getPlace(loc);
  if (place.empty())
    return loc;
  size_t dot = place.rfind('.');
  place = joinPlaces(
      dot == std::string::npos ? StringRef() : StringRef(place).take_front(dot),
      last);
  return NameLoc::get(StringAttr::get(context, place));
}

namespace {
/// The places of the calls of one function after the other.
class Prefixes {
public:
  explicit Prefixes(ModuleOp module) {
    module.walk(
        [&](func::CallOp call) { callers[call.getCallee()].push_back(call); });
  }

  std::vector<std::string> get(func::FuncOp func) {
    auto found = known.find(func.getSymName());
    if (found != known.end())
      return found->second;
    // Guards against recursion: a function being worked on has no prefix yet.
    known[func.getSymName()] = {};
    std::vector<std::string> places;
    llvm::StringSet<> seen;
    auto add = [&](const std::string &place) {
      if (seen.insert(place).second)
        places.push_back(place);
    };
    if (func.isPublic())
      add("");
    for (func::CallOp call : callers[func.getSymName()])
      for (const std::string &outer :
           get(call->getParentOfType<func::FuncOp>()))
        add(fk::joinPlaces(outer, fk::getPlace(call.getLoc())));
    if (places.empty())
      places.push_back("");
    known[func.getSymName()] = places;
    return places;
  }

private:
  llvm::MapVector<StringRef, std::vector<func::CallOp>> callers;
  llvm::MapVector<StringRef, std::vector<std::string>> known;
};
} // namespace

fk::PlaceMap::PlaceMap(ModuleOp module) {
  Prefixes all(module);
  for (auto func : module.getOps<func::FuncOp>())
    prefixes[func.getSymName()] = all.get(func);
}

SmallVector<std::string> fk::PlaceMap::getPlaces(Operation *op) const {
  std::string place = getPlace(op->getLoc());
  auto func = op->getParentOfType<func::FuncOp>();
  auto found = func ? prefixes.find(func.getSymName()) : prefixes.end();
  if (found == prefixes.end())
    return {place};
  SmallVector<std::string> places;
  for (const std::string &prefix : found->second)
    places.push_back(joinPlaces(prefix, place));
  return places;
}

std::string fk::PlaceMap::describe(Operation *op) const {
  SmallVector<std::string> places = getPlaces(op);
  SmallVector<StringRef> common;
  StringRef(places.front()).split(common, '.');
  for (StringRef place : ArrayRef(places).drop_front()) {
    SmallVector<StringRef> components;
    place.split(components, '.');
    if (components.size() != common.size())
      return places.front() + " and " + std::to_string(places.size() - 1) +
             " more";
    for (auto [kept, component] : llvm::zip_equal(common, components))
      if (kept != component)
        kept = "*";
  }
  return llvm::join(common, ".");
}

std::string fk::describePlace(Operation *op) {
  auto module = op->getParentOfType<ModuleOp>();
  std::string place =
      module ? PlaceMap(module).describe(op) : getPlace(op->getLoc());
  if (!place.empty())
    return place;
  auto func = op->getParentOfType<func::FuncOp>();
  return func ? ("@" + func.getSymName()).str() : std::string();
}
