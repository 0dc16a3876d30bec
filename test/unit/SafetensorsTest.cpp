//===- SafetensorsTest.cpp - Files that are what they say, and others -----===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ExpectError.h"
#include "TempFolder.h"

#include "runtime/support/Safetensors.h"

#include <cstring>
#include <random>
#include <sys/stat.h>
#include <thread>

using namespace fk;
namespace fs = std::filesystem;

static std::span<const std::byte> asBytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// The bytes of a file with this header and `dataBytes` bytes of data.
static std::string makeFile(std::string_view header, size_t dataBytes) {
  std::string file;
  for (int i = 0; i < 8; ++i)
    file += static_cast<char>(header.size() >> (8 * i));
  file += header;
  return file + std::string(dataBytes, '\1');
}

class Safetensors : public ::testing::Test {
protected:
  /// What opening a file of these bytes says.
  std::string getErrorOfBytes(std::string_view bytes) {
    folder.write("t.safetensors", bytes);
    return getErrorOf(
        [&] { SafetensorsFile::open(folder.path / "t.safetensors"); });
  }

  TempFolder folder;
};

//===----------------------------------------------------------------------===//
// Round trips
//===----------------------------------------------------------------------===//

TEST_F(Safetensors, ReadsOtherTypesAsIntegersWhereAsked) {
  const std::string header =
      R"({"a":{"dtype":"U32","shape":[2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[8,11]}})";
  EXPECT_NE(getErrorOfBytes(makeFile(header, 11))
                .find("tensor 'a' has an element type that fk does not read"),
            std::string::npos);
  auto file = SafetensorsFile::open(folder.path / "t.safetensors",
                                    SafetensorsFile::OtherTypes::AsIntegers);
  EXPECT_EQ(file->getTensor("a").dtype, DType::I32);
  EXPECT_EQ(file->getTensor("b").dtype, DType::U8);
  EXPECT_EQ(file->getBytes().size(), 8 + header.size() + 11);
  folder.write("u.safetensors",
               makeFile(R"({"a":{"dtype":"X9","shape":[],"data_offsets":[0,1]}})",
                        1));
  expectError(
      [&] {
        SafetensorsFile::open(folder.path / "u.safetensors",
                              SafetensorsFile::OtherTypes::AsIntegers);
      },
      "'X9'");
}

