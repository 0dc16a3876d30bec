//===- Safetensors.cpp - The one hardened reader and writer ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The layout: eight bytes that hold the header's length, little-endian; the
// header, a JSON object; the tensors' bytes, without gaps. The header is read
// by events, so that a hostile one cannot make us build a tree of it.
//
//===----------------------------------------------------------------------===//

#include "runtime/support/Safetensors.h"
#include "runtime/support/Error.h"
#include "runtime/support/File.h"
#include "runtime/support/Json.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <numeric>
#include <optional>
#include <set>
#include <sys/mman.h>
#include <sys/stat.h>

using namespace fk;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr size_t lengthBytes = 8;
/// The limits of the safetensors library, and a rank nobody exceeds.
constexpr uint64_t maxHeaderBytes = 100'000'000;
constexpr size_t maxRank = 32;

std::string formatShape(const std::vector<int64_t> &shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

/// A tensor as the header describes it.
struct Entry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<int64_t>> shape;
  std::optional<std::vector<int64_t>> offsets;
};

/// The integer type of the size of a type that fk does not compute with.
std::optional<DType> getIntegerOf(std::string_view type) {
  if (type == "U16")
    return DType::I16;
  if (type == "U32")
    return DType::I32;
  if (type == "U64")
    return DType::I64;
  if (type == "F8_E4M3" || type == "F8_E5M2" || type == "F8_E8M0")
    return DType::U8;
  return std::nullopt;
}

/// Reads the header's JSON event by event. Depth 1 is the header's object,
/// depth 2 a tensor or the metadata, depth 3 a shape or a pair of offsets.
class HeaderReader final : public json::json_sax_t {
public:
  HeaderReader(const fs::path &path, SafetensorsFile::OtherTypes others)
      : path(path), others(others) {}

  std::vector<Entry> entries;
  std::map<std::string, std::string, std::less<>> metadata;

