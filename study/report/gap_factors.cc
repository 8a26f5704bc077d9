// What explains the gap of TensorFlow.js to TensorFlow on the processor: the analysis of variance,
// and the paper's decision tree with the error that it makes.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/analysis.h"
#include "report/charts.h"
#include "report/format.h"
#include "report/paper.h"
#include "report/rounds.h"
#include "stats/anova.h"
#include "stats/validate.h"

namespace fjord::study {

namespace {

constexpr int kResamples = 1000;

Entry numeric(const std::string& text) { return {.text = text, .kind = Entry::kNumber}; }

// ---- the design

struct Choice {
  std::vector<std::string> tasks;
  std::vector<const Series*> backends;
  std::vector<Workload> sizes;
};

ByRound timeOf(const Cells& cells, const std::string& subject, const std::string& backend,
               const std::string& task, const Workload& workload) {
  return byRound(cells, {subject, backend, task, workload}, "steady");
}

bool hasAll(const Cells& cells, const std::string& subject, const std::string& backend,
            const std::string& task) {
  return std::ranges::all_of(cells.workloads(), [&](const Workload& workload) {
    return !timeOf(cells, subject, backend, task, workload).empty();
  });
}

/// The tasks that TensorFlow has all sizes of, and the backends on the processor that have all of
/// these: what is left is a factorial if the sizes are one.
Choice choose(const Cells& cells) {
  Choice out{.sizes = cells.workloads()};
  for (const char* task : {"train", "infer"}) {
    if (hasAll(cells, paper::kTensorFlow, "cpu", task)) out.tasks.emplace_back(task);
  }
  for (const Series& series : cells.series()) {
    if (series.subject != paper::kTensorFlowJs || series.gpu) continue;
    bool all = std::ranges::all_of(out.tasks, [&](const std::string& task) {
      return hasAll(cells, series.subject, series.backend, task);
    });
    if (all) out.backends.push_back(&series);
  }
  return out;
}

std::vector<int> sorted(const std::vector<Workload>& sizes, int Workload::* side) {
  std::set<int> values;
  for (const Workload& workload : sizes) values.insert(workload.*side);
  return {values.begin(), values.end()};
}

/// A factor of one level explains nothing and is left out: its place in the rows is -1.
struct Builder {
  Design design;