TEST_F(Safetensors, WritesWhatItReads) {
  fs::path path = folder.path / "a.safetensors";
  writeSafetensors(path,
                   {{"odd", DType::U8, {3}, asBytes("abc")},
                    {"f", DType::F32, {2, 2}, asBytes("0123456789abcdef")},
                    {"empty", DType::BF16, {0, 7}, {}},
                    {"scalar", DType::I16, {}, asBytes("xy")}},
                   {{"key", "value \"quoted\"\n"}});
  auto file = SafetensorsFile::open(path);
  ASSERT_EQ(file->getTensors().size(), 4u);
  EXPECT_EQ(file->getMetadata().at("key"), "value \"quoted\"\n");
  const TensorView &f = file->getTensor("f");
  EXPECT_EQ(f.dtype, DType::F32);
  EXPECT_EQ(f.shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(f.getNumElements(), 4);
  EXPECT_EQ(std::memcmp(f.bytes.data(), "0123456789abcdef", 16), 0);
  EXPECT_EQ(std::memcmp(file->getTensor("odd").bytes.data(), "abc", 3), 0);
  EXPECT_EQ(file->getTensor("empty").getNumElements(), 0);
  EXPECT_EQ(file->getTensor("scalar").getNumElements(), 1);
  expectError([&] { file->getTensor("gone"); }, "tensor 'gone' is missing");
}

TEST_F(Safetensors, AlignsDataWhereItCan) {
  fs::path path = folder.path / "a.safetensors";
  std::string wide(256, 'w'), narrow(5, 'n'), four(12, 'f');
  writeSafetensors(path, {{"narrow", DType::U8, {5}, asBytes(narrow)},
                          {"four", DType::F32, {3}, asBytes(four)},
                          {"wide", DType::F32, {64}, asBytes(wide)},
                          {"wide2", DType::F64, {32}, asBytes(wide)}});
  auto file = SafetensorsFile::open(path);
  auto address = [&](const char *name) {
    return reinterpret_cast<uintptr_t>(file->getTensor(name).bytes.data());
  };
  EXPECT_EQ(address("wide") % 64, 0u);
  EXPECT_EQ(address("wide2") % 64, 0u);
  EXPECT_EQ(address("four") % 4, 0u);
}

TEST_F(Safetensors, ReadsAFileWithoutTensors) {
  EXPECT_EQ(getErrorOfBytes(makeFile("{}", 0)), "(no error)");
  EXPECT_EQ(getErrorOfBytes(makeFile("{\"__metadata__\":{}}  ", 0)),
            "(no error)");
}

TEST_F(Safetensors, RefusesToWriteWhatItCouldNotRead) {
  fs::path path = folder.path / "a.safetensors";
  expectError(
      [&] {
        writeSafetensors(path, {{"a", DType::F32, {3}, asBytes("0123")}});
      },
      "tensor 'a' has a size that its shape does not give");
  expectError(
      [&] {
        writeSafetensors(path, {{"a", DType::U8, {1}, asBytes("0")},
                                {"a", DType::U8, {1}, asBytes("1")}});
      },
      "tensor name 'a' is taken");
  expectError(
      [&] { writeSafetensors(path, {{"\xff", DType::U8, {1}, asBytes("0")}}); },
      "a name cannot be written as JSON");
  EXPECT_TRUE(fs::is_empty(folder.path)) << "half a file is left";
}

//===----------------------------------------------------------------------===//
// Hostile files
//===----------------------------------------------------------------------===//

/// A header of one tensor `a`, and the error wanted of it.
struct HeaderCase {
  const char *name;
  std::string header;
  size_t dataBytes;
  const char *fragment;
};

static std::string oneTensor(std::string_view fields) {
  return "{\"a\":{" + std::string(fields) + "}}";
}

static std::vector<HeaderCase> getHeaderCases() {
  const std::string a4 =
      R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const std::string b4 = R"("b":{"dtype":"F32","shape":[1],"data_offsets":)";
  auto tensor = [](const char *dtype, const char *shape, const char *offsets) {
    return oneTensor("\"dtype\":" + std::string(dtype) + ",\"shape\":" + shape +
                     ",\"data_offsets\":" + offsets);
  };
  return {
      {"NoObject", "[]", 0, "wanted a JSON object that begins at byte 8"},
      {"LeadingSpace", " {}", 0, "a JSON object that begins at byte 8"},
      {"CutJson", "{\"a\":", 0, "the header is not valid JSON"},
      {"TwoValues", "{}{}", 0, "the header is not valid JSON"},
      {"BadUtf8", "{\"\xff\":{}}", 0, "the header is not valid JSON"},
      {"NulByte", std::string("{\0}", 3), 0, "the header is not valid JSON"},
      {"TensorIsNumber", "{\"a\":1}", 0,
       "wanted an object for 'a', got the number 1"},
      {"TensorIsList", "{\"a\":[]}", 0,
       "wanted an object for 'a', got an array"},
      {"TensorIsNull", "{\"a\":null}", 0, "got null"},
      {"Nested", oneTensor("\"shape\":{\"x\":{}}"), 0, "got an object"},
      {"NestedList", oneTensor("\"shape\":[[1]]"), 0, "got an array"},
      {"DeepList", oneTensor("\"shape\":" + std::string(100000, '[')), 0,
       "got an array"},
      {"NoDtype", oneTensor(R"("shape":[1],"data_offsets":[0,4])"), 4,
       "tensor 'a' lacks 'dtype'"},
      {"NoShape", oneTensor(R"("dtype":"F32","data_offsets":[0,4])"), 4,
       "tensor 'a' lacks 'shape'"},
      {"NoOffsets", oneTensor(R"("dtype":"F32","shape":[1])"), 4,
       "tensor 'a' lacks 'data_offsets'"},
      {"Empty", oneTensor(""), 0, "tensor 'a' lacks 'dtype'"},
      {"UnknownKey", oneTensor(R"("dtype":"F32","strides":[1])"), 0,
       "unknown key 'strides' in tensor 'a'"},
      {"FieldTwice", oneTensor(R"("dtype":"F32","dtype":"F32")"), 0,
       "key 'dtype' stands twice in tensor 'a'"},
      {"TensorTwice", "{" + a4 + "," + a4 + "}", 4,
       "tensor 'a' stands twice in the header"},
      {"Fp8", tensor("\"F8_E4M3\"", "[4]", "[0,4]"), 4,
       "tensor 'a' has an element type that fk does not read"},
      {"WrongCaseDtype", tensor("\"f32\"", "[1]", "[0,4]"), 4, "got 'f32'"},
      {"DtypeIsNumber", tensor("32", "[1]", "[0,4]"), 4,
       "wanted a string for 'dtype', got the number 32"},
      {"NegativeExtent", tensor("\"F32\"", "[-1]", "[0,4]"), 4,
       "wanted a list of integers, 0 or more, for 'shape', got the number -1"},
      {"FractionalExtent", tensor("\"F32\"", "[1.5]", "[0,4]"), 4,
       "got the number 1.5"},
      {"HugeExtent", tensor("\"F32\"", "[9223372036854775808]", "[0,4]"), 4,
       "got the number 9223372036854775808"},
      {"ExtentBeyond64Bits",
       tensor("\"F32\"", "[99999999999999999999]", "[0,4]"), 4,
       "got the number 99999999999999999999"},
      {"ExtentIsString", tensor("\"F32\"", "[\"1\"]", "[0,4]"), 4,
       "got the string '1'"},
      {"ExtentIsTrue", tensor("\"F32\"", "[true]", "[0,4]"), 4,
       "got a boolean"},
      {"ShapeIsString", tensor("\"F32\"", "\"1\"", "[0,4]"), 4,
       "got the string '1'"},
      {"ShapeOverflows", tensor("\"F32\"", "[4294967296,4294967296]", "[0,4]"),
       4, "tensor 'a' is impossibly large"},
      {"BytesOverflow", tensor("\"F32\"", "[4611686018427387904]", "[0,0]"), 0,
       "tensor 'a' is impossibly large"},
      {"ZeroHidesOverflow",
       tensor("\"F32\"", "[0,4294967296,4294967296]", "[0,0]"), 0,
       "tensor 'a' is impossibly large"},
      {"HighRank",
       tensor("\"U8\"",
              "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
              "1,1,1,1,1,1,1]",
              "[0,1]"),
       1, "tensor 'a' has too many entries in 'shape'"},
      {"OneOffset", tensor("\"F32\"", "[1]", "[4]"), 4,
       "malformed data_offsets: t.safetensors: wanted two integers, got 1"},
      {"ThreeOffsets", tensor("\"F32\"", "[1]", "[0,4,8]"), 4, "got 3"},
      {"NegativeOffset", tensor("\"F32\"", "[1]", "[-4,0]"), 4,
       "for 'data_offsets', got the number -4"},
      {"EndBeforeBegin", tensor("\"F32\"", "[1]", "[4,0]"), 4,
       "tensor 'a' ends before it begins"},
      {"EndBeyondData", tensor("\"F32\"", "[2]", "[0,8]"), 4,
       "tensor 'a' lies outside the file's data: t.safetensors: wanted an end "
       "of at most 4, got 8"},
      {"EndFarBeyond", tensor("\"U8\"", "[1]", "[0,9223372036854775807]"), 4,
       "lies outside the file's data"},
      {"SizeDiffers", tensor("\"F32\"", "[2]", "[0,4]"), 4,
       "wanted 8 bytes for F32[2], got 4"},
      {"Overlap", "{" + a4 + "," + b4 + "[0,4]}}", 4,
       "tensor 'b' overlaps the tensor before it"},
      {"PartialOverlap", "{" + a4 + "," + b4 + "[2,6]}}", 6,
       "tensor 'b' overlaps the tensor before it"},
      {"Gap", "{" + a4 + "," + b4 + "[8,12]}}", 12,
       "tensor 'b' leaves a gap before it"},
      {"GapAtStart", tensor("\"F32\"", "[1]", "[4,8]"), 8,
       "tensor 'a' leaves a gap before it: t.safetensors: wanted a begin of 0"},
      {"TrailingBytes", "{" + a4 + "}", 9,
       "bytes that belong to no tensor: t.safetensors: wanted 4 bytes of data, "
       "got 9"},
      {"MetadataIsList", R"({"__metadata__":[]})", 0,
       "wanted an object for '__metadata__'"},
      {"MetadataHoldsNumber", R"({"__metadata__":{"k":1}})", 0,
       "wanted a string for 'k', got the number 1"},
      {"MetadataHoldsObject", R"({"__metadata__":{"k":{}}})", 0,
       "wanted a string for 'k', got an object"},
      {"MetadataTwice", R"({"__metadata__":{},"__metadata__":{}})", 0,
       "'__metadata__' stands twice"},
      {"MetadataKeyTwice", R"({"__metadata__":{"k":"","k":""}})", 0,
       "key 'k' stands twice in __metadata__"},
  };
}

class HostileHeader : public ::testing::TestWithParam<HeaderCase> {};

TEST_P(HostileHeader, IsRefused) {
  TempFolder folder;
  const HeaderCase &test = GetParam();
  folder.write("t.safetensors", makeFile(test.header, test.dataBytes));
  std::string message =
      getErrorOf([&] { SafetensorsFile::open(folder.path / "t.safetensors"); });
  // The folder's name is random.
  if (size_t at = message.find(folder.path.string()); at != std::string::npos)
    message.erase(at, folder.path.string().size() + 1);
  EXPECT_NE(message.find(test.fragment), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(Safetensors, HostileHeader,
                         ::testing::ValuesIn(getHeaderCases()),
                         [](const auto &info) { return info.param.name; });

TEST_F(Safetensors, ImpossibleLengths) {
  auto contains = [&](std::string_view bytes, const char *fragment) {
    std::string message = getErrorOfBytes(bytes);
    EXPECT_NE(message.find(fragment), std::string::npos) << message;
  };
  contains("", "not a safetensors file");
  contains("1234567", "wanted at least 8 bytes, got 7");
  contains(std::string_view("\0\0\0\0\0\0\0\0", 8), "the header is malformed");
  contains(std::string_view("\2\0\0\0\0\0\0\0{", 9),
           "wanted at most 1, got 2 (the file is cut off");
  contains("\xff\xff\xff\xff\xff\xff\xff\xff{}", "got 18446744073709551615");
  contains("version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
           "this is a Git LFS pointer");
  // A header of more than 100 MB, in a file that is large enough but sparse.
  std::string length("\1\xe1\xf5\5\0\0\0\0{", 9);
  folder.write("big.safetensors", length);
  fs::resize_file(folder.path / "big.safetensors", 200'000'000);
  expectError([&] { SafetensorsFile::open(folder.path / "big.safetensors"); },
              "wanted at most 100000000, got 100000001");
}

TEST_F(Safetensors, WhatIsNoFile) {
  expectError([&] { SafetensorsFile::open(folder.path / "none"); },
              "cannot open");
  expectError([&] { SafetensorsFile::open(folder.path); },
              "wanted a regular file, got a folder");
  fs::path pipe = folder.path / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expectError([&] { SafetensorsFile::open(pipe); }, "got a special file");
}

//===----------------------------------------------------------------------===//
// Files as such
//===----------------------------------------------------------------------===//

TEST_F(Safetensors, TextFiles) {
  fs::path path = folder.path / "a.txt";
  writeFileAtomically(path, "first");
  writeFileAtomically(path, "second");
  EXPECT_EQ(readTextFile(path), "second");
  expectError([&] { readTextFile(path, 5); },
              "file is too large: " + path.string() + ": wanted at most 5");
  expectError([&] { readTextFile(folder.path / "none"); },
              "got No such file or directory");
  expectError([&] { readTextFile(folder.path); }, "got Is a directory");
  expectError([&] { writeFileAtomically(folder.path / "no" / "a", "x"); },
              "cannot write: ");
  expectError([&] { writeFileAtomically(folder.path, "x"); },
              "got Is a directory");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path),
                          fs::directory_iterator()),
            1);
}

