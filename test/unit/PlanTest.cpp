//===- PlanTest.cpp - Plans that hold together, and others ----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ExpectError.h"
#include "TempFolder.h"

#include "runtime/Plan.h"
#include "runtime/support/Json.h"
#include "runtime/support/Safetensors.h"

#include <cstring>
#include <random>

using namespace fk;
using nlohmann::json;
namespace fs = std::filesystem;

/// The example of docs/plan.md, which has one of everything.
static const std::string &getExample() {
  static const std::string example = [] {
    std::string page = readTextFile(FK_SOURCE_DIR "/docs/plan.md");
    size_t begin = page.find("```json\n") + 8;
    return page.substr(begin, page.find("```", begin) - begin);
  }();
  return example;
}

/// The example as a plan that can be saved.
static Plan makePlan() {
  Plan plan = Plan::fromJson(getExample(), "docs/plan.md");
  plan.images["image.0"].bytes.assign(300, std::byte{'p'});
  return plan;
}

//===----------------------------------------------------------------------===//
// Round trips
//===----------------------------------------------------------------------===//

TEST(Plans, TheDocumentedExampleIsRead) {
  Plan plan = makePlan();
  EXPECT_EQ(plan.model.architecture, "ExampleModel");
  EXPECT_EQ(plan.model.padTokenId, -1);
  EXPECT_EQ(plan.model.eosTokenIds, std::vector<int64_t>{2});
  EXPECT_EQ(plan.weights[0].parts[0].begin, 8);
  EXPECT_EQ(plan.weights[1].ropeTable->factor, 2);
  EXPECT_FALSE(plan.weights[1].ropeTable->dependsOnLength());
  EXPECT_EQ(plan.states[0].shape[1].str(), "pages");
  ASSERT_NE(plan.findFunction("forward"), nullptr);
  EXPECT_EQ(plan.findFunction("backward"), nullptr);
  const PlanFunction &block = *plan.findFunction("norm_block");
  const auto &launch = std::get<Launch>(block.steps[0].action);
  EXPECT_EQ(launch.scalars[0].value, 1e-5f);
  EXPECT_TRUE(launch.kernels[0].where.holds({{"hidden", 8}}));
  EXPECT_FALSE(launch.kernels[1].where);
  const PlanFunction &forward = *plan.findFunction("forward");
  EXPECT_EQ(std::get<Call>(forward.steps[0].action).callee, "norm_block");
  EXPECT_EQ(forward.values[5].base, 4);
  const auto &declared = plan.candidates[0].variants[0].launches[0];
  EXPECT_EQ(declared.sharedBytes.evaluate({{"hidden", 8}}), 32);
  EXPECT_EQ(declared.grid[1].evaluate({}), 1);
  EXPECT_TRUE(plan.notes[0].missed);
}

TEST(Plans, JsonIsTheSameAfterOneRound) {
  std::string text = makePlan().toJson();
  EXPECT_EQ(json::parse(text), json::parse(Plan::fromJson(text, "t").toJson()));
  // The example leaves out what has its default, as the writer does.
  json wanted = json::parse(getExample());
  EXPECT_EQ(json::parse(text), wanted);
}

TEST(Plans, FilesHoldTheImages) {
  TempFolder folder;
  fs::path path = folder.path / "m.fkx";
  Plan plan = makePlan();
  plan.save(path);
  Plan loaded = Plan::load(path);
  EXPECT_EQ(loaded.toJson(), plan.toJson());
  EXPECT_EQ(loaded.images.at("image.0").bytes, plan.images.at("image.0").bytes);
}

TEST(Plans, FilesThatAreNoPlans) {
  TempFolder folder;
  fs::path path = folder.path / "m.fkx";
  Plan plan = makePlan();
  std::string text = plan.toJson();
  auto bytes = std::span<const std::byte>(plan.images.at("image.0").bytes);
  auto check = [&](const std::vector<TensorToWrite> &tensors,
                   const std::map<std::string, std::string> &metadata,
                   const char *fragment) {
    writeSafetensors(path, tensors, metadata);
    expectError([&] { Plan::load(path); }, fragment);
  };
  TensorToWrite image = {"image.0", DType::U8, {300}, bytes};
  check({image}, {}, "not a plan");
  check({}, {{"fk.plan", text}}, "tensor 'image.0' is missing");
  check({{"image.0", DType::I8, {300}, bytes}}, {{"fk.plan", text}},
        "image 'image.0' is malformed");
  check({{"image.0", DType::U8, {30, 10}, bytes}}, {{"fk.plan", text}},
        "wanted a U8 tensor of rank 1, not empty, got U8 of rank 2, 300 bytes");
  check({{"image.0", DType::U8, {0}, {}}}, {{"fk.plan", text}},
        "image 'image.0' is malformed");
  check({image, {"more", DType::U8, {300}, bytes}}, {{"fk.plan", text}},
        "tensor 'more' belongs to no image");
  check({image}, {{"fk.plan", text + "}"}}, "not valid JSON");
}