  int add(const std::string& name, const std::vector<std::string>& levels,
          const std::vector<double>& at) {
    if (levels.size() < 2) return -1;
    design.factors.push_back({name, levels, at});
    return static_cast<int>(design.factors.size()) - 1;
  }
  int add(const std::string& name, const std::vector<int>& values) {
    std::vector<std::string> levels;
    for (int value : values) levels.push_back(cat(value));
    return add(name, levels, {values.begin(), values.end()});
  }
};

int placeIn(const std::vector<int>& values, int value) {
  return static_cast<int>(std::ranges::find(values, value) - values.begin());
}

}  // namespace

Result<Observed> gapDesign(const Cells& cells) {
  Choice choice = choose(cells);
  if (choice.sizes.empty() || choice.tasks.empty())
    return fail("it needs TensorFlow's times at all sizes");
  if (choice.backends.empty())
    return fail("it needs TensorFlow.js's times at all sizes, on the processor");
  std::vector<std::string> tasks, backends;
  for (const std::string& task : choice.tasks)
    tasks.emplace_back(task == "train" ? "training" : "inference");
  for (const Series* series : choice.backends) {
    // "TensorFlow.js · WebAssembly"
    size_t dot = series->label.rfind(" · ");
    backends.push_back(dot == std::string::npos ? series->backend : series->label.substr(dot + 4));
  }
  std::vector<int> depths = sorted(choice.sizes, &Workload::depth),
                   widths = sorted(choice.sizes, &Workload::width);
  Builder builder;
  int placesOf[] = {builder.add("task", tasks, {}), builder.add("backend", backends, {}),
                    builder.add("layers", depths), builder.add("width", widths)};
  std::vector<ByRound> times;
  for (size_t t = 0; t < choice.tasks.size(); ++t) {
    for (size_t b = 0; b < choice.backends.size(); ++b) {
      for (const Workload& workload : choice.sizes) {
        int levels[] = {static_cast<int>(t), static_cast<int>(b), placeIn(depths, workload.depth),
                        placeIn(widths, workload.width)};
        Row row{.levels = std::vector<int>(builder.design.factors.size())};
        for (size_t f = 0; f < std::size(levels); ++f) {
          if (placesOf[f] >= 0) row.levels[static_cast<size_t>(placesOf[f])] = levels[f];
        }
        builder.design.rows.push_back(row);
        const Series& series = *choice.backends[b];
        times.push_back(timeOf(cells, series.subject, series.backend, choice.tasks[t], workload));
        times.push_back(timeOf(cells, paper::kTensorFlow, "cpu", choice.tasks[t], workload));
      }
    }
  }
  Observed out{.design = builder.design};
  for (const std::vector<double>& round : commonRounds(times)) {
    std::vector<double>& logs = out.rounds.emplace_back();
    for (size_t i = 0; i < round.size(); i += 2) logs.push_back(std::log2(round[i] / round[i + 1]));
  }
  out.design = out.design.with(mediansOf(out.rounds));
  FJORD_CHECK(balanced(out.design));
  return out;
}

// ---- tables

namespace {

/// First-order, total and Shapley shares of each factor, one after the other.
std::vector<double> sharesOf(const Design& design, std::span<const double> values) {
  Result<Anova> found = anova(design.with(values));
  if (!found) return std::vector<double>(3 * design.factors.size(), NAN);
  std::vector<double> out;
  for (size_t f = 0; f < design.factors.size(); ++f) {
    out.push_back(found->first[f]);
    out.push_back(found->total[f]);
    out.push_back(found->shapley[f]);
  }
  return out;
}

Table factorsTable(const Observed& gap, uint64_t seed) {
  Table table{.head = {"Factor", "Alone", "With interactions", "Shapley effect"}};
  std::vector<Span> spans =
      overRounds(gap.rounds, seed, kResamples,
                 [&](const std::vector<double>& v) { return sharesOf(gap.design, v); });
  table.caption = cat("What explains the gap: shares of the variance of its logarithm (",
                      promiseOf(spans[0]), ")");
  for (size_t f = 0; f < gap.design.factors.size(); ++f) {
    std::vector<Entry> row = {word(gap.design.factors[f].name)};
    for (size_t i = 0; i < 3; ++i) row.push_back(shareEntry(spans[3 * f + i]));
    table.rows.push_back(std::move(row));
  }
  return table;
}

/// Each level over the first one of its factor, as a factor of the gap.
Table multipliersTable(const Observed& gap, uint64_t seed) {
  const Design& design = gap.design;
  auto multipliers = [&](const std::vector<double>& values) {
    std::vector<double> out;
    Result<Anova> found = anova(design.with(values));
    for (size_t f = 0; f < design.factors.size(); ++f) {
      for (size_t level = 1; level < design.factors[f].levels.size(); ++level)
        out.push_back(found ? std::exp2(found->effects[f][level] - found->effects[f][0]) : NAN);
    }
    return out;
  };
  std::vector<Span> spans = overRounds(gap.rounds, seed, kResamples, multipliers);
  Table table{.caption = cat("The gap at one level over that at another, all else alike (",
                             promiseOf(spans[0]), ")"),
              .head = {"Factor", "Level", "Over", "Times as large"}};
  size_t at = 0;
  for (const Factor& factor : design.factors) {
    for (size_t level = 1; level < factor.levels.size(); ++level) {
      Entry entry = numeric("× " + number(spans[at].interval.centre));
      entry.small = between(spans[at++].interval);
      table.rows.push_back(
          {word(factor.name), word(factor.levels[level]), word(factor.levels[0]), entry});
    }
  }
  return table;
}

std::string tiesOf(const Design& design, const TreeNode& node) {
  std::string out;
  for (size_t i = 1; i < node.best.size(); ++i)
    out += (i > 1 ? "; " : "") + questionText(design, node.best[i]);
  return out.empty() ? "–" : out;
}

std::string ratioText(const TreeNode& node) { return "× " + number(std::exp2(node.mean)); }

std::string rangeText(const TreeNode& node) {
  return node.rows.size() == 1 ? "" : between({std::exp2(node.least), 0, std::exp2(node.most)});
}

/// "layers ≤ 3" for a node that is below, "all" for the root.
std::vector<std::string> wayTo(const Tree& tree, const Design& design) {
  std::vector<std::string> out(tree.nodes.size(), "all");
  for (const TreeNode& node : tree.nodes) {
    if (node.below < 0) continue;
    out[static_cast<size_t>(node.below)] = questionText(design, node.best[0]);
    out[static_cast<size_t>(node.above)] = oppositeText(design, node.best[0]);
  }
  return out;
}

Table treeTable(const Tree& tree, const Design& design, const std::string& caption) {
  Table table{.caption = caption,
              .head = {"Configurations", "Gap", "How many", "Gain of the next question", "As good"},
              .folded = true};
  std::vector<std::string> way = wayTo(tree, design);
  for (size_t i = 0; i < tree.nodes.size(); ++i) {
    const TreeNode& node = tree.nodes[i];
    std::string indent;
    for (int level = 0; level < node.depth; ++level) indent += "· ";
    Entry ratio = numeric(ratioText(node));
    ratio.small = rangeText(node);
    bool leaf = node.below < 0;
    table.rows.push_back({word(indent + way[i]), ratio, numeric(count(node.rows.size())),
                          numeric(leaf ? "–" : fixed(node.best[0].gain, 3)),
                          word(leaf ? "" : tiesOf(design, node))});
  }
  return table;
}

/// T0: gains at the root if each ratio is a class of its own, beside those of octaves.
Table blindTable(const Design& design) {
  Table table{.caption =
                  "The first question: bits that it gains. In the paper's tree each leaf has one "
                  "configuration, so each ratio is a class of its own; then the gain tells how the "
                  "question halves the configurations, and nothing of their ratios",
              .head = {"Factor", "Ratios in octaves", "Each ratio its own class"}};
  std::vector<size_t> rows(design.rows.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = i;
  std::vector<double> octaves(design.factors.size()), own(design.factors.size());
  for (auto [criterion, gains] :
       {std::pair{Criterion::kOctaves, &octaves}, {Criterion::kOwnClass, &own}}) {
    for (const Split& split : splitsOf(design, rows, criterion)) {
      double& most = (*gains)[static_cast<size_t>(split.factor)];
      most = std::max(most, split.gain);
    }
  }
  for (size_t f = 0; f < design.factors.size(); ++f)
    table.rows.push_back(
        {word(design.factors[f].name), numeric(fixed(octaves[f], 3)), numeric(fixed(own[f], 3))});
  return table;
}

std::string octavesText(double error) { return std::isfinite(error) ? fixed(error, 3) : "–"; }

Table validationTable(const std::vector<Validation>& found) {
  Table table{.caption =
                  "How well the gap of a configuration is predicted that was left out: root mean "
                  "squared error in octaves (1: wrong by a factor of two)",
              .head = {"Predicted by", "One configuration left out", "Its R²",
                       "One number of layers, one width left out"}};
  for (const Validation& one : found)
    table.rows.push_back({word(one.name), numeric(octavesText(one.configuration)),
                          numeric(std::isfinite(one.r2) ? fixed(one.r2, 2) : "–"),
                          numeric(octavesText(one.level))});
  return table;
}

/// What the comparison says, in a sentence.
std::string validationText(const std::vector<Validation>& found) {
  const Validation* best = &found[0];
  for (const Validation& one : found) {
    if (one.configuration < best->configuration) best = &one;
  }
  // Not a number where pairs cannot be tried.
  const Validation& tree = found[3];
  const Validation& effects = found[2].configuration < found[1].configuration ? found[2] : found[1];
  std::string out = cat("Of these, ", best->name, " predict",
                        best->name.starts_with("main") ? "" : "s", " best. ");
  if (!std::isfinite(effects.configuration)) return out;
  return out + cat("The tree is wrong by ", octavesText(tree.configuration),
                   " octaves, the sum of ", effects.name, " by ",
                   octavesText(effects.configuration), ": ",
                   tree.configuration < effects.configuration
                       ? "here the tree is worth its questions."
                       : "the shares and multipliers above are the result, the tree is a picture.");
}

std::string rootText(const Observed& gap, uint64_t seed) {
  if (gap.rounds.size() < 2) return "One round does not tell how stable the first question is.";
  std::vector<double> shares =
      rootShares(gap.design, gap.rounds, Criterion::kOctaves, seed, kResamples);
  std::string out;
  for (size_t f = 0; f < shares.size(); ++f) {
    if (shares[f] > 0)
      out += cat(out.empty() ? "" : ", ", gap.design.factors[f].name, " in ",
                 fixed(100 * shares[f], 0), " %");
  }
  return cat("The first question in ", count(kResamples), " draws of the run's ",
             count(gap.rounds.size()), " rounds: ", out, ".");
}

// ---- the figure

struct Spot {
  double x = 0, y = 0;
};

/// Leaves at whole numbers from the top, a node half-way between its two.
double placeNode(const Tree& tree, size_t i, double& next, std::vector<Spot>& spots) {
  const TreeNode& node = tree.nodes[i];
  spots[i].x = node.depth;
  if (node.below < 0) return spots[i].y = next++;
  double below = placeNode(tree, static_cast<size_t>(node.below), next, spots);
  double above = placeNode(tree, static_cast<size_t>(node.above), next, spots);
  return spots[i].y = (below + above) / 2;
}

Json treeSpec(const Tree& tree, const Design& design) {
  std::vector<Spot> spots(tree.nodes.size());
  double leaves = 0;
  placeNode(tree, 0, leaves, spots);
  std::vector<std::string> way = wayTo(tree, design);
  Json nodes = Json::array(), edges = Json::array();
  for (size_t i = 0; i < tree.nodes.size(); ++i) {
    const TreeNode& node = tree.nodes[i];
    std::string range = rangeText(node);
    nodes.push_back({{"x", spots[i].x},
                     {"y", spots[i].y},
                     {"gap", ratioText(node)},
                     {"way", way[i]},
                     {"least to most", range.empty() ? ratioText(node) : range},
                     {"configurations", node.rows.size()}});
    if (node.below < 0) continue;
    for (int child : {node.below, node.above}) {
      const Spot& to = spots[static_cast<size_t>(child)];
      edges.push_back({{"x", spots[i].x}, {"y", spots[i].y}, {"x2", to.x}, {"y2", to.y}});
    }
  }
  auto axis = [](const char* field, double low, double high, bool down) {
    return Json{{"field", field},
                {"type", "quantitative"},
                {"axis", nullptr},
                {"scale", {{"domain", {low, high}}, {"nice", false}, {"reverse", down}}}};
  };
  Json x = axis("x", -0.1, tree.depth() + 0.9, false), y = axis("y", -0.7, leaves - 0.3, true);
  Json tooltip = Json::array();
  for (const char* field : {"way", "gap", "least to most", "configurations"})
    tooltip.push_back({{"field", field}, {"type", "nominal"}});
  auto text = [&](const char* field, int dy, double opacity) {
    return Json{
        {"mark",
         {{"type", "text"},
          {"align", "left"},
          {"dx", 7},
          {"dy", dy},
          {"fontSize", 11},
          {"opacity", opacity},
          {"color", "currentColor"}}},
        {"encoding", {{"x", x}, {"y", y}, {"text", {{"field", field}, {"type", "nominal"}}}}}};
  };
  Json lines = {
      {"data", {{"values", edges}}},
      {"mark", {{"type", "rule"}, {"color", "currentColor"}, {"opacity", 0.3}}},
      {"encoding", {{"x", x}, {"y", y}, {"x2", {{"field", "x2"}}}, {"y2", {{"field", "y2"}}}}}};
  Json dots = {
      {"mark", {{"type", "point"}, {"filled", true}, {"size", 40}, {"color", colourOf(0)}}},
      {"encoding", {{"x", x}, {"y", y}, {"tooltip", tooltip}}}};
  return {{"width", "container"},
          {"height", 40 * leaves},
          {"autosize", {{"type", "fit-x"}, {"contains", "padding"}}},
          {"data", {{"values", nodes}}},
          {"layer", {lines, dots, text("way", -7, 1), text("gap", 7, 0.75)}}};
}

}  // namespace

std::vector<Block> gapFactors(const Cells& cells) {
  Result<Observed> gap = gapDesign(cells);
  if (!gap)
    return {Paragraph{
        cat("What explains the gap to TensorFlow cannot be told: ", gap.error().message, ".")}};
  Result<Anova> explained = anova(gap->design);
  Result<std::vector<Validation>> validation = crossValidate(gap->design);
  if (!explained || !validation)
    return {Paragraph{cat("What explains the gap to TensorFlow cannot be told: ",
                          (explained ? validation.error() : explained.error()).message, ".")}};
  uint64_t seed = cells.input().run.seed;
  int depth = static_cast<int>(gap->design.factors.size());
  Tree octaves = growTree(gap->design, Criterion::kOctaves, depth),
       squares = growTree(gap->design, Criterion::kSquaredError, depth),
       full = growTree(gap->design, Criterion::kOctaves);
  auto rootOf = [&](const Tree& tree) {
    return tree.nodes[0].best.empty() ? std::string("none")
                                      : questionText(gap->design, tree.nodes[0].best[0]);
  };
  std::string roots = rootOf(octaves) == rootOf(squares)
                          ? cat("Both trees ask first for ", rootOf(octaves), ".")
                          : cat("The two trees disagree: entropy asks first for ", rootOf(octaves),
                                ", squared error for ", rootOf(squares), ".");
  return {
      factorsTable(*gap, seed),
      multipliersTable(*gap, seed),
      validationTable(*validation),
      Paragraph{cat(validationText(*validation), " ", roots, " ", rootText(*gap, seed))},
      Figure{.caption = "Figure 6: the paper's decision tree, by entropy of ratios in octaves",
             .note = cat("As deep as there are factors; grown fully it has ", count(full.leaves()),
                         full.leaves() == 1 ? " leaf" : " leaves", " and is ", full.depth(),
                         " questions deep. A question that is as good "
                         "as the one shown stands in the table below. The error of this tree "
                         "for what was left out: ",
                         octavesText((*validation)[3].configuration), " octaves, R² ",
                         fixed((*validation)[3].r2, 2), "."),
             .panels = {{"TensorFlow.js over TensorFlow, on the processor",
                         treeSpec(octaves, gap->design)}}},
      treeTable(octaves, gap->design, "The tree by entropy of octaves, in words"),
      treeTable(squares, gap->design,
                "The tree by squared error, in words; gains in octaves squared"),
      blindTable(gap->design)};
}

}  // namespace fjord::study
