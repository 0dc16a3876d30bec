//===- Weights.cpp - The weights of a session -----------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Weights.h"

#include "runtime/Convert.h"
#include "runtime/RopeTable.h"
#include "runtime/Shape.h"
#include "runtime/Upload.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <sys/mman.h>
#include <unistd.h>

using namespace fk;

namespace {

size_t alignUp(size_t bytes) { return (bytes + 255) & ~size_t(255); }

/// Edit distance, for "did you mean".
size_t getDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t(0));
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string getCloseNames(const Checkpoint &checkpoint, std::string_view name) {
  std::vector<std::pair<size_t, std::string>> ranked;
  for (std::string &other : checkpoint.getNames()) {
    size_t distance = getDistance(name, other);
    ranked.emplace_back(distance, std::move(other));
  }
  std::sort(ranked.begin(), ranked.end());
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(3, ranked.size()); ++i)
    text += (i ? ", " : "") + ranked[i].second;
  return text.empty() ? "an empty checkpoint" : "the closest are " + text;
}

/// A part of a weight, resolved against the checkpoint or the plan alone.
struct Segment {
  const PlanWeight *weight;
  const WeightPart *part;
  int64_t rows;        ///< of the part
  int64_t rowElements; ///< elements of a row
  std::byte *dst;      ///< in the weight
  const TensorView *view = nullptr;
};

void addSegments(std::vector<Segment> &segments, const PlanWeight &weight,
                 const TensorRef &tensor, const std::vector<int64_t> &rows) {
  int64_t rowElements = 1;
  for (size_t i = 1; i < tensor.shape.size(); ++i)
    rowElements *= tensor.shape[i];
  auto *dst = static_cast<std::byte *>(tensor.data);
  for (size_t i = 0; i < weight.parts.size(); ++i) {
    segments.push_back({&weight, &weight.parts[i], rows[i], rowElements, dst});
    dst += rows[i] * rowElements * getSizeInBytes(weight.dtype);
  }
}

/// Checks a part against the checkpoint and says how many rows it gives.
int64_t resolvePart(const PlanWeight &weight, const WeightPart &part,
                    const std::vector<int64_t> &shape,
                    const Checkpoint &checkpoint, const TensorView *&view) {
  view = checkpoint.find(part.tensor);
  if (!view)
    throw Error({.what = "the checkpoint lacks a tensor",
                 .where = "weight '" + weight.name + "'",
                 .wanted = "'" + part.tensor + "'",
                 .got = getCloseNames(checkpoint, part.tensor),
                 .mend = "check that the checkpoint belongs to the model"});
  std::string file = checkpoint.getFileOf(part.tensor).string();
  auto fail = [&](std::string what, std::string wanted, std::string got) {
    throw Error({.what = "tensor '" + part.tensor + "' " + what,
                 .where = file,
                 .wanted = std::move(wanted),
                 .got = std::move(got),
                 .mend = "check the sizes in config.json"});
  };
  if (!canConvert(view->dtype, weight.dtype))
    fail("has the wrong element type",
         isFloat(weight.dtype) ? "a floating type"
                               : std::string(getName(weight.dtype)),
         std::string(getName(view->dtype)));
  bool whole = weight.parts.size() == 1 && part.begin == 0 && part.end == -1;
  bool tailFits = view->shape.size() == shape.size() &&
                  (shape.empty() || std::equal(shape.begin() + 1, shape.end(),
                                               view->shape.begin() + 1));
  if (whole) {
    if (view->shape != shape)
      fail("has the wrong shape", formatShape(shape), formatShape(view->shape));
    return shape.empty() ? 1 : shape[0];
  }
  if (shape.empty() || !tailFits) {
    std::vector<int64_t> tail(shape.begin() + !shape.empty(), shape.end());
    std::string text = formatShape(tail);
    fail("has the wrong shape",
         "[rows" + (tail.empty() ? "]" : ", " + text.substr(1)),
         formatShape(view->shape));
  }
  int64_t end = part.end == -1 ? view->shape[0] : part.end;
  if (part.begin < 0 || end < part.begin || end > view->shape[0])
    fail("has too few rows",
         "rows " + std::to_string(part.begin) + " to " + std::to_string(end),
         std::to_string(view->shape[0]) + " rows");
  return end - part.begin;
}

/// A tensor of which no weight takes the last rows has the wrong shape: parts
/// that split it between them cover it.
void checkWhole(const std::vector<Segment> &segments,
                const Checkpoint &checkpoint) {
  std::map<const TensorView *, std::pair<const WeightPart *, int64_t>> ends;
  for (const Segment &segment : segments) {
    auto &[part, end] = ends[segment.view];
    part = segment.part;
    end = std::max(end, segment.part->begin + segment.rows);
  }
  for (const auto &[view, used] : ends) {
    auto [part, end] = used;
    if (!view->shape.empty() && end != view->shape[0])
      throw Error({.what = "tensor '" + part->tensor + "' has the wrong shape",
                   .where = checkpoint.getFileOf(part->tensor).string(),
                   .wanted = std::to_string(end) + " rows",
                   .got = std::to_string(view->shape[0]),
                   .mend = "check the sizes in config.json"});
  }
}