  [[noreturn]] void fail(ErrorText text) const {
    text.where = path.string();
    throw Error(std::move(text));
  }

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool binary(binary_t &) override { return unexpected("binary data"); }
  bool number_float(number_float_t, const string_t &text) override {
    return unexpected("the number " + text.substr(0, 40));
  }
  bool number_integer(number_integer_t value) override {
    return unexpected("the number " + std::to_string(value));
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (!list || value > uint64_t(INT64_MAX))
      return unexpected("the number " + std::to_string(value));
    if (list->size() == maxRank)
      fail({.what = describe() + " has too many entries in '" + field + "'",
            .wanted = "at most " + std::to_string(maxRank)});
    list->push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(string_t &value) override {
    if (depth == 2 && inMetadata) {
      metadata[field] = std::move(value);
      return true;
    }
    if (depth != 2 || field != "dtype")
      return unexpected("the string '" + value.substr(0, 40) + "'");
    entries.back().dtype = parseSafetensorsDType(value);
    if (!entries.back().dtype &&
        others == SafetensorsFile::OtherTypes::AsIntegers)
      entries.back().dtype = getIntegerOf(value);
    if (!entries.back().dtype)
      fail({.what = describe() + " has an element type that fk does not read",
            .wanted = "F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL",
            .got = "'" + value.substr(0, 40) + "'",
            .mend = "convert the checkpoint, or leave this tensor out"});
    return true;
  }

  bool start_object(size_t) override {
    if (list || depth == 2)
      return unexpected("an object");
    if (++depth == 2) {
      inMetadata = name == "__metadata__";
      fields.clear();
      if (!inMetadata)
        entries.push_back({name, {}, {}, {}});
    }
    return true;
  }

  bool end_object() override {
    if (depth == 2 && !inMetadata) {
      const Entry &entry = entries.back();
      const char *missing = !entry.dtype     ? "dtype"
                            : !entry.shape   ? "shape"
                            : !entry.offsets ? "data_offsets"
                                             : nullptr;
      if (missing)
        fail({.what = describe() + " lacks '" + missing + "'"});
    }
    --depth;
    return true;
  }

  bool start_array(size_t) override {
    if (depth != 2 || inMetadata || list ||
        (field != "shape" && field != "data_offsets"))
      return unexpected("an array");
    auto &target =
        field == "shape" ? entries.back().shape : entries.back().offsets;
    list = &target.emplace();
    return true;
  }

  bool end_array() override {
    if (field == "data_offsets" && list->size() != 2)
      fail({.what = describe() + " has malformed data_offsets",
            .wanted = "two integers",
            .got = std::to_string(list->size())});
    list = nullptr;
    return true;
  }

  bool key(string_t &value) override {
    if (depth == 1) {
      if (!names.insert(value).second)
        fail({.what = "tensor '" + value + "' stands twice in the header"});
      name = value;
      return true;
    }
    if (!fields.insert(value).second)
      fail({.what = "key '" + value + "' stands twice in " + describe()});
    if (!inMetadata && value != "dtype" && value != "shape" &&
        value != "data_offsets")
      fail({.what = "unknown key '" + value + "' in " + describe(),
            .wanted = "dtype, shape and data_offsets"});
    field = value;
    return true;
  }

  bool parse_error(size_t position, const std::string &,
                   const json::exception &exception) override {
    fail({.what = "the header is not valid JSON at byte " +
                  std::to_string(lengthBytes + position),
          .got = getJsonMessage(exception)});
  }

private:
  std::string describe() const {
    if (depth < 2)
      return "the header";
    return inMetadata ? "__metadata__" : "tensor '" + name + "'";
  }

  [[noreturn]] bool unexpected(const std::string &got) const {
    std::string wanted = "an object of tensors";
    if (depth == 1)
      wanted = "an object for '" + name + "'";
    else if (depth == 2 && inMetadata)
      wanted = "a string for '" + field + "'";
    else if (depth == 2)
      wanted = field == "dtype"
                   ? "a string for 'dtype'"
                   : "a list of integers, 0 or more, for '" + field + "'";
    fail({.what = describe() + " is malformed", .wanted = wanted, .got = got});
  }

  const fs::path &path;
  SafetensorsFile::OtherTypes others;
  std::set<std::string> names, fields;
  std::string name, field;
  std::vector<int64_t> *list = nullptr;
  int depth = 0;
  bool inMetadata = false;
};

/// Bytes of a tensor; nullopt where they, or those of any slice of it, do not
/// fit in 64 bits.
std::optional<int64_t> computeBytes(DType dtype,
                                    const std::vector<int64_t> &shape) {
  int64_t product = getSizeInBytes(dtype);
  bool empty = false;
  for (int64_t extent : shape) {
    empty |= extent == 0;
    if (extent < 0 ||
        __builtin_mul_overflow(product, std::max<int64_t>(extent, 1), &product))
      return std::nullopt;
  }
  return empty ? 0 : product;
}

/// Checks that the tensors cover the data without overlap or gap.
void checkLayout(std::vector<Entry> &entries, uint64_t dataBytes,
                 const HeaderReader &reader) {
  std::vector<const Entry *> order;
  for (const Entry &entry : entries) {
    std::string what = "tensor '" + entry.name + "' ";
    auto bytes = computeBytes(*entry.dtype, *entry.shape);
    if (!bytes)
      reader.fail({.what = what + "is impossibly large",
                   .wanted = "fewer than 2^63 bytes",
                   .got = formatShape(*entry.shape)});
    int64_t begin = (*entry.offsets)[0], end = (*entry.offsets)[1];
    if (begin > end)
      reader.fail({.what = what + "ends before it begins",
                   .wanted = "data_offsets [begin, end]",
                   .got = formatShape(*entry.offsets)});
    if (static_cast<uint64_t>(end) > dataBytes)
      reader.fail({.what = what + "lies outside the file's data",
                   .wanted = "an end of at most " + std::to_string(dataBytes),
                   .got = std::to_string(end),
                   .mend = "the file may be cut off: fetch it again"});
    if (end - begin != *bytes)
      reader.fail({.what = what + "has a size that its shape does not give",
                   .wanted = std::to_string(*bytes) + " bytes for " +
                             std::string(getSafetensorsName(*entry.dtype)) +
                             formatShape(*entry.shape),
                   .got = std::to_string(end - begin)});
    order.push_back(&entry);
  }
  std::sort(order.begin(), order.end(), [](const Entry *a, const Entry *b) {
    return *a->offsets < *b->offsets;
  });
  int64_t covered = 0;
  for (const Entry *entry : order) {
    int64_t begin = (*entry->offsets)[0];
    if (begin != covered)
      reader.fail({.what = "tensor '" + entry->name + "' " +
                           (begin < covered ? "overlaps the tensor before it"
                                            : "leaves a gap before it"),
                   .wanted = "a begin of " + std::to_string(covered),
                   .got = std::to_string(begin)});
    covered = (*entry->offsets)[1];
  }
  if (static_cast<uint64_t>(covered) != dataBytes)
    reader.fail({.what = "the file holds bytes that belong to no tensor",
                 .wanted = std::to_string(covered) + " bytes of data",
                 .got = std::to_string(dataBytes)});
}

} // namespace

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

