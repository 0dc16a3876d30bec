//===- EmulatorRecordTest.cpp - The emulator against a GPU's answers ------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every instruction of test/emulator/record/instructions.json over the recorded
// operands, compared with what a GPU answered: bit for bit, approximate
// functions within twice the ISA's bound (the GPU may be off by one).
//
//===----------------------------------------------------------------------===//

#include "EmulatorFixture.h"

#include <nlohmann/json.hpp>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>
#include <set>

using namespace fk;
using namespace fk::test;
using Json = nlohmann::json;

namespace {

const std::string folder = FK_SOURCE_DIR "/test/emulator/record/";

using Column = std::vector<uint64_t>;

/// Reads a gzip file of safetensors, every tensor of unsigned integers.
std::map<std::string, Column> readRecords(const std::string &path) {
  gzFile file = gzopen(path.c_str(), "rb");
  EXPECT_TRUE(file) << path;
  std::string bytes;
  char block[1 << 16];
  for (int n; file && (n = gzread(file, block, sizeof block)) > 0;)
    bytes.append(block, n);
  if (file)
    gzclose(file);
  std::map<std::string, Column> columns;
  if (bytes.size() < 8)
    return columns;
  uint64_t headerSize;
  std::memcpy(&headerSize, bytes.data(), 8);
  Json header = Json::parse(bytes.substr(8, headerSize));
  const char *data = bytes.data() + 8 + headerSize;
  for (auto &[name, tensor] : header.items()) {
    if (name == "__metadata__")
      continue;
    size_t width = std::stoul(tensor["dtype"].get<std::string>().substr(1)) / 8;
    size_t offset = tensor["data_offsets"][0], count = tensor["shape"][0];
    Column &column = columns[name];
    column.resize(count);
    for (size_t e = 0; e < count; ++e)
      std::memcpy(&column[e], data + offset + e * width, width);
  }
  return columns;
}

struct Records {
  Json table;
  std::map<std::string, Column> columns;

  static const Records &get() {
    static const Records records = [] {
      Records made;
      std::ifstream stream(folder + "instructions.json");
      made.table = Json::parse(stream);
      made.columns = readRecords(folder + "records.safetensors.gz");
      return made;
    }();
    return records;
  }

  const Json &find(const std::string &name) const {
    for (const Json &entry : table["instructions"])
      if (entry["name"] == name)
        return entry;
    throw std::runtime_error("no instruction " + name);
  }