/// Maps the pages of a span in, in one go, and finds out here (not by a signal)
/// that the file has shrunk since it was opened.
void populate(std::span<const std::byte> bytes, const std::string &tensor) {
#ifdef MADV_POPULATE_READ
  auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  auto begin = reinterpret_cast<uintptr_t>(bytes.data()) & ~(page - 1);
  auto end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size());
  if (madvise(reinterpret_cast<void *>(begin), end - begin,
              MADV_POPULATE_READ) != 0 &&
      (errno == EFAULT || errno == EIO))
    throw Error({.what = "tensor '" + tensor + "' cannot be read",
                 .wanted = std::to_string(bytes.size()) + " bytes",
                 .got = std::strerror(errno),
                 .mend = "has the file been cut since it was opened?"});
#else
  (void)bytes;
  (void)tensor;
#endif
}

uint64_t mix(uint64_t x) { // the finalizer of splitmix64
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

uint64_t hashName(std::string_view name) { // FNV-1a
  uint64_t hash = 0xcbf29ce484222325u;
  for (char c : name)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// Values [begin, begin + count) of the tensor that `key` stands for. They are
/// bf16 numbers, so that a model drawn in bf16 and in f32 is the same model.
void drawNormal(uint64_t key, uint64_t begin, float mean, float *out,
                size_t count) {
  // Four 16-bit uniforms have a sum of variance 4 (2^32 - 1) / 12.
  constexpr float scale = 0.02f / 37837.227f;
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = mix(key + (begin + i) * 0x9e3779b97f4a7c15u);
    auto sum = static_cast<int32_t>((bits & 0xffff) + (bits >> 16 & 0xffff) +
                                    (bits >> 32 & 0xffff) + (bits >> 48));
    float value = mean + static_cast<float>(sum - 131070) * scale;
    out[i] = std::bit_cast<float>(uint32_t(floatToBFloat16(value)) << 16);
  }
}

/// Cuts a segment into pieces of rows' elements that fit the staging buffers.
template <typename Make>
void addPieces(std::vector<UploadPiece> &pieces, const Segment &segment,
               const Make &make) {
  auto size = static_cast<size_t>(getSizeInBytes(segment.weight->dtype));
  size_t count = static_cast<size_t>(segment.rows * segment.rowElements);
  size_t step = uploadPieceBytes / size;
  for (size_t begin = 0; begin < count; begin += step) {
    size_t length = std::min(step, count - begin);
    pieces.push_back({segment.dst + begin * size, length * size,
                      [=](void *host) { make(segment, begin, length, host); }});
  }
}

} // namespace

WeightStore::WeightStore(std::shared_ptr<const Plan> owner, Device &device,
                         const AxisValues &symbols)
    : plan(std::move(owner)), device(device) {
  size_t total = 0;
  for (const PlanWeight &weight : plan->weights) {
    TensorRef tensor{
        nullptr, weight.dtype,
        evaluateDims(weight.shape, symbols, "weight '" + weight.name + "'")};
    if (weight.ropeTable)
      checkRopeTable(*weight.ropeTable, "weight '" + weight.name + "'");
    total += alignUp(static_cast<size_t>(tensor.getSizeInBytes()));
    entries.emplace(weight.name, Entry{&weight, std::move(tensor)});
  }
  memory = DeviceBuffer(device, total);
  auto *next = static_cast<std::byte *>(memory.data());
  ready = true;
  for (auto &[name, entry] : entries) {
    entry.tensor.data = next;
    next += alignUp(static_cast<size_t>(entry.tensor.getSizeInBytes()));
    ready &= entry.weight->ropeTable.has_value();
  }
}