int64_t TensorView::getNumElements() const {
  return static_cast<int64_t>(bytes.size()) / getSizeInBytes(dtype);
}

static std::span<const std::byte> mapFile(const fs::path &path) {
  // Without O_NONBLOCK, opening a pipe would wait for its writer.
  FileHandle file(path, O_RDONLY | O_NONBLOCK);
  struct stat info;
  if (!file || ::fstat(file.get(), &info) != 0)
    throw makeSystemError("cannot open", path, errno);
  if (!S_ISREG(info.st_mode))
    throw Error({.what = "not a safetensors file",
                 .where = path.string(),
                 .wanted = "a regular file",
                 .got = S_ISDIR(info.st_mode) ? "a folder" : "a special file"});
  auto size = static_cast<size_t>(info.st_size);
  if (size < lengthBytes)
    throw Error({.what = "not a safetensors file",
                 .where = path.string(),
                 .wanted = "at least 8 bytes",
                 .got = std::to_string(size)});
  void *address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED)
    throw makeSystemError("cannot map", path, errno);
  return {static_cast<const std::byte *>(address), size};
}

std::shared_ptr<const SafetensorsFile>
SafetensorsFile::open(const fs::path &path, OtherTypes others) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->path = path;
  file->mapping = mapFile(path);

  uint64_t headerBytes = 0;
  for (size_t i = lengthBytes; i-- > 0;)
    headerBytes =
        headerBytes << 8 | std::to_integer<uint64_t>(file->mapping[i]);
  uint64_t rest = file->mapping.size() - lengthBytes;
  if (headerBytes > rest || headerBytes > maxHeaderBytes) {
    std::string_view start(reinterpret_cast<const char *>(file->mapping.data()),
                           lengthBytes);
    throw Error(
        {.what = "the header's length is impossible",
         .where = path.string(),
         .wanted = "at most " + std::to_string(std::min(rest, maxHeaderBytes)),
         .got = std::to_string(headerBytes),
         .mend = start == "version "
                     ? "this is a Git LFS pointer: run git lfs pull"
                     : "the file is cut off or no safetensors file"});
  }

  auto header = file->mapping.subspan(lengthBytes, headerBytes);
  const char *text = reinterpret_cast<const char *>(header.data());
  HeaderReader reader(file->path, others);
  if (headerBytes == 0 || text[0] != '{')
    reader.fail({.what = "the header is malformed",
                 .wanted = "a JSON object that begins at byte 8"});
  json::sax_parse(text, text + header.size(), &reader);

  auto data = file->mapping.subspan(lengthBytes + headerBytes);
  checkLayout(reader.entries, data.size(), reader);
  file->metadata = std::move(reader.metadata);
  for (Entry &entry : reader.entries) {
    auto begin = static_cast<size_t>((*entry.offsets)[0]);
    auto end = static_cast<size_t>((*entry.offsets)[1]);
    file->tensors.emplace(std::move(entry.name),
                          TensorView{*entry.dtype, std::move(*entry.shape),
                                     data.subspan(begin, end - begin)});
  }
  return file;
}