  /// What the GPU answered: stored as its difference from a similar one's.
  Column answer(const Json &entry, size_t k) const {
    std::string name = entry["name"];
    Column column = columns.at("out." + name + "." + std::to_string(k));
    if (entry.contains("like")) {
      Column base = answer(find(entry["like"]), k);
      for (size_t e = 0; e < column.size(); ++e)
        column[e] ^= base[e];
    }
    return column;
  }
};

/// The kernel around one instruction, as make_table.py says.
std::string makePtx(const Records &records, const Json &entry) {
  constexpr std::string_view operands = "abcdefghij", results = "rstu";
  std::string body;
  auto declare = [&](std::string_view letters, const Json &widths) {
    for (size_t k = 0; k < widths.size(); ++k)
      body += ".reg .b" + std::to_string(widths[k].get<int>()) + " %" +
              letters[k] + ";\n";
  };
  declare(operands, entry["operands"]);
  declare(results, entry["results"]);
  for (size_t k = 0; k < entry["operands"].size(); ++k)
    body += "ld.global.b" + std::to_string(entry["operands"][k].get<int>()) +
            " %" + operands[k] + ", [%in+" + std::to_string(8 * k) + "];\n";
  body += entry["text"].get<std::string>() + "\n";
  for (size_t k = 0; k < entry["results"].size(); ++k)
    body += "st.global.b" + std::to_string(entry["results"][k].get<int>()) +
            " [%out+" + std::to_string(8 * k) + "], %" + results[k] + ";\n";
  std::string text = records.table["template"];
  text.replace(text.find("$BODY$"), 6, body);
  return text;
}

//===----------------------------------------------------------------------===//
// Comparing
//===----------------------------------------------------------------------===//

double valueOf(uint64_t bits, const std::string &type) {
  if (type == "f64")
    return std::bit_cast<double>(bits);
  if (type == "f32")
    return std::bit_cast<float>(static_cast<uint32_t>(bits));
  if (type == "bf16")
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  // f16
  auto exponent = static_cast<int>(bits >> 10 & 31);
  auto mantissa = static_cast<double>(bits & 1023);
  double magnitude = exponent == 0 ? std::ldexp(mantissa, -24)
                     : exponent == 31
                         ? (mantissa ? NAN : INFINITY)
                         : std::ldexp(mantissa + 1024, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/// Whether two values of an approximate function agree. `a` is the operand.
bool isClose(double wanted, double got, double a, const Json &check) {
  if (std::isnan(wanted))
    return std::isnan(got);
  if (std::isinf(wanted) || std::isinf(got) || std::isnan(got))
    return wanted == got;
  for (const Json &bound : check["bounds"]) {
    double magnitude = std::fabs(a);
    if (magnitude < bound.value("lo", 0.0) ||
        magnitude > bound.value("hi", HUGE_VAL))
      continue;
    double allowed = 0;
    if (bound.contains("abs"))
      allowed = bound["abs"];
    else if (bound.contains("rel"))
      allowed = bound["rel"].get<double>() * std::fabs(wanted);
    else {
      // A unit in the last place of f32.
      int exponent =
          std::max(std::ilogb(wanted == 0 ? 0x1p-149 : wanted), -126);
      allowed = bound["ulp"].get<double>() * std::ldexp(1.0, exponent - 23);
    }
    return std::fabs(wanted - got) <= 2 * allowed;
  }
  return true;
}

bool isRight(uint64_t wanted, uint64_t got, uint64_t a, const Json &check) {
  if (check["kind"] == "exact")
    return wanted == got;
  std::string type = check["type"];
  if (!type.ends_with("x2"))
    return isClose(valueOf(wanted, type), valueOf(got, type), valueOf(a, type),
                   check);
  type.resize(type.size() - 2);
  for (unsigned shift : {0u, 16u})
    if (!isClose(valueOf(wanted >> shift & 0xffff, type),
                 valueOf(got >> shift & 0xffff, type),
                 valueOf(a >> shift & 0xffff, type), check))
      return false;
  return true;
}

std::string hex(uint64_t bits) {
  std::ostringstream stream;
  stream << std::hex << "0x" << bits;
  return stream.str();
}

void checkInstruction(const Records &records, const Json &entry) {
  std::string name = entry["name"];
  size_t stride = records.table["stride"];
  std::vector<Column> operands;
  for (size_t k = 0; k < entry["operands"].size(); ++k)
    operands.push_back(records.columns.at(
        "in." + entry["set"].get<std::string>() + "." + std::to_string(k)));
  size_t count = operands.at(0).size();
  std::vector<uint8_t> in(count * stride);
  for (size_t k = 0; k < operands.size(); ++k)
    for (size_t e = 0; e < count; ++e)
      std::memcpy(&in[e * stride + 8 * k], &operands[k][e], 8);

  EmulatorRun run(makePtx(records, entry));
  run.addInput("in", in);
  run.addOutput("out", in.size());
  run.addScalar(static_cast<uint32_t>(count));
  auto block = static_cast<uint32_t>(std::min<size_t>(count, 128));
  run.launch("record",
             {static_cast<uint32_t>((count + block - 1) / block), 1, 1},
             {block, 1, 1});
  EXPECT_EQ(run.getFindings(), "") << name;

  std::vector<uint8_t> out = run.get<uint8_t>("out");
  for (size_t k = 0; k < entry["results"].size(); ++k) {
    size_t width = entry["results"][k].get<size_t>() / 8;
    Column wanted = records.answer(entry, k);
    size_t wrong = 0;
    std::string first;
    for (size_t e = 0; e < count; ++e) {
      uint64_t got = 0;
      std::memcpy(&got, &out[e * stride + 8 * k], width);
      if (isRight(wanted[e], got, operands[0][e], entry["check"]))
        continue;
      if (wrong++ < 4) {
        first += "  of";
        for (const Column &operand : operands)
          first += " " + hex(operand[e]);
        first += ": wanted " + hex(wanted[e]) + ", got " + hex(got) + "\n";
      }
    }
    EXPECT_EQ(wrong, 0u) << name << ", result " << k << ", of " << count
                         << " elements:\n"
                         << first;
  }
}

//===----------------------------------------------------------------------===//
// One test an opcode
//===----------------------------------------------------------------------===//

std::string opcodeOf(const Json &entry) {
  std::string name = entry["name"];
  return name.substr(0, name.find('.'));
}

std::vector<std::string> listOpcodes() {
  std::set<std::string> opcodes;
  for (const Json &entry : Records::get().table["instructions"])
    opcodes.insert(opcodeOf(entry));
  return {opcodes.begin(), opcodes.end()};
}

class EmulatorRecord : public testing::TestWithParam<std::string> {};

TEST_P(EmulatorRecord, AnswersAsTheGpu) {
  const Records &records = Records::get();
  for (const Json &entry : records.table["instructions"])
    if (opcodeOf(entry) == GetParam()) {
      try {
        checkInstruction(records, entry);
      } catch (const std::exception &error) {
        ADD_FAILURE() << entry["name"] << ": " << error.what();
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Instructions, EmulatorRecord,
                         testing::ValuesIn(listOpcodes()),
                         [](const auto &info) { return info.param; });

TEST(EmulatorRecordFile, HoldsEveryInstruction) {
  const Records &records = Records::get();
  EXPECT_GT(records.table["instructions"].size(), 1000u);
  for (const Json &entry : records.table["instructions"]) {
    std::string name = entry["name"];
    EXPECT_TRUE(records.columns.count("out." + name + ".0")) << name;
  }
}

} // namespace
