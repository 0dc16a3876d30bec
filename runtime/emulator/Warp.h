//===- Warp.h - 32 lanes and what they are doing ---------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Lanes that have parted are fragments: each has its own program counter and
// runs on its own until it meets the others at the branch's immediate
// post-dominator. Lanes that wait there are let go early when nothing else in
// the block can move, as independent thread scheduling demands.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_WARP_H
#define FK_RUNTIME_EMULATOR_WARP_H

#include "runtime/emulator/Emulator.h"
#include "runtime/emulator/Kernel.h"
#include "runtime/emulator/Space.h"

#include <bit>
#include <memory>
#include <string>
#include <vector>

namespace fk::emulator {

class Block;

/// One activation of a function: where its lanes return to.
struct Frame {
  uint32_t parent = noIndex;
  uint32_t returnPc = 0;
  uint32_t function = 0;
  uint32_t call = 0;      ///< Kernel::calls
  uint32_t localBase = 0; ///< of its local memory
  uint32_t lanes = 0;     ///< still inside
  /// Registers of a recursive function as its caller's caller left them.
  std::vector<std::byte> savedFile;
  std::vector<uint32_t> savedUndefined;
};

/// Where lanes that parted meet.
struct Join {
  uint32_t pc = noIndex;
  uint32_t frame = noIndex;
  uint32_t expected = 0, arrived = 0;
  uint32_t parent = noIndex;
  bool isLive = false;
};

enum class FragmentState : uint8_t {
  Ready,
  Barrier,     ///< of the block: bar.sync
  WarpBarrier, ///< bar.warp.sync and the .sync instructions
  Cluster,     ///< barrier.cluster.wait
};

struct Fragment {
  uint32_t mask = 0, pc = 0;
  uint32_t join = noIndex, frame = noIndex;
  FragmentState state = FragmentState::Ready;
  uint32_t waitsFor = 0; ///< barrier number, or a warp barrier's mask
};

class Warp {
public:
  Warp();
  ~Warp();
  Warp(Warp &&) noexcept;

  /// Makes this warp number `index` of `block`, about to start.
  void start(Block &block, const Kernel &kernel, uint32_t index,
             uint32_t liveLanes);

  /// Runs until every fragment waits, or `quantum` instructions are done.
  /// Returns the instructions executed.
  uint64_t run(uint64_t quantum);

  bool isDone() const { return live == 0; }
  bool isReady() const;
  /// Lets lanes go that wait for others at a join. False: there are none.
  bool releaseJoins();
  /// Wakes the fragments in `state` that wait for `waitsFor`.
  void wake(FragmentState state, uint32_t waitsFor);

  //--- For handlers -------------------------------------------------------//

  template <class T> T *values(Reg reg) {
    return reinterpret_cast<T *>(file.data() + reg.offset);
  }
  uint32_t &predicate(Reg reg) { return *values<uint32_t>(reg); }

  uint32_t getUndefined(Reg reg) const { return undefined[reg.id]; }
  /// Which bytes of a lane's value are undefined, one bit each; 0: none.
  uint16_t getUndefinedBytes(Reg reg, uint32_t lane) const {
    return (undefined[reg.id] >> lane) & 1 ? undefinedBytes[reg.id * 32 + lane]
                                           : 0;
  }
  void setUndefinedBytes(Reg reg, uint32_t lane, uint16_t bytes) {
    if (bytes) {
      undefined[reg.id] |= 1u << lane;
      undefinedBytes[reg.id * 32 + lane] = bytes;
    } else {
      undefined[reg.id] &= ~(1u << lane);
    }
  }
  /// After `active` lanes of `reg` were written: those of `lanes` are undefined
  /// in every byte, the rest defined.
  void setUndefined(Reg reg, uint32_t active, uint32_t lanes) {
    uint32_t now = lanes & active;
    undefined[reg.id] = (undefined[reg.id] & ~active) | now;
    if (now) [[unlikely]]
      markBytes(reg, now);
  }

  Block &getBlock() { return *block; }
  const Kernel &getKernel() const { return *kernel; }
  uint32_t getIndex() const { return index; }
  uint32_t getLive() const { return live; }         ///< lanes not exited
  uint32_t getMask() const { return current.mask; } ///< lanes running now
  uint32_t getLocalBase() const;
  uint64_t getClock() const { return clock; }
  std::span<const Reg> getList(const Inst &inst) const {
    return {kernel->lists.data() + inst.list, inst.listSize};
  }

  /// Records a finding at `inst`; `lane` names the thread.
  void report(FindingKind kind, const Inst &inst, uint32_t lane,
              std::string text, uint64_t address = 0);
  /// Reports where one of `active` lanes of `reg` is undefined. `what` is
  /// "the address", "the predicate of a branch". True: there were some.
  bool checkDefined(const Inst &inst, Reg reg, uint32_t active,
                    std::string_view what) {
    if (!(undefined[reg.id] & active)) [[likely]]
      return false;
    reportUndefined(inst, undefined[reg.id] & active, what);
    return true;
  }
  void reportUndefined(const Inst &inst, uint32_t lanes, std::string_view what);
  /// Remembers where undefined bytes came from, for messages.
  void noteUndefinedLoad(const Inst &inst, std::string what) {
    undefinedOrigin =
        "line " + std::to_string(inst.location.line) + ", " + std::move(what);
  }

