//===- Cubin.cpp - Machine code in ELF and in fat binaries ----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A cubin is a little-endian ELF64 file of machine 190. Entries are the global
// functions with the STO_CUDA_ENTRY bit; parameters, block limits and registers
// stand in .nv.info sections as a list of attributes:
//
//   byte format, byte attribute, then a 16-bit value (formats 1..3), or a
//   16-bit length and that many bytes (format 4)
//
//===----------------------------------------------------------------------===//

#include "lib/Candidate/Image.h"

#include <algorithm>
#include <cstring>
#include <map>

using namespace fk;

namespace {

/// Bytes of which every read is checked.
class Reader {
public:
  Reader(std::string_view bytes, std::string_view where)
      : bytes(bytes), where(where) {}

  template <typename T> T read(uint64_t offset) const {
    T value;
    std::string_view piece = slice(offset, sizeof(T));
    std::memcpy(&value, piece.data(), sizeof(T));
    return value;
  }
  std::string_view slice(uint64_t offset, uint64_t size) const {
    if (offset > bytes.size() || size > bytes.size() - offset)
      failCandidate("the image is cut off or lies about its layout", where,
                    std::to_string(size) + " bytes at offset " +
                        std::to_string(offset),
                    "a file of " + std::to_string(bytes.size()) + " bytes",
                    "compile it again");
    return bytes.substr(offset, size);
  }
  /// The NUL-terminated string at `offset`.
  std::string_view readString(uint64_t offset) const {
    std::string_view rest = slice(offset, 0).empty() && offset <= bytes.size()
                                ? bytes.substr(offset)
                                : std::string_view();
    size_t end = rest.find('\0');
    if (end == std::string_view::npos)
      failCandidate("a name in the image is not closed", where, "a NUL byte",
                    "the end of the section", "compile it again");
    return rest.substr(0, end);
  }
  size_t size() const { return bytes.size(); }

private:
  std::string_view bytes, where;
};

struct Section {
  std::string_view name;
  uint32_t type = 0, link = 0, info = 0;
  uint64_t offset = 0, size = 0;
};

constexpr uint32_t sectionNoBits = 8, sectionSymbols = 2;

// Attributes of .nv.info.
constexpr uint8_t formatSized = 4;
constexpr uint8_t attrMaxThreads = 0x05, attrRequiredThreads = 0x10,
                  attrParam = 0x17, attrRegisters = 0x2f, attrParamV2 = 0x45,
                  attrClusterRequired = 0x3d;

class CubinParser {
public:
  CubinParser(std::string_view bytes, std::string_view where)
      : file(bytes, where), where(where) {}

  ImageInfo parse() {
    parseHeader();
    parseSections();
    parseSymbols();
    for (const Section &section : sections)
      if (section.name == ".nv.info")
        parseModuleAttributes(section);
    for (ImageEntry &entry : info.entries) {
      for (const Section &section : sections) {
        if (section.name == ".nv.info." + entry.name)
          parseEntryAttributes(section, entry);
        else if (section.name == ".nv.shared." + entry.name)
          parseShared(section, entry);
      }
    }
    return std::move(info);
  }

private:
  void parseHeader() {
    if (file.size() < 64 || file.slice(0, 4) != "\x7f"
                                                "ELF")
      failCandidate("this is no cubin", where, "an ELF file",
                    std::to_string(file.size()) + " other bytes");
    if (file.read<uint8_t>(4) != 2 || file.read<uint8_t>(5) != 1)
      failCandidate("this is no cubin", where, "a little-endian ELF64 file",
                    "another ELF class");
    uint16_t machine = file.read<uint16_t>(18);
    if (machine != 190)
      failCandidate("this is no cubin", where, "ELF machine 190 (CUDA)",
                    "machine " + std::to_string(machine),
                    "give the device code, not a host object");
    uint32_t flags = file.read<uint32_t>(48);
    // Since ABI 8 (CUDA 13) the architecture stands in the second byte.
    uint32_t arch =
        file.read<uint8_t>(8) >= 8 ? (flags >> 8) & 0xff : flags & 0xff;
    if (arch < 50 || arch > 150)
      failCandidate("the cubin names no known architecture", where,
                    "sm_50 to sm_150", "flags " + std::to_string(flags));
    info.kind = "cubin";
    info.target = "sm_" + std::to_string(arch);
  }