TEST(Plans, SavingVerifies) {
  TempFolder folder;
  Plan plan = makePlan();
  plan.functions[1].values[4].slot = 7;
  expectError([&] { plan.save(folder.path / "m.fkx"); }, "lies in no slot");
  plan = makePlan();
  plan.images["image.0"].bytes.clear();
  expectError([&] { plan.save(folder.path / "m.fkx"); },
              "image 'image.0' is empty");
  EXPECT_TRUE(fs::is_empty(folder.path));
}

//===----------------------------------------------------------------------===//
// Hostile plans
//===----------------------------------------------------------------------===//

namespace {

/// The example with one place changed; null removes the key.
struct PlanCase {
  const char *name;
  const char *place;
  const char *value;
  const char *fragment;
};

} // namespace

static const PlanCase planCases[] = {
    // Form.
    {"NoObject", "", "[]",
     "plan is malformed at the top: t: wanted an object, got an array"},
    {"OtherVersion", "/version", "2",
     "plan has another version: t: wanted 1, got 2"},
    {"NoVersion", "/version", "null",
     "wanted key 'version', got an object without it"},
    {"UnknownKey", "/extra", "1", "got unknown key 'extra'"},
    {"UnknownNestedKey", "/functions/0/steps/0/launch/stream", "1",
     "at the top.functions[0].steps[0].launch: t: wanted keys among"},
    {"ListIsObject", "/weights", "{}",
     "top.weights: t: wanted a list, got an object"},
    {"StringIsNumber", "/device", "7",
     "top.device: t: wanted a string, got an integer"},
    {"BoolIsNumber", "/functions/1/public", "1",
     "wanted a boolean, got an integer"},
    {"UnknownDType", "/dtype", "\"float32\"",
     "wanted an element type such as f32, got 'float32'"},
    {"HugeInteger", "/model/vocab_size", "18446744073709551615",
     "wanted an integer, at least 0"},
    {"NegativeVocab", "/model/vocab_size", "-1",
     "wanted an integer, at least 0, got -1"},
    {"FractionalIndex", "/functions/0/params/0", "0.5",
     "got a number with a fraction"},
    {"NegativeIndex", "/functions/0/params/0", "-1",
     "wanted an integer, at least 0, got -1"},
    {"MalformedExtent", "/weights/0/shape/0", "\"8 +\"",
     "column 4: t, the top.weights[0].shape[0]"},
    {"ConditionIsValue", "/functions/0/steps/0/launch/kernels/0/where",
     "\"hidden\"", "wanted a condition"},
    {"UnknownValueKind", "/functions/0/values/0/kind", "\"global\"",
     "got 'global'"},
    {"PairIsTriple", "/functions/0/steps/0/launch/operands/0",
     "[\"input\", 0, 1]", "wanted a list of 2 entries, got 3"},
    {"LaunchAndCall", "/functions/0/steps/0/call",
     "{\"callee\": \"f\", \"args\": [], \"results\": []}",
     "wanted either 'launch' or 'call', got both"},
    {"NoAction", "/functions/0/steps/0/launch", "null",
     "wanted either 'launch' or 'call', got neither"},
    {"TwoGridSizes", "/candidates/0/variants/0/launches/0/grid", "[1, 1]",
     "wanted a list of 3 entries, got 2"},
    // Device and symbols.
    {"UnknownDevice", "/device", "\"tpu\"",
     "plan is for an unknown device: t: wanted host or cuda, got 'tpu'"},
    {"HostWithArch", "/arch", "\"sm_90a\"",
     "plan for the host names an architecture"},
    {"CudaWithoutArch", "/device", "\"cuda\"",
     "plan for CUDA lacks its architecture"},
    {"SymbolTwice", "/symbols",
     "[\"tokens\", \"pages\", \"max_positions\", \"tokens\"]",
     "symbol 'tokens' is declared twice"},
    {"SymbolIsText", "/symbols/0", "\"a b\"", "symbol 'a b' is no identifier"},
    {"UndeclaredSymbol", "/symbols", "[\"tokens\", \"max_positions\"]",
     "speaks of 'pages' in 'pages': t: wanted only"},
    // Weights and states.
    {"WeightTwice", "/weights/1/name", "\"norm\"",
     "weight 'norm' stands twice"},
    {"WeightFromNowhere", "/weights/0/parts", "null",
     "either parts of the checkpoint or a rotary table, got neither"},
    {"WeightFromTwoPlaces", "/weights/1/parts", "[{\"tensor\": \"x\"}]",
     "got both"},
    {"DynamicWeight", "/weights/0/shape", "[\"tokens\"]",
     "extent that is not static"},
    {"NegativeWeight", "/weights/0/shape", "[-8]",
     "is negative: t: wanted 0 or more, got -8 = -8"},
    {"ImpossiblyLargeWeight", "/weights/0/shape", "[4294967296, 4294967296]",
     "impossibly large"},
    {"BackwardPart", "/weights/0/parts/0/end", "3",
     "is no range of rows: t: wanted 0 <= begin < end, or end = -1, got 8 to "
     "3"},
    {"UnknownRope", "/weights/1/rope_table/type", "\"spiral\"",
     "unknown rope type"},
    {"OddRotaryDim", "/weights/1/rope_table/rotary_dim", "3",
     "wanted an even number above 0, got 3"},
    {"RopeShape", "/weights/1/shape/1", "8",
     "wanted f32[max_positions, 4], got f32[max_positions, 8]"},
    {"RopeTheta", "/weights/1/rope_table/theta", "0",
     "theta or factor that is not above 0"},
    {"LongropeWithoutFactors", "/weights/1/rope_table/type", "\"longrope\"",
     "wrong number of longrope factors: t: wanted 2, got 0"},
    {"UnknownState", "/states/0/kind", "\"scratch\"",
     "state 'kv.0' is of an unknown kind"},
    {"StateRank", "/states/0/shape", "[2, \"pages\", 16, 8]",
     "state 'kv.0' is no kv_cache"},
    // Values.
    {"UnknownWeight", "/functions/1/values/2/name", "\"gone\"",
     "value 2 'gone' of function 'forward' names no weight"},
    {"WeightShape", "/functions/1/values/2/shape/0", "16",
     "differs from its weight: t: wanted f32[8], got f32[16]"},
    {"UnknownStateValue", "/functions/1/values/3/name", "\"gone\"",
     "names no state of the plan"},
    {"StateShape", "/functions/1/values/3/shape/1", "\"tokens\"",
     "differs from its state"},
    {"NoSuchSlot", "/functions/1/values/4/slot", "1",
     "lies in no slot: t: wanted a slot below 1, got 1"},
    {"SlotTooSmall", "/functions/1/slots/0", "\"tokens * 31\"",
     "does not fit its slot 0"},
    {"NegativeSlot", "/functions/1/slots/0", "-8",
     "slot 0 of function 'forward' is negative"},
    {"SlotDividesByZero", "/functions/1/slots/0", "\"tokens / (tokens - 1)\"",
     "cannot be evaluated"},
    {"SlotOverflows", "/functions/1/slots/0",
     "\"tokens * 9223372036854775807\"", "cannot be evaluated"},
    {"BaseOutside", "/functions/1/values/5/base", "99",
     "names no value: t: wanted an index below 7, got 99"},
    {"ViewOfItself", "/functions/1/values/5/base", "5", "is a view of itself"},
    {"ViewIsLarger", "/functions/1/values/5/shape", "[\"tokens\", 2, 5]",
     "is no view of its base"},
    {"ViewOfOtherSymbol", "/functions/1/values/5/shape", "[\"pages\", 2, 4]",
     "is no view of its base"},
    {"ViewOfOtherType", "/functions/1/values/5/dtype", "\"i32\"",
     "is no view of its base"},
    {"ManyDimensions", "/functions/1/values/5/shape",
     "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "too many dimensions"},
    {"RoleOfAResult", "/functions/1/values/0/role/kind", "\"rows\"",
     "has an unknown role"},
    {"UnknownRule", "/functions/1/values/0/role/rule", "\"random\"",
     "wanted index or non_padding, got 'random'"},
    {"RoleInPrivate", "/functions/0/values/0/role", "{\"kind\": \"packed\"}",
     "wanted none in a private function"},
    // Functions.
    {"FunctionTwice", "/functions/1/name", "\"norm_block\"",
     "function 'norm_block' stands twice"},
    {"UnknownLevel", "/functions/0/level", "\"L5\"", "unknown level"},
    {"ParamOutside", "/functions/1/params/1", "70",
     "param of function 'forward' names no value"},
    {"ParamIsBuffer", "/functions/1/params/1", "4",
     "value 4 of function 'forward' is listed as a param"},
    {"ParamTwice", "/functions/1/params/1", "0",
     "each param once, and nothing else"},
    {"ParamNotListed", "/functions/1/params", "[0]",
     "value 1 'slots' of function 'forward' is not listed as a param"},
    {"PublicNamesAlike", "/functions/1/values/1/name", "\"hidden_states\"",
     "cannot be told by its name"},
    {"OperandOutside", "/functions/1/steps/2/launch/operands/0/1", "7",
     "step 2 (model.act) of function 'forward' names no value"},
    {"ReadBeforeWrite", "/functions/1/steps/0/call/args/0", "4",
     "reads value 4 of function 'forward' before anything wrote it"},
    {"WritesAParam", "/functions/1/steps/2/launch/results/0/1", "0",
     "writes value 0 'hidden_states'"},
    {"WritesAWeight", "/functions/1/steps/2/launch/results/0/1", "2",
     "wanted a buffer or a result"},
    {"ResultIsAbsent", "/functions/1/steps/2/launch/results/0/1", "-1",
     "names no value: t: wanted an index below 7, got -1"},
    {"WritesTwice", "/functions/1/steps/2/launch/results",
     "[[\"result\", 6], [\"more\", 6]]", "writes one buffer twice"},
    {"ResultNeverWritten", "/functions/1/steps/2/launch/results/0/1", "4",
     "value 6 'output' of function 'forward' is never written"},
    // Calls.
    {"UnknownCallee", "/functions/1/steps/0/call/callee", "\"gone\"",
     "step 0 (model.layers.0) of function 'forward' calls 'gone'"},
    {"TooFewArgs", "/functions/1/steps/0/call/args", "[0]",
     "wrong number of params to 'norm_block': t: wanted 2, got 1"},
    {"TooManyResults", "/functions/1/steps/0/call/results", "[4, 6]",
     "wrong number of results to 'norm_block'"},
    {"ArgShape", "/functions/1/steps/0/call/args/1", "0",
     "does not fit 'weight' of 'norm_block': t: wanted f32[8], got f32[tokens, "
     "8]"},
    {"CalleeParamOutside", "/functions/0/params/1", "9",
     "param of function 'norm_block' names no value"},
    {"Recursion", "/functions/0/steps/0",
     "{\"call\": {\"callee\": \"norm_block\", \"args\": [0, 1], \"results\": "
     "[2]}}",
     "function 'norm_block' calls itself"},
    // Launches.
    {"NoTask", "/functions/1/steps/2/launch/task", "\"\"", "names no task"},
    {"NoKernels", "/functions/1/steps/2/launch/kernels", "[]",
     "has no kernel for task 'silu'"},
    {"NameTwice", "/functions/1/steps/2/launch/operands/0/0", "\"result\"",
     "has parameter 'result' twice"},
    {"NameIsWorkspace", "/functions/1/steps/2/launch/operands/0/0",
     "\"workspace\"", "an identifier other than workspace"},
    {"AxisOverUnknown", "/functions/1/steps/2/launch/axes/0/1", "\"rows\"",
     "speaks of 'rows'"},
    {"NegativeAxis", "/functions/1/steps/2/launch/axes/1/1", "-8",
     "axis 'features' of step 2"},
    {"WhereOverSymbol", "/functions/1/steps/2/launch/kernels/0/where",
     "\"pages > 1\"", "condition of kernel 'silu'"},
    {"ScalarType", "/functions/0/steps/0/launch/scalars/0/1", "\"bf16\"",
     "wanted f32, i32 or i64, got bf16"},
    {"ScalarTooLarge", "/functions/0/steps/0/launch/scalars/0/2", "1e300",
     "wanted a finite f32"},
    {"IntegerWithFraction", "/functions/0/steps/0/launch/scalars/0",
     "[\"epsilon\", \"i32\", 0.5]", "wanted a finite i32"},
    // Candidates and images.
    {"UnknownCandidate", "/functions/0/steps/0/launch/kernels/0/kernel",
     "\"gone\"", "names an unknown candidate"},
    {"OtherTask", "/candidates/0/task", "\"layer_norm\"",
     "is for another task: t: wanted rms_norm, got layer_norm"},
    {"OtherDType", "/candidates/0/dtypes", "[\"bf16\"]",
     "does not serve the element type: t: got f32"},
    {"NoDTypes", "/candidates/0/dtypes", "[]", "serves no element type"},
    {"NoVariants", "/candidates/0/variants", "[]", "has no variants"},
    {"NoLaunches", "/candidates/0/variants/0/launches", "[]",
     "launches nothing"},
    {"NoEntry", "/candidates/0/variants/0/launches/0/entry", "\"\"",
     "names no entry"},
    {"NoArgs", "/candidates/0/variants/0/launches/0/args", "[]",
     "takes no arguments"},
    {"UnknownArg", "/candidates/0/variants/0/launches/0/args/1", "\"bias\"",
     "takes an argument 'bias'"},
    {"EmptyGrid", "/candidates/0/variants/0/launches/0/grid/1", "0",
     "a grid, block and cluster of 1 or more, got 0"},
    {"GridOverUnknown", "/candidates/0/variants/0/launches/0/grid/0",
     "\"rows\"", "speaks of 'rows' in 'rows': t: wanted only hidden, tokens"},
    {"NegativeSmem", "/candidates/0/variants/0/launches/0/smem", "-4",
     "wants a negative number of bytes"},
    {"WorkspaceOverSymbol", "/candidates/0/variants/0/workspace", "\"pages\"",
     "workspace of candidate"},
    {"VariantOverUnknown", "/candidates/0/variants/0/where", "\"pages == 1\"",
     "condition of candidate"},
    {"NoImage", "/images", "{}", "has no image 'image.0'"},
    {"SpareImage", "/images/more", "{\"kind\": \"ptx\"}",
     "image 'more' belongs to no candidate"},
    {"ImageKind", "/images/image.0/kind", "\"elf\"",
     "wanted ptx, cubin or fatbin, got 'elf'"},
};

class HostilePlan : public ::testing::TestWithParam<PlanCase> {};

TEST_P(HostilePlan, IsRefused) {
  const PlanCase &test = GetParam();
  json plan = json::parse(getExample());
  json::json_pointer place(test.place);
  json value = json::parse(test.value);
  if (value.is_null())
    plan.at(place.parent_pointer()).erase(place.back());
  else
    plan[place] = value;
  expectError([&] { Plan::fromJson(plan.dump(), "t"); }, test.fragment);
}

INSTANTIATE_TEST_SUITE_P(Plans, HostilePlan, ::testing::ValuesIn(planCases),
                         [](const auto &info) { return info.param.name; });

TEST(Plans, AbsentOperandsCannotBeArguments) {
  json plan = json::parse(getExample());
  plan["/functions/0/steps/0/launch/operands"_json_pointer].push_back(
      {"bias", -1});
  Plan::fromJson(plan.dump(), "t");
  plan["/candidates/0/variants/0/launches/0/args/1"_json_pointer] = "bias";
  expectError([&] { Plan::fromJson(plan.dump(), "t"); },
              "takes an argument 'bias': t: wanted an operand that is there");
}

/// `count` functions of which each calls the next one `times` times.
static std::string makeChain(int count, int times) {
  json plan = json::parse(R"({"version": 1, "model": {}, "device": "host",
      "dtype": "f32", "symbols": [], "functions": []})");
  for (int i = 0; i < count; ++i) {
    json function = {{"name", "f" + std::to_string(i)},
                     {"params", json::array()},
                     {"results", json::array()},
                     {"slots", json::array()},
                     {"steps", json::array()}};
    json call = {{"callee", "f" + std::to_string(i + 1)},
                 {"args", json::array()},
                 {"results", json::array()}};
    json launch = {{"task", "nothing"},
                   {"results", json::array()},
                   {"operands", json::array()},
                   {"axes", json::array()},
                   {"kernels", {{{"provider", "reference"}, {"kernel", "n"}}}}};
    for (int j = 0; j < times; ++j)
      function["steps"].push_back(i + 1 < count ? json{{"call", call}}
                                                : json{{"launch", launch}});
    plan["functions"].push_back(function);
  }
  return plan.dump();
}