TEST_F(Safetensors, WritesThroughLinksAndIntoDevices) {
  folder.write("real", "old");
  fs::create_symlink("real", folder.path / "link");
  writeFileAtomically(folder.path / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder.path / "link"));
  EXPECT_EQ(readTextFile(folder.path / "real"), "new");
  fs::path pipe = folder.path / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string received;
  std::thread reader([&] { received = readTextFile(pipe); });
  writeFileAtomically(pipe, "through");
  reader.join();
  EXPECT_EQ(received, "through");
  EXPECT_TRUE(fs::is_fifo(pipe));
}

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

static constexpr const char *indexName = "model.safetensors.index.json";

/// Two shards with one tensor each.
static void writeShards(const TempFolder &folder) {
  writeSafetensors(folder.path / "s1.safetensors",
                   {{"a", DType::U8, {1}, asBytes("A")}});
  writeSafetensors(folder.path / "s2.safetensors",
                   {{"b", DType::U8, {1}, asBytes("B")}});
  folder.write(indexName, R"({"metadata": {"total_size": 2}, "weight_map":
      {"a": "s1.safetensors", "b": "s2.safetensors"}})");
}

TEST_F(Safetensors, CheckpointOfShards) {
  writeShards(folder);
  Checkpoint checkpoint = Checkpoint::open(folder.path);
  EXPECT_EQ(checkpoint.getNames(), (std::vector<std::string>{"a", "b"}));
  ASSERT_NE(checkpoint.find("b"), nullptr);
  EXPECT_EQ(checkpoint.find("b")->bytes[0], std::byte{'B'});
  EXPECT_EQ(checkpoint.getFileOf("b").filename(), "s2.safetensors");
  EXPECT_EQ(checkpoint.find("c"), nullptr);
  expectError([&] { checkpoint.getFileOf("c"); }, "no tensor 'c'");
}