  void parseSections() {
    uint64_t table = file.read<uint64_t>(40);
    uint16_t entryBytes = file.read<uint16_t>(58);
    uint16_t count = file.read<uint16_t>(60);
    uint16_t names = file.read<uint16_t>(62);
    if (entryBytes != 64 || count == 0 || names >= count)
      failCandidate("the cubin's section table is not usable", where,
                    "entries of 64 bytes and a name section",
                    std::to_string(count) + " of " +
                        std::to_string(entryBytes) + " bytes");
    file.slice(table, uint64_t(count) * 64);
    std::vector<uint32_t> nameOffsets;
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t at = table + i * 64;
      Section section;
      nameOffsets.push_back(file.read<uint32_t>(at));
      section.type = file.read<uint32_t>(at + 4);
      section.offset = file.read<uint64_t>(at + 24);
      section.size = file.read<uint64_t>(at + 32);
      section.link = file.read<uint32_t>(at + 40);
      section.info = file.read<uint32_t>(at + 44);
      if (section.type != sectionNoBits)
        file.slice(section.offset, section.size);
      sections.push_back(section);
    }
    Reader strings = contents(sections[names]);
    for (size_t i = 0; i < sections.size(); ++i)
      sections[i].name = strings.readString(nameOffsets[i]);
  }

  Reader contents(const Section &section) const {
    if (section.type == sectionNoBits)
      return Reader({}, where);
    return Reader(file.slice(section.offset, section.size), where);
  }

  void parseSymbols() {
    for (const Section &section : sections) {
      if (section.type != sectionSymbols)
        continue;
      if (section.link >= sections.size())
        failCandidate("the cubin's symbol table names no string table", where);
      Reader symbols = contents(section),
             strings = contents(sections[section.link]);
      for (uint64_t at = 0; at + 24 <= section.size; at += 24) {
        uint8_t type = symbols.read<uint8_t>(at + 4) & 0xf;
        uint8_t other = symbols.read<uint8_t>(at + 5);
        constexpr uint8_t function = 2, entryBit = 0x10;
        if (type != function || !(other & entryBit))
          continue;
        ImageEntry entry;
        entry.name = strings.readString(symbols.read<uint32_t>(at));
        entryOfSymbol[at / 24] = info.entries.size();
        info.entries.push_back(std::move(entry));
      }
    }
  }

  /// Calls handle(attribute, payload) for each attribute with a payload.
  template <typename Handler>
  void forEachAttribute(const Section &section, Handler handle) {
    Reader reader = contents(section);
    uint64_t at = 0;
    while (at < reader.size()) {
      uint8_t format = reader.read<uint8_t>(at);
      uint8_t attribute = reader.read<uint8_t>(at + 1);
      uint16_t value = reader.read<uint16_t>(at + 2);
      at += 4;
      if (format == formatSized) {
        handle(attribute, Reader(reader.slice(at, value), where));
        at += value;
      } else if (format < 1 || format > 3) {
        failCandidate("the cubin's .nv.info has an unknown format", where,
                      "1 to 4", std::to_string(format));
      }
    }
  }

  void parseModuleAttributes(const Section &section) {
    forEachAttribute(section, [&](uint8_t attribute, Reader payload) {
      if (attribute != attrRegisters || payload.size() < 8)
        return;
      auto it = entryOfSymbol.find(payload.read<uint32_t>(0));
      if (it != entryOfSymbol.end())
        info.entries[it->second].registers = payload.read<uint32_t>(4);
    });
  }