void WeightStore::load(const Checkpoint &checkpoint, const Progress &progress) {
  std::vector<Segment> segments;
  for (auto &[name, entry] : entries) {
    const PlanWeight &weight = *entry.weight;
    if (weight.ropeTable)
      continue;
    std::vector<int64_t> rows;
    std::vector<const TensorView *> views;
    for (const WeightPart &part : weight.parts)
      rows.push_back(resolvePart(weight, part, entry.tensor.shape, checkpoint,
                                 views.emplace_back()));
    int64_t sum = std::accumulate(rows.begin(), rows.end(), int64_t(0));
    int64_t wanted = entry.tensor.shape.empty() ? 1 : entry.tensor.shape[0];
    if (sum != wanted) {
      std::string names;
      for (const WeightPart &part : weight.parts)
        names += (names.empty() ? "" : " + ") + part.tensor;
      throw Error(
          {.what = "the parts of weight '" + name + "' do not make its rows",
           .where = names,
           .wanted = std::to_string(wanted),
           .got = std::to_string(sum),
           .mend = "check the sizes in config.json"});
    }
    size_t first = segments.size();
    addSegments(segments, weight, entry.tensor, rows);
    for (size_t i = 0; i < views.size(); ++i)
      segments[first + i].view = views[i];
  }

  checkWhole(segments, checkpoint);

  std::vector<UploadPiece> pieces;
  for (const Segment &segment : segments)
    addPieces(
        pieces, segment,
        [](const Segment &segment, size_t begin, size_t count, void *host) {
          auto size = static_cast<size_t>(getSizeInBytes(segment.view->dtype));
          size_t offset =
              static_cast<size_t>(segment.part->begin * segment.rowElements) +
              begin;
          auto source =
              segment.view->bytes.subspan(offset * size, count * size);
          populate(source, segment.part->tensor);
          convertElements(source.data(), segment.view->dtype, host,
                          segment.weight->dtype, count);
        });
  ready = false;
  upload(device, pieces, progress);
  ready = true;
}

void WeightStore::draw(uint64_t seed, const Progress &progress) {
  std::vector<Segment> segments;
  for (auto &[name, entry] : entries) {
    const PlanWeight &weight = *entry.weight;
    if (weight.ropeTable)
      continue;
    // Without a checkpoint only one part may leave its length open.
    int64_t wanted = entry.tensor.shape.empty() ? 1 : entry.tensor.shape[0];
    int64_t known = 0, open = 0;
    for (const WeightPart &part : weight.parts)
      part.end == -1 ? ++open : known += part.end - part.begin;
    if (open > 1 || known > wanted || (open == 0 && known != wanted))
      throw Error({.what = "weight '" + name + "' cannot be drawn",
                   .where = "the plan",
                   .wanted = std::to_string(wanted) + " rows, at most one part "
                                                      "of open length",
                   .got = std::to_string(known) + " rows and " +
                          std::to_string(open) + " open parts",
                   .mend = "compile the model again"});
    std::vector<int64_t> rows;
    for (const WeightPart &part : weight.parts)
      rows.push_back(part.end == -1 ? wanted - known : part.end - part.begin);
    addSegments(segments, weight, entry.tensor, rows);
  }

  std::vector<UploadPiece> pieces;
  for (const Segment &segment : segments)
    addPieces(
        pieces, segment,
        [seed](const Segment &segment, size_t begin, size_t count, void *host) {
          const std::string &name = segment.part->tensor;
          uint64_t key = mix(mix(seed + 0x9e3779b97f4a7c15u) ^ hashName(name));
          bool isScale =
              segment.weight->shape.size() == 1 && !name.ends_with("bias");
          DType dtype = segment.weight->dtype;
          auto size = static_cast<size_t>(getSizeInBytes(dtype));
          uint64_t offset =
              static_cast<uint64_t>(segment.part->begin * segment.rowElements) +
              begin;
          float values[1024];
          for (size_t done = 0; done < count; done += std::size(values)) {
            size_t length = std::min(std::size(values), count - done);
            drawNormal(key, offset + done, isScale ? 1.0f : 0.0f, values,
                       length);
            convertElements(values, DType::F32,
                            static_cast<std::byte *>(host) + done * size, dtype,
                            length);
          }
        });
  ready = false;
  upload(device, pieces, progress);
  ready = true;
}

void WeightStore::setLongestSequence(Stream &stream, int64_t length) {
  for (auto &[name, entry] : entries) {
    if (!entry.weight->ropeTable)
      continue;
    const RopeTable &table = *entry.weight->ropeTable;
    int64_t regime = getRopeRegime(table, length);
    if (entry.regime == regime)
      continue;
    // Rows behind the longest sequence are needed only while the table stays.
    int64_t rows = entry.tensor.shape[0];
    if (table.type == "dynamic" && regime != 0)
      rows = std::min(rows, length);
    std::vector<float> values = computeRopeTable(table, length, rows);
    std::vector<std::byte> converted;
    const void *source = values.data();
    if (entry.tensor.dtype != DType::F32) {
      converted.resize(values.size() *
                       static_cast<size_t>(getSizeInBytes(entry.tensor.dtype)));
      convertElements(values.data(), DType::F32, converted.data(),
                      entry.tensor.dtype, values.size());
      source = converted.data();
    }
    stream.copyToDevice(entry.tensor.data, source,
                        values.size() * static_cast<size_t>(getSizeInBytes(
                                            entry.tensor.dtype)));
    stream.synchronize(); // the source is about to go
    entry.regime = regime;
  }
}

const TensorRef &WeightStore::get(std::string_view name) const {
  auto found = entries.find(name);
  if (found == entries.end())
    throw Error({.what = "the plan has no weight '" + std::string(name) + "'"});
  return found->second.tensor;
}
