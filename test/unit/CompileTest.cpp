//===- CompileTest.cpp - From a module to a plan --------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Lowering/Compile.h"
#include "fk/Transforms/Places.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/STLExtras.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace fk;

namespace {

/// Two layers that differ in their weights only, and a head.
constexpr const char *model = R"mlir(
module @tiny attributes {fk.model = {architecture = "Tiny", family = "llm", vocab_size = 32 : i64,
    max_positions = 512 : i64, pad_token_id = -1 : i64, eos_token_ids = [2, 3], page_size = 16 : i64}} {
  fk.weight @l0.norm [#fk.part<"l0.norm">] : tensor<64xbf16>
  fk.weight @l0.gate [#fk.part<"l0.gate">] : tensor<96x64xbf16>
  fk.weight @l0.up [#fk.part<"l0.up">] : tensor<96x64xbf16>
  fk.weight @l0.down [#fk.part<"l0.down">] : tensor<64x96xbf16>
  fk.weight @l1.norm [#fk.part<"l1.norm">] : tensor<64xbf16>
  fk.weight @l1.gate [#fk.part<"l1.gate">] : tensor<96x64xbf16>
  fk.weight @l1.up [#fk.part<"l1.up">] : tensor<96x64xbf16>
  fk.weight @l1.down [#fk.part<"l1.down">] : tensor<64x96xbf16>
  fk.weight @norm [#fk.part<"norm">] : tensor<64xbf16>
  func.func private @mlp(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %g: tensor<96x64xbf16>,
      %u: tensor<96x64xbf16>, %d: tensor<64x96xbf16>) -> tensor<?x64xbf16>
      attributes {fk.task = #fk.task<"mlp", L3>} {
    %0 = fk.linear %x, %g : (tensor<?x64xbf16>, tensor<96x64xbf16>) -> tensor<?x96xbf16> loc("gate_proj")
    %1 = fk.silu %0 : (tensor<?x96xbf16>) -> tensor<?x96xbf16> loc("act_fn")
    %2 = fk.linear %x, %u : (tensor<?x64xbf16>, tensor<96x64xbf16>) -> tensor<?x96xbf16> loc("up_proj")
    %3 = fk.mul %1, %2 : (tensor<?x96xbf16>, tensor<?x96xbf16>) -> tensor<?x96xbf16> loc("mul")
    %4 = fk.linear %3, %d : (tensor<?x96xbf16>, tensor<64x96xbf16>) -> tensor<?x64xbf16> loc("down_proj")
    return %4 : tensor<?x64xbf16>
  }
  func.func private @layer(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %n: tensor<64xbf16>,
      %g: tensor<96x64xbf16>, %u: tensor<96x64xbf16>, %d: tensor<64x96xbf16>) -> tensor<?x64xbf16>
      attributes {fk.task = #fk.task<"decoder_layer", L3>} {
    %0 = fk.rms_norm %x, %n {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16> loc("norm")
    %1 = call @mlp(%0, %g, %u, %d) : (tensor<?x64xbf16>, tensor<96x64xbf16>, tensor<96x64xbf16>, tensor<64x96xbf16>) -> tensor<?x64xbf16> loc("mlp")
    %2 = fk.add %0, %1 : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16> loc("residual")
    return %2 : tensor<?x64xbf16>
  }
  func.func @forward(%x: tensor<?x64xbf16> {fk.dims = ["tokens"], fk.name = "hidden",
      fk.role = {kind = "packed", from = "hidden"}}) -> (tensor<?x64xbf16> {fk.name = "out",
      fk.dims = ["tokens"], fk.role = {kind = "rows"}}) attributes {fk.task = #fk.task<"tiny", L4>} {
    %n0 = fk.get_weight @l0.norm : tensor<64xbf16>
    %g0 = fk.get_weight @l0.gate : tensor<96x64xbf16>
    %u0 = fk.get_weight @l0.up : tensor<96x64xbf16>
    %d0 = fk.get_weight @l0.down : tensor<64x96xbf16>
    %0 = call @layer(%x, %n0, %g0, %u0, %d0) : (tensor<?x64xbf16>, tensor<64xbf16>, tensor<96x64xbf16>, tensor<96x64xbf16>, tensor<64x96xbf16>) -> tensor<?x64xbf16> loc("layers.0")
    %n1 = fk.get_weight @l1.norm : tensor<64xbf16>
    %g1 = fk.get_weight @l1.gate : tensor<96x64xbf16>
    %u1 = fk.get_weight @l1.up : tensor<96x64xbf16>
    %d1 = fk.get_weight @l1.down : tensor<64x96xbf16>
    %1 = call @layer(%0, %n1, %g1, %u1, %d1) : (tensor<?x64xbf16>, tensor<64xbf16>, tensor<96x64xbf16>, tensor<96x64xbf16>, tensor<64x96xbf16>) -> tensor<?x64xbf16> loc("layers.1")
    %n = fk.get_weight @norm : tensor<64xbf16>
    %2 = fk.rms_norm %1, %n {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16> loc("norm")
    return %2 : tensor<?x64xbf16>
  }
}
)mlir";

class CompileTest : public ::testing::Test {
protected:
  CompileTest() {
    DialectRegistry registry;
    registerCompileDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  OwningOpRef<ModuleOp> parse(const char *text = model) {
    auto module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module);
    return module;
  }

  Plan compile(const CompileOptions &options) {
    auto module = parse();
    FailureOr<Plan> plan = compileToPlan(*module, options);
    EXPECT_TRUE(succeeded(plan));
    return succeeded(plan) ? std::move(*plan) : Plan();
  }

  MLIRContext context;
};

/// The tasks a function launches, in order.
std::vector<std::string> getTasks(const PlanFunction *function) {
  std::vector<std::string> tasks;
  for (const PlanStep &step : function->steps)
    if (auto *launch = std::get_if<Launch>(&step.action))
      tasks.push_back(launch->task);
    else
      tasks.push_back("@" + std::get<Call>(step.action).callee);
  return tasks;
}

TEST_F(CompileTest, LayersAreCompiledOnceAndSumsMoveAcrossThem) {
  Plan plan = compile({});
  ASSERT_EQ(plan.functions.size(), 3u);
  EXPECT_EQ(getTasks(plan.findFunction("layer")),
            (std::vector<std::string>{"rms_norm", "gate_up_linear",
                                      "silu_and_mul", "linear"}));
  EXPECT_EQ(getTasks(plan.findFunction("layer.residual")),
            (std::vector<std::string>{"add_rms_norm", "gate_up_linear",
                                      "silu_and_mul", "linear"}));
  EXPECT_EQ(
      getTasks(plan.findFunction("forward")),
      (std::vector<std::string>{"@layer", "@layer.residual", "add_rms_norm"}));
  EXPECT_EQ(plan.findFunction("layer")->level, "L3");
  EXPECT_EQ(plan.findFunction("layer")->steps[1].place, "mlp.gate_up_proj");
  EXPECT_EQ(plan.findFunction("forward")->steps[1].place, "layers.1");
}

TEST_F(CompileTest, WithoutFusionEveryTaskIsALaunch) {
  CompileOptions options;
  options.fuse = false;
  options.keepLayers = false;
  Plan plan = compile(options);
  ASSERT_EQ(plan.functions.size(), 1u);
  EXPECT_EQ(plan.functions[0].steps.size(), 15u);
  EXPECT_EQ(plan.functions[0].steps[1].place, "layers.0.mlp.gate_proj");
}

TEST_F(CompileTest, ModelWeightsAndSymbolsArriveInThePlan) {
  CompileOptions options;
  options.device = "cuda";
  Plan plan = compile(options);
  EXPECT_EQ(plan.device, "cuda");
  EXPECT_EQ(plan.arch, "sm_90a");
  EXPECT_EQ(plan.dtype, DType::BF16);
  EXPECT_EQ(plan.model.architecture, "Tiny");
  EXPECT_EQ(plan.model.eosTokenIds, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(plan.symbols, std::vector<std::string>{"tokens"});
  auto joined = llvm::find_if(plan.weights, [](const PlanWeight &weight) {
    return weight.name == "l0.gate+up";
  });
  ASSERT_NE(joined, plan.weights.end());
  ASSERT_EQ(joined->parts.size(), 2u);
  EXPECT_EQ(joined->parts[1].tensor, "l0.up");
  const PlanFunction *forward = plan.findFunction("forward");
  EXPECT_EQ(forward->values[forward->params[0]].role.kind, "packed");
  EXPECT_EQ(forward->values[forward->results[0]].name, "out");
  // Prefill and decode differ by the condition of a kernel.
  const auto &launch =
      std::get<Launch>(plan.findFunction("layer")->steps[1].action);
  ASSERT_GE(launch.kernels.size(), 2u);
  EXPECT_TRUE(launch.kernels.front().where);
  EXPECT_FALSE(launch.kernels.back().where);
}

TEST_F(CompileTest, ReuseOfBuffersSavesSlots) {
  CompileOptions options;
  options.fuse = false;
  Plan shared = compile(options);
  options.reuseBuffers = false;
  Plan separate = compile(options);
  // norm, gate, act, up, mul, down; the sum is the result.
  EXPECT_EQ(separate.findFunction("layer")->slots.size(), 6u);
  EXPECT_EQ(shared.findFunction("layer")->slots.size(), 4u);
}

TEST_F(CompileTest, RemarksBecomeNotes) {
  Plan plan = compile({});
  std::vector<std::string> places;
  for (const Plan::Note &note : plan.notes)
    if (note.pass == "fk-fuse" && note.name == "silu_and_mul" && !note.missed)
      places.push_back(note.place);
  // The first layer is a function of its own.
  EXPECT_EQ(places, (std::vector<std::string>{"layers.0.mlp.act_fn",
                                              "layers.1.mlp.act_fn"}));
}

TEST_F(CompileTest, APlanSurvivesItsJson) {
  Plan plan = compile({});
  std::string json = plan.toJson();
  EXPECT_EQ(Plan::fromJson(json, "test").toJson(), json);
}

TEST_F(CompileTest, PlacesFollowTheCalls) {
  auto module = parse();
  PlaceMap places(*module);
  Operation *gate = nullptr;
  module->walk([&](Operation *op) {
    if (getPlace(op->getLoc()) == "gate_proj")
      gate = op;
  });
  ASSERT_TRUE(gate);
  EXPECT_EQ(places.getPlaces(gate),
            (SmallVector<std::string>{"layers.0.mlp.gate_proj",
                                      "layers.1.mlp.gate_proj"}));
  EXPECT_EQ(places.describe(gate), "layers.*.mlp.gate_proj");
}

TEST_F(CompileTest, LocationsNamePlaces) {
  auto name = [&](const char *text) -> Location {
    return NameLoc::get(StringAttr::get(&context, text));
  };
  Location unknown = UnknownLoc::get(&context);
  EXPECT_EQ(getPlace(unknown), "");
  Location site = CallSiteLoc::get(name("q_proj"), name("self_attn"));
  EXPECT_EQ(getPlace(site), "self_attn.q_proj");
  EXPECT_EQ(getPlace(renamePlace(site, "qkv_proj")), "self_attn.qkv_proj");
  EXPECT_EQ(getPlace(renamePlace(name("a.b.c"), "d")), "a.b.d");
  EXPECT_EQ(getPlace(FusedLoc::get(&context, {name("a"), name("b")})), "b");
  EXPECT_EQ(getPlace(CallSiteLoc::get(unknown, name("mlp"))), "mlp");
}

} // namespace