TEST_F(Safetensors, SingleFileWinsOverTheIndex) {
  writeShards(folder);
  writeSafetensors(folder.path / "model.safetensors",
                   {{"c", DType::U8, {1}, asBytes("C")}});
  EXPECT_EQ(Checkpoint::open(folder.path).getNames(),
            std::vector<std::string>{"c"});
}

TEST_F(Safetensors, HubSnapshotsConsistOfLinks) {
  fs::create_directories(folder.path / "blobs");
  fs::create_directories(folder.path / "snapshots" / "0123");
  writeSafetensors(folder.path / "blobs" / "feed",
                   {{"a", DType::U8, {1}, asBytes("A")}});
  fs::path snapshot = folder.path / "snapshots" / "0123";
  fs::create_symlink("../../blobs/feed", snapshot / "s1.safetensors");
  folder.write(fs::path("snapshots/0123") / indexName,
               R"({"weight_map": {"a": "s1.safetensors"}})");
  EXPECT_NE(Checkpoint::open(snapshot).find("a"), nullptr);
  fs::remove(folder.path / "blobs" / "feed");
  expectError([&] { Checkpoint::open(snapshot); },
              "shard 's1.safetensors' is missing");
}

TEST_F(Safetensors, ShardsInAFolder) {
  fs::create_directories(folder.path / "sub");
  writeSafetensors(folder.path / "sub" / "s.safetensors",
                   {{"a", DType::U8, {1}, asBytes("A")}});
  folder.write(indexName, R"({"weight_map": {"a": "sub/s.safetensors"}})");
  EXPECT_NE(Checkpoint::open(folder.path).find("a"), nullptr);
}

