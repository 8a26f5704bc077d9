// Fusion: which nodes run together as one step.
//
// Elementwise nodes of one shape join the groups of their inputs, and a group joins the op before
// it as its epilogue, as long as no path leaves the merged group and comes back: every group must
// be able to run after all it reads.
//
// Every group has a level above the levels of all that it reads. Two groups become one on the higher
// of their levels, so the readers of the lower one must move above it, and their readers in turn. A
// path between the two is found on the way: it makes the higher group move too.
#include <algorithm>
#include <functional>
#include <queue>

#include "base/sort.h"
#include "ir/loop.h"
#include "ops/op.h"
#include "plan/plan.h"

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
  for (int32_t id = 0; id < static_cast<int32_t>(nodes.size()); ++id) {
    viewed_.push_back(kindOf(graph, id) == OpKind::kView ? viewed_[nodes[id].inputs[0]] : id);
    source_.push_back(nodes[id].op == OpId::broadcastTo ? source_[nodes[id].inputs[0]] : id);
  }
  findLive();
  findSettled();
}

void Liveness::findLive() {
  const auto& nodes = graph_.nodes();
  std::unordered_map<int32_t, std::vector<bool>> results;  // of each loop, whether they are read
  for (int32_t id : graph_.outputs()) live_[id] = materialized_[id] = true;
  for (const Assignment& a : graph_.assignments()) live_[a.value] = materialized_[a.value] = true;
  for (int32_t id = static_cast<int32_t>(nodes.size()) - 1; id >= 0; --id) {
    if (!live_[id]) continue;
    const Node& node = nodes[id];
    if (node.op == OpId::result) {
      std::vector<bool>& read = results[node.inputs[0]];
      read.resize(nodes[node.inputs[0]].results.size());
      read[node.attrs.as<ResultAttrs>().index] = true;
    }
    bool reads = isElementwise(id) && node.op != OpId::broadcastTo;
    if (kHasLoops && node.op == OpId::loop) uses_[id] = useOfLoop(node, results[id]);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      int32_t input = node.inputs[i];
      if (kHasLoops && node.op == OpId::loop && !uses_[id].inputs[i]) continue;
      live_[input] = true;
      // A reshape needs its input in memory; so does every structured op.
      if (!reads && !(node.op == OpId::broadcastTo && !materialized_[id]))
        materialized_[input] = true;
    }
  }
}

