// Fusion: which nodes run together as one step.
//
// Elementwise nodes of one shape join the groups of their inputs, and a group joins the op before
// it as its epilogue, as long as no path leaves the merged group and comes back: every group must
// be able to run after all it reads.
#include <algorithm>
#include <functional>

#include "graph/plan.h"
#include "ops/op.h"

namespace fjord {

// ---- liveness

namespace {

OpKind kindOf(const Graph& graph, int32_t node) { return opInfo(graph.nodes()[node].op).kind; }

}  // namespace

Liveness::Liveness(const Graph& graph)
    : graph_(graph),
      live_(graph.nodes().size()),
      materialized_(graph.nodes().size()),
      settled_(graph.nodes().size(), true) {
  const auto& nodes = graph.nodes();
  for (int32_t id : graph.outputs()) live_[id] = materialized_[id] = true;
  for (const Assignment& a : graph.assignments()) live_[a.value] = materialized_[a.value] = true;
  for (int32_t id = static_cast<int32_t>(nodes.size()) - 1; id >= 0; --id) {
    if (!live_[id]) continue;
    bool reads = isElementwise(id) && nodes[id].op != OpId::broadcastTo;
    for (int32_t input : nodes[id].inputs) {
      live_[input] = true;
      // A reshape needs its input in memory; so does every structured op.
      if (!reads && !(nodes[id].op == OpId::broadcastTo && !materialized_[id]))
        materialized_[input] = true;
    }
  }
  // What is bound anew for each run, and what assigns, is no plan's to keep.
  for (int32_t id : graph.outputs()) settled_[viewed(id)] = false;
  for (const Assignment& a : graph.assignments())
    settled_[a.input] = settled_[viewed(a.value)] = false;
  for (int32_t id = 0; id < static_cast<int32_t>(nodes.size()); ++id) {
    if (nodes[id].op == OpId::input && !nodes[id].attrs.as<InputAttrs>().isParameter)
      settled_[id] = false;
    for (int32_t input : nodes[id].inputs) settled_[id] = settled_[id] && settled_[input];
  }
}

bool Liveness::isElementwise(int32_t node) const {
  OpId op = graph_.nodes()[node].op;
  return kindOf(graph_, node) == OpKind::kElementwise || op == OpId::broadcastTo ||
         op == OpId::constant;
}

int32_t Liveness::viewed(int32_t node) const {
  while (kindOf(graph_, node) == OpKind::kView) node = graph_.nodes()[node].inputs[0];
  return node;
}

int32_t Liveness::source(int32_t node) const {
  while (graph_.nodes()[node].op == OpId::broadcastTo) node = graph_.nodes()[node].inputs[0];
  return node;
}

// ---- groups

namespace {

/// n connected ops of three operands read at most 2n + 1 arrays, so 3n + 1 registers: 20 is the
/// most that kMaxRegisters holds.
constexpr size_t kMaxGroup = 20;
static_assert(3 * kMaxGroup + 1 <= kMaxRegisters);

using Bits = std::vector<uint64_t>;
bool test(const Bits& bits, size_t i) { return bits[i / 64] >> (i % 64) & 1; }
void set(Bits& bits, size_t i) { bits[i / 64] |= uint64_t{1} << (i % 64); }
void merge(Bits& into, const Bits& from) {
  for (size_t w = 0; w < into.size(); ++w) into[w] |= from[w];
}

class Fuser {
 public:
  Fuser(const Liveness& liveness, const PlanOptions& options);
  std::vector<Group> run();

 private:
  struct Entry {
    Group group;
    std::vector<int32_t> reads = {};  // nodes of other groups, through views and broadcasts
    Bits before = {};                 // groups that must run earlier, all of them
    bool merged = false;
  };

  void addNode(int32_t node);
  bool canJoin(int a, int b) const;
  int countArrays(int a, int b) const;
  void join(int a, int b);
  void joinEpilogue(int chain);
  void joinInputs(int chain);
  bool isReadElsewhere(int32_t node, int group) const;
  int groupBehind(int32_t node) const { return groupOf_[liveness_.viewed(node)]; }
  const Shape& spaceOf(const Entry& e) const {
    return graph_.nodes()[e.group.nodes.back()].type.shape;
  }