TEST_F(Safetensors, HostileIndexes) {
  const std::pair<const char *, const char *> cases[] = {
      {R"({"weight_map": {"a": "/etc/passwd"}})",
       "shard '/etc/passwd' of tensor 'a' is no file name inside the folder"},
      {R"({"weight_map": {"a": "../s1.safetensors"}})", "no file name inside"},
      {R"({"weight_map": {"a": "sub/../../s1.safetensors"}})",
       "no file name inside"},
      {R"({"weight_map": {"a": "./s1.safetensors"}})", "no file name inside"},
      {R"({"weight_map": {"a": "sub/"}})", "no file name inside"},
      {R"({"weight_map": {"a": ""}})", "no file name inside"},
      {R"({"weight_map": {"a": "s1\u0000.safetensors"}})",
       "no file name inside"},
      {R"({"weight_map": {"a": "..\\s1.safetensors"}})", "no file name inside"},
      {R"({"weight_map": {"a": "s3.safetensors"}})",
       "shard 's3.safetensors' is missing"},
      {R"({"weight_map": {"b": "s1.safetensors"}})", "tensor 'b' is missing"},
      {R"({"weight_map": {"a": 1}})", "malformed at 'a'"},
      {R"({"weight_map": {}})", "not empty"},
      {R"({"weight_map": []})", "'weight_map' is malformed"},
      {R"({})", "'weight_map' is missing"},
      {R"([])", "'weight_map' is missing"},
      {R"({"weight_map": {"a": "s1.safetensors", "a": "s2.safetensors"}})",
       "JSON key 'a' stands twice"},
      {R"({"weight_map": )", "not valid JSON"}};
  writeShards(folder);
  for (auto [index, fragment] : cases) {
    folder.write(indexName, index);
    expectError([&] { Checkpoint::open(folder.path); }, fragment);
  }
}