TEST(Plans, CallsAreBounded) {
  Plan::fromJson(makeChain(20, 2), "t");
  expectError([] { Plan::fromJson(makeChain(60, 2), "t"); },
              "comes to too many launches");
  expectError([] { Plan::fromJson(makeChain(1000, 1), "t"); },
              "calls are nested too deeply");
}

TEST(Plans, LongViewChainsAreCheap) {
  json plan = json::parse(getExample());
  json &values = plan["functions"][1]["values"];
  for (int i = 0; i < 5000; ++i)
    values.push_back({{"kind", "view"},
                      {"dtype", "f32"},
                      {"shape", {"tokens", 8}},
                      {"base", i + 8}});
  values.back()["base"] = 4;
  Plan::fromJson(plan.dump(), "t");
  values.back()["base"] = 7;
  expectError([&] { Plan::fromJson(plan.dump(), "t"); }, "is a view of itself");
}

//===----------------------------------------------------------------------===//
// Fuzzing
//===----------------------------------------------------------------------===//

/// Puts something else at a random place of `root`.
static void mutateJson(json &root, std::mt19937 &random) {
  static const char *values[] = {"null",
                                 "true",
                                 "-1",
                                 "0",
                                 "1",
                                 "2",
                                 "7",
                                 "1e9",
                                 "0.5",
                                 "\"\"",
                                 "[]",
                                 "{}",
                                 "\"tokens\"",
                                 "9223372036854775807",
                                 "[0]",
                                 "\"f32\"",
                                 "[[]]",
                                 "-9223372036854775808",
                                 "\"tokens * 0 - 1\"",
                                 "\"hidden % 0\"",
                                 "18446744073709551615",
                                 "\"norm_block\"",
                                 "\"i64\""};
  json *node = &root;
  while (node->is_structured() && !node->empty() && random() % 12 != 0) {
    auto it = node->begin();
    std::advance(it, random() % node->size());
    node = &*it;
  }
  switch (random() % 4) {
  case 0: // one integer for another
    if (node->is_number_integer()) {
      *node = node->get<int64_t>() + int64_t(random() % 5) - 2;
      return;
    }
    [[fallthrough]];
  case 1:
    *node = json::parse(values[random() % std::size(values)]);
    return;
  case 2: // one entry less, or one twice
    if (node->is_array() && !node->empty()) {
      if (random() % 2)
        node->erase(random() % node->size());
      else
        node->push_back((*node)[random() % node->size()]);
    } else if (node->is_object() && !node->empty()) {
      auto it = node->begin();
      std::advance(it, random() % node->size());
      node->erase(it);
    }
    return;
  case 3: // a piece of elsewhere
    json *other = &root;
    while (other->is_structured() && !other->empty() && random() % 4 != 0) {
      auto it = other->begin();
      std::advance(it, random() % other->size());
      other = &*it;
    }
    json copy = *other;
    if (copy.dump().size() < 2000)
      *node = std::move(copy);
    return;
  }
}