/// What is bound anew for each run, and what assigns, is no plan's to keep.
void Liveness::findSettled() {
  const auto& nodes = graph_.nodes();
  auto unsettle = [&](int32_t id) {
    id = viewed(id);
    settled_[nodes[id].op == OpId::result ? nodes[id].inputs[0] : id] = false;
  };
  for (int32_t id : graph_.outputs()) unsettle(id);
  for (const Assignment& a : graph_.assignments()) {
    settled_[a.input] = false;
    unsettle(a.value);
  }
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

// ---- groups

namespace {

/// n connected ops of three operands read at most 2n + 1 arrays, so 3n + 1 registers: 20 is the
/// most that kMaxRegisters holds.
constexpr size_t kMaxGroup = 20;
static_assert(3 * kMaxGroup + 1 <= kMaxRegisters);

/// Most readers of groups that one attempt to join looks at, so that planning takes time linear in
/// the number of nodes. Where more would have to move the groups stay apart: that needs hundreds of
/// groups which depend on one of the two and not on the other, and yet come before it.
constexpr int kMostLooks = 2000;

class Fuser {
 public:
  Fuser(const Liveness& liveness, const PlanOptions& options);
  std::vector<Group> run();
  int64_t looks() const { return looks_; }

 private:
  struct Entry {
    Group group;
    std::vector<int32_t> reads = {};    // nodes of other groups, through views and broadcasts
    std::vector<int32_t> readers = {};  // nodes that read this group, its own among them
    std::vector<int32_t> wholes = {};   // of `reads`, arrays of which it reads a part in place
    int level = 0;                      // above those of all groups that it reads
    bool moves = false;                 // while makeLevel is at work
    bool merged = false;
  };

  void addNode(int32_t node);
  bool fits(int a, int b) const;
  int countArrays(int a, int b) const;
  bool makeLevel(int low, int high);
  bool join(int a, int b);
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
  bool updatesLast_;
  int mostArrays_;
  std::vector<Entry> entries_;
  std::vector<int> groupOf_;  // node -> entry, or -1
  std::vector<std::vector<int32_t>>
      readers_;  // node -> live nodes that read it, through broadcasts
  int64_t looks_ = 0;
};

Fuser::Fuser(const Liveness& liveness, const PlanOptions& options)
    : liveness_(liveness),
      graph_(liveness.graph()),
      enabled_(options.fuse),
      updatesLast_(options.updatesLast),
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
  if (isSource(node) || kind == OpKind::kView || liveness_.isReadInPlace(id)) return;
  if (node.op == OpId::result) {
    // It is there as soon as the node that it is a result of.
    groupOf_[id] = groupOf_[node.inputs[0]];
    entries_[groupOf_[id]].group.nodes.push_back(id);
    return;
  }
  bool spread = node.op == OpId::broadcastTo || node.op == OpId::constant;
  if (spread && !liveness_.isMaterialized(id)) return;
  int g = static_cast<int>(entries_.size());
  groupOf_[id] = g;
  Entry e{.group = {{id}, liveness_.isElementwise(id) ? -1 : id}};
  for (int32_t input : node.inputs) {
    int32_t read = liveness_.arrayRead(id, input);
    e.reads.push_back(read);
    if (liveness_.isReadInPlace(liveness_.source(input))) e.wholes.push_back(read);
    if (int from = groupOf_[read]; from >= 0) {
      entries_[from].readers.push_back(id);
      e.level = std::max(e.level, entries_[from].level + 1);
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
    join(from, groupOf_[id]);
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
    if (liveness_.isMaterialized(read) || isReadElsewhere(read, chain)) continue;
    if (join(from, chain)) return;
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
  sortFew(arrays);
  return static_cast<int>(std::ranges::unique(arrays).begin() - arrays.begin());
}

/// Whether the nodes of both can be one step.
bool Fuser::fits(int a, int b) const {
  const Entry &x = entries_[a], &y = entries_[b];
  if (x.group.root >= 0 && y.group.root >= 0) return false;
  auto isLoop = [&](const Entry& e) {
    return e.group.root >= 0 && graph_.nodes()[e.group.root].op == OpId::loop;
  };
  if (isLoop(x) || isLoop(y)) return false;
  if (x.group.nodes.size() + y.group.nodes.size() > kMaxGroup) return false;
  if (mostArrays_ > 0 && countArrays(a, b) > mostArrays_) return false;
  if (liveness_.isSettled(x.group.nodes[0]) != liveness_.isSettled(y.group.nodes[0])) return false;
  bool mixes = graph_.isUpdate(x.group.nodes[0]) != graph_.isUpdate(y.group.nodes[0]);
  if (updatesLast_ && mixes) return false;
  // The structured op of a group runs first, so it cannot read what the group's chain computes.
  auto feeds = [&](int chain, const Entry& e) {
    return e.group.root >= 0 &&
           std::ranges::any_of(graph_.nodes()[e.group.root].inputs,
                               [&](int32_t input) { return groupBehind(input) == chain; });
  };
  // An array is there when its chain has ended, and so are its parts.
  auto readsPart = [&](const Entry& e, int of) {
    return std::ranges::any_of(e.wholes, [&](int32_t whole) { return groupOf_[whole] == of; });
  };
  return !feeds(a, y) && !feeds(b, x) && !readsPart(x, b) && !readsPart(y, a);
}

/// Moves what reads the lower of two groups above the higher one. False, and nothing has moved,
/// where a path leads from one to the other through a third, or too much would have to move.
bool Fuser::makeLevel(int low, int high) {
  if (entries_[low].level > entries_[high].level) std::swap(low, high);
  if (entries_[low].level == entries_[high].level) return true;
  using Move = std::pair<int, int>;  // the level before, the group
  std::vector<Move> moves;
  // From the lowest up: when it is a group's turn, all that it reads has its new level.
  std::priority_queue<Move, std::vector<Move>, std::greater<>> waiting;
  int left = kMostLooks;
  auto moveReaders = [&](int group, int level) {
    for (int32_t node : entries_[group].readers) {
      int reader = groupOf_[node];
      if (--left < 0 || (reader == high && group != low)) return false;
      Entry& e = entries_[reader];
      if (reader == group || reader == high || e.level > level) continue;
      if (!e.moves) {
        moves.emplace_back(e.level, reader);
        waiting.push(moves.back());
      }
      e.moves = true;
      e.level = level + 1;
    }
    return true;
  };
  bool possible = moveReaders(low, entries_[high].level);
  while (possible && !waiting.empty()) {
    int group = waiting.top().second;
    waiting.pop();
    possible = moveReaders(group, entries_[group].level);
  }
  for (auto [before, group] : moves) {
    entries_[group].moves = false;
    if (!possible) entries_[group].level = before;
  }
  looks_ += kMostLooks - std::max(0, left);
  return possible;
}

/// Makes `b` part of `a`, if it can be.
bool Fuser::join(int a, int b) {
  if (!fits(a, b) || !makeLevel(a, b)) return false;
  Entry &into = entries_[a], &from = entries_[b];
  if (into.group.root < 0) into.group.root = from.group.root;
  for (int32_t node : from.group.nodes) groupOf_[node] = a;
  auto take = [](std::vector<int32_t>& to, std::vector<int32_t>& more) {
    to.insert(to.end(), more.begin(), more.end());
    more = {};
  };
  take(into.group.nodes, from.group.nodes);
  take(into.reads, from.reads);
  take(into.readers, from.readers);
  take(into.wholes, from.wholes);
  sortFew(into.group.nodes);
  std::erase_if(into.reads, [&](int32_t read) { return groupOf_[read] == a; });
  into.level = std::max(into.level, from.level);
  from.merged = true;
  return true;
}

std::vector<Group> Fuser::run() {
  for (int32_t id = 0; id < static_cast<int32_t>(graph_.nodes().size()); ++id) {
    if (liveness_.isLive(id)) addNode(id);
  }
  // The earliest written group that can run, runs: what the program wrote last (updates) stays
  // last.
  using Ready = std::pair<int32_t, int>;  // its last node, the group
  std::priority_queue<Ready, std::vector<Ready>, std::greater<>> ready;
  std::vector<int> missing(entries_.size());
  auto release = [&](int g) {
    const Group& group = entries_[g].group;
    // Results of a loop may have been asked for long after it was written.
    bool isLoop = group.root >= 0 && graph_.nodes()[group.root].op == OpId::loop;
    ready.emplace(isLoop ? group.root : group.nodes.back(), g);
  };
  for (size_t g = 0; g < entries_.size(); ++g) {
    missing[g] = static_cast<int>(
        std::ranges::count_if(entries_[g].reads, [&](int32_t r) { return groupOf_[r] >= 0; }));
    if (missing[g] == 0 && !entries_[g].merged) release(static_cast<int>(g));
  }
  std::vector<Group> order, settled;
  while (!ready.empty()) {
    int g = ready.top().second;
    ready.pop();
    for (int32_t node : entries_[g].readers) {
      if (int reader = groupOf_[node]; reader != g && --missing[reader] == 0) release(reader);
    }
    Group& group = entries_[g].group;
    (liveness_.isSettled(group.nodes[0]) ? settled : order).push_back(std::move(group));
  }
  settled.insert(settled.end(), std::make_move_iterator(order.begin()),
                 std::make_move_iterator(order.end()));
  return settled;
}

}  // namespace

std::vector<Group> fuse(const Liveness& liveness, const PlanOptions& options, int64_t& looks) {
  Fuser fuser(liveness, options);
  std::vector<Group> groups = fuser.run();
  looks += fuser.looks();
  return groups;
}

}  // namespace fjord