  //--- Control flow, by the handlers of branches ---------------------------//

  void jump(uint32_t target) { current.pc = target; }
  /// Lanes of `taken` go to `target`, the others on.
  void split(const Inst &inst, uint32_t taken, uint32_t target);
  void exitLanes(uint32_t lanes);
  void call(const Inst &inst, uint32_t active, uint32_t function);
  void returnLanes(const Inst &inst, uint32_t lanes);
  /// The current fragment stops here until it is woken; it has passed its
  /// instruction.
  void wait(FragmentState state, uint32_t waitsFor);
  /// Lanes of the current fragment but not of `lanes` stay behind, to go on
  /// when the others come to the next instruction.
  void splitOff(uint32_t lanes);
  /// `lanes` of the current fragment execute this instruction again, on their
  /// own; all meet at the next one.
  void splitRepeat(uint32_t lanes);
  /// `active` lanes have come to where all lanes of `mask` meet. Returns the
  /// lanes that are here when all are, else makes these wait and returns 0.
  uint32_t meet(const Inst &inst, uint32_t active, uint32_t mask,
                bool isBarrier);
  /// Ends the current turn: this warp polls for something.
  void yield() { isYielding = true; }
  /// Executes the current instruction again, for the lanes in `mask` only.
  void repeat() { --current.pc; }

  //--- Happens-before (Space.h) -------------------------------------------//
  Clock sync;

  /// Polls of an mbarrier that were in vain so far.
  struct Poll {
    const Inst *inst = nullptr; ///< nullptr: it does not poll
    uint32_t lanes = 0;
    Block *owner = nullptr; ///< of the mbarrier
    uint32_t offset = 0;    ///< of it in the owner's shared memory
    uint64_t count = 0;
    uint64_t instructions = 0; ///< executed since
    bool isFresh = false;      ///< this turn
    bool readsGlobal = false;  ///< in this turn, what other blocks may write
  };
  Poll poll;
  /// After a turn of `done` instructions: whether the warp does nothing but
  /// poll in vain.
  bool isPollingInVain(uint64_t done);

  //--- barrier.cluster ------------------------------------------------------//
  uint32_t clusterArrived = 0; ///< lanes, in the phase under way
  uint32_t clusterOwed = 0;    ///< lanes that arrived and have not waited

  //--- Asynchronous copies of one thread: cp.async groups -------------------//
  struct AsyncGroups;
  std::unique_ptr<AsyncGroups> asyncGroups;

  //--- Local memory ---------------------------------------------------------//
  /// One lane's local memory holds at least `bytes` after this; false where it
  /// exceeds 512 KB.
  bool growLocal(uint64_t bytes);
  std::byte *getLocal(uint32_t lane) {
    return local.data() + lane * localBytes;
  }
  uint8_t *getLocalUndefined(uint32_t lane) {
    return localUndefined.data() + lane * localBytes;
  }
  uint64_t getLocalBytes() const { return localBytes; }

  std::vector<Fragment> &getFragments() { return fragments; }
  const Fragment &getCurrent() const { return current; }
  const std::vector<Join> &getJoins() const { return joins; }
  uint64_t getLaneInstructions() const { return laneInstructions; }

private:
  void markBytes(Reg reg, uint32_t lanes);
  uint32_t createJoin(uint32_t pc, uint32_t lanes);
  void arrive();
  void releaseJoin(uint32_t join);
  void leaveJoins(uint32_t join, uint32_t lanes);
  void leaveFrames(uint32_t frame, uint32_t lanes);
  bool selectFragment();
  void saveRegisters(Frame &frame);
  void restoreRegisters(const Frame &frame, uint32_t lanes);
  uint32_t createFrame();
  void fillSpecials();
  void recheckMeetings();

  Block *block = nullptr;
  const Kernel *kernel = nullptr;
  uint32_t index = 0;
  uint32_t live = 0;
  std::vector<std::byte> file;
  std::vector<uint32_t> undefined;
  std::vector<uint16_t> undefinedBytes;
  const Kernel *filledFor = nullptr;

  Fragment current; ///< valid while hasCurrent
  bool hasCurrent = false;
  bool isYielding = false;
  uint32_t joinPc = noIndex;       ///< of current
  std::vector<Fragment> fragments; ///< the others
  std::vector<Join> joins;
  std::vector<uint32_t> freeJoins;
  std::vector<Frame> frames;
  std::vector<uint32_t> freeFrames;
  uint64_t clock = 0;
  uint64_t laneInstructions = 0;

  std::vector<std::byte> local;
  std::vector<uint8_t> localUndefined;
  uint64_t localBytes = 0;
  std::string undefinedOrigin;
};

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_WARP_H