TEST_F(Safetensors, FoldersWithoutWeights) {
  expectError([&] { Checkpoint::open(folder.path / "none"); },
              "no such folder");
  expectError([&] { Checkpoint::open(folder.path); },
              "no weights in the folder");
  folder.write("pytorch_model.bin", "");
  expectError([&] { Checkpoint::open(folder.path); },
              "got pytorch_model.bin (save the model as safetensors)");
}

//===----------------------------------------------------------------------===//
// Fuzzing
//===----------------------------------------------------------------------===//

/// Changes `bytes` somewhere: a byte, a piece, the end, or the header's length.
static std::string mutate(std::string bytes, std::mt19937 &random) {
  for (int i = 0, count = 1 + random() % 3; i < count; ++i) {
    if (bytes.empty())
      return bytes;
    size_t at = random() % bytes.size();
    switch (random() % 6) {
    case 0:
      bytes[at] = static_cast<char>(random());
      break;
    case 1:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
      break;
    case 2:
      bytes.resize(at);
      break;
    case 3:
      bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 32));
      break;
    case 4:
      bytes[random() % std::min<size_t>(8, bytes.size())] =
          static_cast<char>(random());
      break;
    case 5: { // a digit that stays one: lengths, extents and offsets that lie
      size_t digit = bytes.find_first_of("0123456789", at);
      if (digit != std::string::npos)
        bytes[digit] = static_cast<char>('0' + random() % 10);
      break;
    }
    }
  }
  return bytes;
}

TEST_F(Safetensors, MutatedFilesAreReadOrRefused) {
  fs::path path = folder.path / "t.safetensors";
  std::string data(96, 'd');
  writeSafetensors(path,
                   {{"model.a", DType::F32, {2, 8}, asBytes(data).first(64)},
                    {"model.b", DType::BF16, {16}, asBytes(data).first(32)},
                    {"model.c", DType::U8, {0, 3}, {}}},
                   {{"format", "pt"}});
  const std::string original = readTextFile(path);
  std::mt19937 random(1);
  int refused = 0, read = 0;
  for (int i = 0; i < 4000; ++i) {
    folder.write("t.safetensors", mutate(original, random));
    try {
      auto file = SafetensorsFile::open(path);
      int64_t sum = 0;
      for (const auto &[name, tensor] : file->getTensors())
        for (std::byte byte : tensor.bytes)
          sum += std::to_integer<int64_t>(byte);
      read += sum >= 0;
    } catch (const Error &) {
      ++refused;
    }
  }
  EXPECT_EQ(refused + read, 4000);
  EXPECT_GT(refused, 2000);
  EXPECT_GT(read, 200) << "mutations must reach the data too";
}