SafetensorsFile::~SafetensorsFile() {
  if (!mapping.empty())
    ::munmap(const_cast<std::byte *>(mapping.data()), mapping.size());
}

const TensorView &SafetensorsFile::getTensor(std::string_view name) const {
  auto it = tensors.find(name);
  if (it != tensors.end())
    return it->second;
  throw Error({.what = "tensor '" + std::string(name) + "' is missing",
               .where = path.string(),
               .got = std::to_string(tensors.size()) + " other tensors"});
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// The largest power of two, up to 64, that a tensor's size is a multiple of.
static size_t getNaturalAlignment(size_t bytes) {
  return bytes == 0 ? 64 : std::min<size_t>(64, bytes & (~bytes + 1));
}

void fk::writeSafetensors(const fs::path &path,
                          const std::vector<TensorToWrite> &tensors,
                          const std::map<std::string, std::string> &metadata) {
  // The format allows no gaps, so the sizes that keep the alignment go first.
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    size_t first = getNaturalAlignment(tensors[a].bytes.size());
    size_t second = getNaturalAlignment(tensors[b].bytes.size());
    return first != second ? first > second : a < b;
  });
  std::vector<size_t> begins(tensors.size());
  size_t offset = 0;
  for (size_t i : order) {
    begins[i] = offset;
    offset += tensors[i].bytes.size();
  }

  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorToWrite &tensor = tensors[i];
    auto bytes = computeBytes(tensor.dtype, tensor.shape);
    if (!bytes || static_cast<size_t>(*bytes) != tensor.bytes.size())
      throw Error({.what = "tensor '" + tensor.name +
                           "' has a size that its shape does not give",
                   .where = path.string(),
                   .wanted = bytes ? std::to_string(*bytes) + " bytes for " +
                                         formatShape(tensor.shape)
                                   : "fewer than 2^63 bytes",
                   .got = std::to_string(tensor.bytes.size())});
    if (tensor.name == "__metadata__" || header.contains(tensor.name))
      throw Error({.what = "tensor name '" + tensor.name + "' is taken",
                   .where = path.string()});
    header[tensor.name] = {
        {"dtype", getSafetensorsName(tensor.dtype)},
        {"shape", tensor.shape},
        {"data_offsets", {begins[i], begins[i] + tensor.bytes.size()}}};
  }

  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception &exception) {
    throw Error({.what = "a name cannot be written as JSON",
                 .where = path.string(),
                 .got = getJsonMessage(exception)});
  }
  text.append((64 - (lengthBytes + text.size()) % 64) % 64, ' ');
  if (text.size() > maxHeaderBytes)
    throw Error({.what = "the header is too large",
                 .where = path.string(),
                 .wanted = "at most " + std::to_string(maxHeaderBytes),
                 .got = std::to_string(text.size())});
  char length[lengthBytes];
  for (size_t i = 0; i < lengthBytes; ++i)
    length[i] = static_cast<char>(text.size() >> (8 * i));

  std::vector<std::string_view> pieces = {{length, lengthBytes}, text};
  for (size_t i : order)
    pieces.emplace_back(reinterpret_cast<const char *>(tensors[i].bytes.data()),
                        tensors[i].bytes.size());
  writePiecesAtomically(path, pieces);
}
