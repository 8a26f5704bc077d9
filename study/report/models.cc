// The time model of each series: a time a layer and a speed.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "plan/network.h"
#include "report/analysis.h"
#include "report/charts.h"
#include "report/format.h"
#include "report/gap.h"
#include "report/tables.h"

namespace fjord::study {

namespace {

constexpr const char* kTasks[] = {"train", "infer"};
/// Digits of a training step.
constexpr double kTrainingBatch = 64;

Entry numeric(double value) { return {.text = number(value), .kind = Entry::kNumber}; }
Entry percent(double share) {
  return {.text = std::isfinite(share) ? number(100 * share) + " %" : "–", .kind = Entry::kNumber};
}

/// Mmac a ms are GMAC/s; nothing where multiplications took no time that the model saw.
std::optional<double> speedOf(const TimeModel& model) {
  if (model.perMac <= 0) return {};
  return 1 / model.perMac;
}

}  // namespace

Work workOf(const std::vector<Family>& families, const Workload& workload,
            const std::string& task) {
  Result<Network> network = networkOf(families, workload);
  if (!network) return {.layers = NAN, .macs = NAN};
  double macs = task == "train" ? network->batch * network->trainingMacs() : network->macs();
  auto hasKernel = [](const Layer& layer) { return !layer.kernel.empty(); };
  auto layers = std::ranges::count_if(network->layers, hasKernel);
  return {.layers = static_cast<double>(layers), .macs = macs / 1e6};
}

Result<TimeModel> modelOf(const Cells& cells, const Series& series, const std::string& task) {
  std::vector<Work> works;
  std::vector<double> times;
  for (const Workload& workload : cells.workloads()) {
    auto time = cells.median(series, task, workload, "steady");
    if (!time) continue;
    works.push_back(workOf(cells.input().catalogue.families, workload, task));
    times.push_back(*time);
  }
  if (times.empty()) return fail(cells.absence(series, task, "steady"));
  return fitTimes(works, times);
}

Table modelsTable(const Cells& cells, const std::string& task, const std::string& caption) {
  Table table{
      .caption = caption,
      .head = {"Framework", "µs a layer", "GMAC/s", "Error, median", "left out", "worst", "Sizes"}};
  for (const Series& series : cells.series()) {
    Result<TimeModel> model = modelOf(cells, series, task);
    if (!model) {
      addRow(table, series, std::vector<Measured>(6, {.reason = model.error().message}));
      continue;
    }
    auto speed = speedOf(*model);
    table.rows.push_back({nameOf(series, table),
                          numeric(model->perLayer * 1e3),
                          speed ? numeric(*speed) : table.reason("layers take all of the time"),
                          percent(model->median),
                          percent(model->medianLeftOut),
                          percent(model->worst),
                          {.text = count(model->sizes), .kind = Entry::kNumber}});
  }
  return table;
}

// ---- the figure

namespace {

struct ModelDot {
  const Series* series;
  double layer, speed;  // us; GMAC/s
};

Json modelSpec(const std::vector<ModelDot>& dots) {
  Json values = Json::array(), order = Json::array(), colours = Json::array(),
       shapes = Json::array();
  for (const ModelDot& dot : dots) {
    values.push_back({{"series", dot.series->label},
                      {"layer", dot.layer},
                      {"speed", dot.speed},
                      {"a layer", number(dot.layer) + " µs"},
                      {"multiplications", number(dot.speed) + " GMAC/s"}});
    order.push_back(dot.series->label);
    colours.push_back(colourOf(dot.series->colour));
    shapes.push_back(shapeOf(dot.series->colour).name);
  }
  auto axis = [](const char* field, const char* title) {
    return Json{{"field", field},
                {"type", "quantitative"},
                {"title", title},
                {"scale", {{"type", "log"}}},
                {"axis", {{"format", ",~r"}, {"labelOverlap", "greedy"}, {"labelSeparation", 8}}}};
  };
  auto look = [&](const Json& range) {
    return Json{{"field", "series"},
                {"type", "nominal"},
                {"scale", {{"domain", order}, {"range", range}}},
                {"legend", nullptr}};
  };
  Json tooltip = Json::array();
  for (const char* field : {"series", "a layer", "multiplications"})
    tooltip.push_back({{"field", field}, {"type", "nominal"}});
  return {
      {"width", "container"},
      {"height", 300},
      {"autosize", {{"type", "fit-x"}, {"contains", "padding"}}},
      {"data", {{"values", values}}},
      {"encoding", {{"x", axis("layer", "µs a layer")}, {"y", axis("speed", "GMAC/s")}}},
      {"layer",
       {{{"mark", {{"type", "point"}, {"filled", true}, {"size", 70}}},
         {"encoding", {{"color", look(colours)}, {"shape", look(shapes)}, {"tooltip", tooltip}}}},
        {{"mark",
          {{"type", "text"},
           {"align", "left"},
           {"dx", 8},
           {"fontSize", 10.5},
           {"color", "currentColor"}}},
         {"encoding", {{"text", {{"field", "series"}, {"type", "nominal"}}}}}}}}};
}

}  // namespace

Figure modelsFigure(const Cells& cells, const std::string& caption) {
  Figure figure{.caption = caption};
  bool software = softwareAdapter(cells.input().run.machine.gpu);
  for (const char* task : kTasks) {
    std::vector<ModelDot> dots;
    for (const Series& series : cells.series()) {
      if (software && series.gpu && !series.native) continue;
      Result<TimeModel> model = modelOf(cells, series, task);
      // A logarithm has no place for a layer that takes no time.
      if (!model || model->perLayer <= 0 || !speedOf(*model)) continue;
      dots.push_back({&series, model->perLayer * 1e3, *speedOf(*model)});
    }
    if (!dots.empty())
      figure.panels.push_back(
          {std::string(task) == "train" ? "training" : "inference", modelSpec(dots)});
  }
  figure.note = "Up and to the left is better: less for each layer, faster multiplications.";
  if (software) figure.note += " Without WebGL and WebGPU, whose GPU a processor imitates.";
  return figure;
}

// ---- break-even

Table breakEvenTable(const Cells& cells, const std::string& caption) {
  Table table{.caption = caption,
              .head = {"Task", "For smaller layers", "For larger layers",
                       "Millions of multiplications a layer", "Units of a square layer"}};
  bool software = softwareAdapter(cells.input().run.machine.gpu);
  for (const char* task : kTasks) {
    for (const Series& small : browserSeries(cells)) {
      for (const Series& large : browserSeries(cells)) {
        if (small.subject != large.subject || (software && (small.gpu || large.gpu))) continue;
        Result<TimeModel> first = modelOf(cells, small, task), second = modelOf(cells, large, task);
        if (!first || !second || first->perLayer >= second->perLayer) continue;
        auto macs = breakEven(*first, *second, {1, 1, 0});
        if (!macs) continue;
        double each = std::string(task) == "train" ? 3 * kTrainingBatch : 1;
        table.rows.push_back({word(task), word(small.label), word(large.label), numeric(*macs),
                              numeric(std::round(std::sqrt(*macs * 1e6 / each)))});
      }
    }
  }
  if (table.rows.empty()) {
    table.rows.push_back({{.text = "No two backends of a framework change places in this run.",
                           .kind = Entry::kReason,
                           .span = 5}});
  }
  return table;
}

}  // namespace fjord::study