  const Liveness& liveness_;
  const Graph& graph_;
  bool enabled_;
  int mostArrays_;
  std::vector<Entry> entries_;
  std::vector<int> groupOf_;  // node -> entry, or -1
  std::vector<std::vector<int32_t>>
      readers_;  // node -> live nodes that read it, through broadcasts
};

Fuser::Fuser(const Liveness& liveness, const PlanOptions& options)
    : liveness_(liveness),
      graph_(liveness.graph()),
      enabled_(options.fuse),
      mostArrays_(options.mostArrays),
      groupOf_(graph_.nodes().size(), -1),
      readers_(graph_.nodes().size()) {
  for (int32_t id = 0; id < static_cast<int32_t>(graph_.nodes().size()); ++id) {
    if (!liveness.isLive(id)) continue;
    for (int32_t input : graph_.nodes()[id].inputs) {
      readers_[input].push_back(id);
      if (int32_t source = liveness.source(input); source != input) readers_[source].push_back(id);
    }
  }
}

void Fuser::addNode(int32_t id) {
  const Node& node = graph_.nodes()[id];
  OpKind kind = opInfo(node.op).kind;
  if (node.op == OpId::input || kind == OpKind::kView) return;
  bool spread = node.op == OpId::broadcastTo || node.op == OpId::constant;
  if (spread && !liveness_.isMaterialized(id)) return;
  int g = static_cast<int>(entries_.size());
  groupOf_[id] = g;
  Entry e{.group = {{id}, liveness_.isElementwise(id) ? -1 : id}};
  e.before.resize(graph_.nodes().size() / 64 + 1);
  for (int32_t input : node.inputs) {
    int32_t read = liveness_.isElementwise(id) ? liveness_.source(input) : input;
    read = liveness_.viewed(read);
    e.reads.push_back(read);
    if (int from = groupOf_[read]; from >= 0) {
      set(e.before, from);
      merge(e.before, entries_[from].before);
    }
  }
  entries_.push_back(std::move(e));
  if (enabled_ && liveness_.isElementwise(id) && !spread) joinInputs(g);
}

void Fuser::joinInputs(int chain) {
  // Elementwise groups that an input comes from directly, with the same shape.
  int32_t id = entries_[chain].group.nodes.back();
  for (int32_t input : graph_.nodes()[id].inputs) {
    int from = groupOf_[input];
    if (from < 0 || from == groupOf_[id] ||
        graph_.nodes()[input].type.shape != graph_.nodes()[id].type.shape)
      continue;
    if (entries_[from].group.root == input) continue;
    if (canJoin(from, groupOf_[id])) join(from, groupOf_[id]);
  }
  if (entries_[groupOf_[id]].group.root < 0) joinEpilogue(groupOf_[id]);
}

/// A chain that is the only reader of an op's output runs over it while it is in cache.
void Fuser::joinEpilogue(int chain) {
  for (int32_t read : entries_[chain].reads) {
    int from = groupOf_[read];
    if (from < 0 || entries_[from].merged || from == chain) continue;
    const Entry& op = entries_[from];
    if (op.group.root != read || op.group.nodes.size() != 1) continue;
    if (!opInfo(graph_.nodes()[read].op).epilogue ||
        graph_.nodes()[read].type.shape != spaceOf(entries_[chain]))
      continue;
    if (liveness_.isMaterialized(read) || isReadElsewhere(read, chain) || !canJoin(from, chain))
      continue;
    join(from, chain);
    return;
  }
}

bool Fuser::isReadElsewhere(int32_t node, int group) const {
  return std::ranges::any_of(readers_[node], [&](int32_t reader) {
    return reader > entries_[group].group.nodes.back() || groupOf_[reader] != group ||
           graph_.nodes()[reader].type.shape != graph_.nodes()[node].type.shape;
  });
}

/// What the two together read and write; some of it may turn out to be one array.
int Fuser::countArrays(int a, int b) const {
  auto within = [&](int32_t node) { return groupOf_[node] == a || groupOf_[node] == b; };
  std::vector<int32_t> arrays;
  for (int g : {a, b}) {
    for (int32_t read : entries_[g].reads) {
      if (!within(read) && graph_.nodes()[read].op != OpId::constant) arrays.push_back(read);
    }
    for (int32_t node : entries_[g].group.nodes) {
      // A reader that is not there yet is one of another group.
      bool wanted = liveness_.isMaterialized(node) ||
                    std::ranges::any_of(readers_[node], std::not_fn(within));
      if (wanted) arrays.push_back(node);
    }
  }
  std::ranges::sort(arrays);
  return static_cast<int>(std::ranges::unique(arrays).begin() - arrays.begin());
}

bool Fuser::canJoin(int a, int b) const {
  const Entry &x = entries_[a], &y = entries_[b];
  if (x.group.root >= 0 && y.group.root >= 0) return false;
  if (x.group.nodes.size() + y.group.nodes.size() > kMaxGroup) return false;
  if (mostArrays_ > 0 && countArrays(a, b) > mostArrays_) return false;
  if (liveness_.isSettled(x.group.nodes[0]) != liveness_.isSettled(y.group.nodes[0])) return false;
  // The structured op of a group runs first, so it cannot read what the group's chain computes.
  auto feeds = [&](int chain, const Entry& e) {
    return e.group.root >= 0 &&
           std::ranges::any_of(graph_.nodes()[e.group.root].inputs,
                               [&](int32_t input) { return groupBehind(input) == chain; });
  };
  if (feeds(a, y) || feeds(b, x)) return false;
  // No third group between the two.
  auto between = [&](const Entry& reader) {
    return std::ranges::any_of(reader.reads, [&](int32_t read) {
      int via = groupOf_[read];
      return via >= 0 && via != a && via != b &&
             (test(entries_[via].before, a) || test(entries_[via].before, b));
    });
  };
  return !between(x) && !between(y);
}

void Fuser::join(int a, int b) {
  Entry &into = entries_[a], &from = entries_[b];
  if (into.group.root < 0) into.group.root = from.group.root;
  for (int32_t node : from.group.nodes) groupOf_[node] = a;
  into.group.nodes.insert(into.group.nodes.end(), from.group.nodes.begin(), from.group.nodes.end());
  std::ranges::sort(into.group.nodes);
  into.reads.insert(into.reads.end(), from.reads.begin(), from.reads.end());
  std::erase_if(into.reads, [&](int32_t read) { return groupOf_[read] == a; });
  merge(into.before, from.before);
  into.before[a / 64] &= ~(uint64_t{1} << (a % 64));
  into.before[b / 64] &= ~(uint64_t{1} << (b % 64));
  from.merged = true;
  for (Entry& e : entries_) {
    if (&e == &into || e.merged || !(test(e.before, a) || test(e.before, b))) continue;
    set(e.before, a);
    merge(e.before, into.before);
  }
}

std::vector<Group> Fuser::run() {
  for (int32_t id = 0; id < static_cast<int32_t>(graph_.nodes().size()); ++id) {
    if (liveness_.isLive(id)) addNode(id);
  }
  // The earliest written group that can run, runs: what the program wrote last (updates) stays
  // last.
  std::vector<Group> order, settled;
  std::vector<bool> done(entries_.size(), false);
  for (size_t left = std::ranges::count(entries_, false, &Entry::merged); left > 0; --left) {
    int best = -1;
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (done[i] || entries_[i].merged) continue;
      bool ready = std::ranges::all_of(
          entries_[i].reads, [&](int32_t r) { return groupOf_[r] < 0 || done[groupOf_[r]]; });
      if (ready &&
          (best < 0 || entries_[i].group.nodes.back() < entries_[best].group.nodes.back())) {
        best = static_cast<int>(i);
      }
    }
    done[best] = true;
    const Group& group = entries_[best].group;
    (liveness_.isSettled(group.nodes[0]) ? settled : order).push_back(group);
  }
  order.insert(order.begin(), settled.begin(), settled.end());
  return order;
}

}  // namespace

std::vector<Group> fuse(const Liveness& liveness, const PlanOptions& options) {
  return Fuser(liveness, options).run();
}

}  // namespace fjord