TEST(Plans, MutatedJsonIsReadOrRefused) {
  std::mt19937 random(3);
  int read = 0, refused = 0;
  for (int i = 0; i < 2500; ++i) {
    json plan = json::parse(getExample());
    for (int j = 0, count = 1 + random() % 3; j < count; ++j)
      mutateJson(plan, random);
    try {
      Plan loaded = Plan::fromJson(plan.dump(), "t");
      // What was accepted can be written and read again.
      EXPECT_EQ(Plan::fromJson(loaded.toJson(), "t").toJson(), loaded.toJson());
      ++read;
    } catch (const Error &) {
      ++refused;
    }
  }
  EXPECT_EQ(read + refused, 2500);
  EXPECT_GT(refused, 1200);
  EXPECT_GT(read, 60);
}

TEST(Plans, MutatedFilesAreReadOrRefused) {
  TempFolder folder;
  fs::path path = folder.path / "m.fkx";
  makePlan().save(path);
  const std::string original = readTextFile(path);
  std::mt19937 random(5);
  int read = 0, refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = original;
    for (int j = 0, count = 1 + random() % 2; j < count; ++j) {
      size_t at = random() % bytes.size();
      switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      case 1:
        bytes.resize(at + 1);
        break;
      case 2:
        bytes[random() % 8] = static_cast<char>(random());
        break;
      case 3: {
        size_t digit = bytes.find_first_of("0123456789", at);
        if (digit != std::string::npos)
          bytes[digit] = static_cast<char>('0' + random() % 10);
        break;
      }
      }
    }
    folder.write("m.fkx", bytes);
    try {
      Plan plan = Plan::load(path);
      read += !plan.images.empty();
    } catch (const Error &) {
      ++refused;
    }
  }
  EXPECT_EQ(read + refused, 2000);
  EXPECT_GT(refused, 1000);
  EXPECT_GT(read, 20);
}