  void parseEntryAttributes(const Section &section, ImageEntry &entry) {
    std::map<uint16_t, int64_t> sizes;
    forEachAttribute(section, [&](uint8_t attribute, Reader payload) {
      if (attribute == attrParam && payload.size() >= 12) {
        sizes[payload.read<uint16_t>(4)] =
            (payload.read<uint32_t>(8) >> 18) & 0x3fff;
      } else if (attribute == attrParamV2 && payload.size() >= 12) {
        failCandidate("the cubin describes its parameters in a newer way",
                      where, "EIATTR_KPARAM_INFO", "EIATTR_KPARAM_INFO_V2",
                      "give the PTX");
      } else if ((attribute == attrRequiredThreads ||
                  attribute == attrMaxThreads) &&
                 payload.size() >= 12) {
        std::array<int64_t, 3> extents;
        for (int i = 0; i < 3; ++i)
          extents[i] =
              std::clamp<int64_t>(payload.read<uint32_t>(4 * i), 1, 65536);
        if (attribute == attrRequiredThreads)
          entry.requiredBlock = extents;
        else
          entry.maxThreads = extents[0] * extents[1] * extents[2];
      } else if (attribute == attrClusterRequired && payload.size() >= 12) {
        std::array<int64_t, 3> extents;
        for (int i = 0; i < 3; ++i)
          extents[i] = payload.read<uint32_t>(4 * i);
        if (extents[0] > 0)
          entry.requiredCluster = extents;
      }
    });
    if (!sizes.empty() && sizes.rbegin()->first != sizes.size() - 1)
      failCandidate("the cubin's parameters of '" + entry.name +
                        "' are not numbered without gaps",
                    where);
    for (const auto &[ordinal, bytes] : sizes)
      entry.params.push_back({bytes, "", false});
  }

  void parseShared(const Section &section, ImageEntry &entry) {
    if (section.size > (uint64_t(1) << 40))
      failCandidate("the cubin's shared memory of '" + entry.name +
                        "' has no usable size",
                    where);
    entry.staticShared = section.size;
    // Since sm_90 the first KiB of the section is the system's own, outside of
    // what a block may ask for.
    for (const Section &other : sections)
      if (other.name.starts_with(".nv.shared.reserved.") &&
          entry.staticShared >= 1024) {
        entry.staticShared -= 1024;
        break;
      }
  }

  Reader file;
  std::string_view where;
  ImageInfo info;
  std::vector<Section> sections;
  std::map<uint64_t, size_t> entryOfSymbol;
};

} // namespace

ImageInfo fk::parseCubin(std::string_view bytes, std::string_view where) {
  return CubinParser(bytes, where).parse();
}

ImageInfo fk::parseFatbin(std::string_view bytes, std::string_view arch,
                          std::string_view where) {
  Reader file(bytes, where);
  if (bytes.size() < 16 || file.read<uint32_t>(0) != 0xba55ed50)
    failCandidate("this is no fat binary", where, "the magic number ba55ed50");
  uint64_t at = file.read<uint16_t>(6);
  uint64_t size = file.read<uint64_t>(8);
  file.slice(at, size);
  uint64_t end = at + size;
  std::string found;
  while (at + 64 <= end) {
    uint32_t headerBytes = file.read<uint32_t>(at + 4);
    uint64_t payloadBytes = file.read<uint64_t>(at + 8);
    uint32_t number = file.read<uint32_t>(at + 28);
    if (headerBytes < 64)
      failCandidate("the fat binary's members are not readable", where,
                    "headers of 64 bytes or more", std::to_string(headerBytes));
    at += headerBytes;
    std::string_view payload = file.slice(at, payloadBytes);
    at += payloadBytes;
    found += (found.empty() ? "sm_" : ", sm_") + std::to_string(number);
    if (!payload.starts_with("\x7f"
                             "ELF")) {
      found += " (compressed or PTX)";
      continue;
    }
    ImageInfo info = parseCubin(payload, where);
    try {
      checkTarget("cubin", info.target, arch, where);
    } catch (const Error &) {
      continue;
    }
    info.kind = "fatbin";
    return info;
  }
  failCandidate("the fat binary has no readable machine code", where,
                "an uncompressed cubin for " + std::string(arch),
                found.empty() ? "no member" : found,
                "give the .cubin or the .ptx instead");
}
