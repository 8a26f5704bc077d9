#include "plan/chain.h"

#include <algorithm>

#include "base/sort.h"
#include "ops/elementwise.h"

namespace fjord {

namespace {

class Builder {
 public:
  Builder(const Liveness& liveness, const Group& group, const std::vector<bool>& wanted)
      : liveness_(liveness), graph_(liveness.graph()), wanted_(wanted), chain_(*plan_.chain) {
    for (int32_t node : group.nodes) {
      if (node != group.root) nodes_.push_back(node);
    }
    chain_.space = graph_.nodes()[nodes_.back()].type.shape;
  }

  ChainPlan build() {
    for (int32_t node : nodes_) addNode(node);
    for (int32_t node : nodes_) {
      if (wanted_[node]) addResult(node);
    }
    shareRegisters();
    linkPasses(chain_);
    return std::move(plan_);
  }

 private:
  struct Known {
    int32_t node;
    int32_t reg;
  };

  /// However many broadcasts stand between an array and the space, it is aligned at the last axis:
  /// one array, one way to read it.
  int32_t registerOf(int32_t input) {
    int32_t source = liveness_.source(input);
    // A node of this very chain seen through a reshape: the same elements in the same order. If it
    // is a broadcast, nothing has computed it: what it reads stands for it.
    for (int32_t array = liveness_.viewed(source);
         array != source && std::ranges::find(nodes_, array) != nodes_.end();
         array = liveness_.viewed(source))
      source = liveness_.source(array);
    for (const Known& k : known_) {
      if (k.node == source) return k.reg;
    }
    int32_t reg = chain_.registers++;
    const Node& node = graph_.nodes()[source];
    if (node.op == OpId::constant) {
      chain_.constants.push_back(
          {bitsOf(node.attrs.as<ConstantAttrs>().value, node.type.dtype), reg});
    } else if (Chain::Load load{.reg = reg}; liveness_.isReadInPlace(source)) {
      const Shape& whole = graph_.nodes()[node.inputs[0]].type.shape;
      partStrides(node.attrs.as<SliceAttrs>(), whole, chain_.space, load);
      addLoad(load, node.inputs[0]);
    } else {
      broadcastStrides(node.type.shape, chain_.space, load);
      addLoad(load, source);
    }
    known_.push_back({source, reg});
    return reg;
  }

  /// Parts of one array are one operand.
  void addLoad(Chain::Load& load, int32_t array) {
    auto known = std::ranges::find(plan_.operands, array);
    load.operand = static_cast<int32_t>(known - plan_.operands.begin());
    if (known == plan_.operands.end()) plan_.operands.push_back(array);
    chain_.loads.push_back(load);
  }

  void addNode(int32_t id) {
    const Node& node = graph_.nodes()[id];
    // A broadcast or a constant that memory needs: its register is stored, nothing is computed.
    if (node.op == OpId::broadcastTo || node.op == OpId::constant) return;
    Chain::Instruction instruction{.op = node.op};
    int at = static_cast<int>(chain_.instructions.size());
    DType operand = graph_.nodes()[node.inputs[node.op == OpId::where ? 1 : 0]].type.dtype;
    instruction.kernel = tileKernel(node.op, operand, node.attrs);
    instruction.operand = operand;
    instruction.result = node.type.dtype;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      instruction.in[i] = registerOf(node.inputs[i]);
      for (Chain::Load& load : chain_.loads) {
        if (load.reg == instruction.in[i]) load.lastRead = at;
      }
    }
    instruction.out = chain_.registers++;
    known_.push_back({id, instruction.out});
    chain_.instructions.push_back(instruction);
  }

  void addResult(int32_t id) {
    Chain::Store store{.result = static_cast<int32_t>(plan_.results.size()), .reg = registerOf(id)};
    for (size_t i = 0; i < chain_.instructions.size(); ++i) {
      if (chain_.instructions[i].out == store.reg) store.written = static_cast<int32_t>(i);
    }
    chain_.stores.push_back(store);
    plan_.results.push_back(id);
  }

  /// An intermediate takes over the register of one that is not read any more: fewer tiles, all in
  /// cache.
  void shareRegisters() {
    std::vector<int32_t> last(chain_.registers, -1), renamed(chain_.registers);
    for (int32_t r = 0; r < chain_.registers; ++r) renamed[r] = r;
    for (size_t i = 0; i < chain_.instructions.size(); ++i) {
      for (int32_t r : chain_.instructions[i].in) last[r] = static_cast<int32_t>(i);
    }
    std::vector<bool> fixed(chain_.registers, false);
    for (const auto& load : chain_.loads) fixed[load.reg] = true;
    for (const auto& constant : chain_.constants) fixed[constant.reg] = true;
    for (const auto& store : chain_.stores) fixed[store.reg] = true;
    std::vector<int32_t> free;
    int32_t used = 0;
    for (int32_t r = 0; r < chain_.registers; ++r) {
      if (fixed[r]) renamed[r] = used++;
    }
    for (size_t i = 0; i < chain_.instructions.size(); ++i) {
      Chain::Instruction& instruction = chain_.instructions[i];
      int32_t out = instruction.out;
      int32_t reads[3];
      std::ranges::copy(instruction.in, reads);
      for (int32_t& r : instruction.in) r = renamed[r];
      if (!fixed[out]) {
        renamed[out] = free.empty() ? used++ : free.back();
        if (!free.empty()) free.pop_back();
      }
      instruction.out = renamed[out];
      sortFew(reads);
      for (int k = 0; k < 3; ++k) {
        bool repeated = k > 0 && reads[k] == reads[k - 1];
        if (!repeated && !fixed[reads[k]] && last[reads[k]] == static_cast<int32_t>(i))
          free.push_back(renamed[reads[k]]);
      }
    }
    for (auto& load : chain_.loads) load.reg = renamed[load.reg];
    for (auto& constant : chain_.constants) constant.reg = renamed[constant.reg];
    for (auto& store : chain_.stores) store.reg = renamed[store.reg];
    chain_.registers = used;
  }

  const Liveness& liveness_;
  const Graph& graph_;
  const std::vector<bool>& wanted_;
  ChainPlan plan_{std::make_unique<Chain>(), {}, {}};
  Chain& chain_;
  std::vector<int32_t> nodes_;
  std::vector<Known> known_;
};

}  // namespace

ChainPlan buildChain(const Liveness& liveness, const Group& group,
                     const std::vector<bool>& wanted) {
  return Builder(liveness, group, wanted).build();
}

std::unique_ptr<Chain> copyChain(const Shape& shape) {
  auto chain = std::make_unique<Chain>();
  chain->space = shape;
  chain->loads.push_back({.dense = true});
  chain->stores.push_back({});
  chain->registers = 1;
  return chain;
}

}  // namespace fjord
