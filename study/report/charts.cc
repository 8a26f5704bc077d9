#include "report/charts.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/text.h"
#include "report/format.h"
#include "report/gap.h"

namespace fjord::study {

namespace {

/// One median in a panel.
struct Dot {
  Series series;
  Workload workload;
  Interval value;
  size_t trials = 0;  // 0: not told
};

/// Pixels of a line.
constexpr size_t kLine = 19;

/// What the panels of a figure share.
struct Frame {
  std::vector<std::string> order;  // labels of the lines, from the top
  std::vector<std::string> colours, shapes;
  std::vector<int> depths;
  double low = 0, high = 0;
  std::string unit;
  bool one = false;  // a line at 1
};

/// The labels of all series that have a dot, the fastest on top: by the mean of log(time over the
/// fastest at that size), so that a series that lacks the large sizes does not gain by it.
std::vector<std::string> orderOf(const std::vector<Dot>& dots) {
  std::map<Workload, double> best;
  for (const Dot& dot : dots) {
    auto [at, added] = best.insert({dot.workload, dot.value.centre});
    at->second = std::min(at->second, dot.value.centre);
  }
  std::map<std::string, std::pair<double, int>> sums;
  for (const Dot& dot : dots) {
    auto& [sum, terms] = sums[dot.series.label];
    sum += std::log(dot.value.centre / best[dot.workload]);
    ++terms;
  }
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto& [label, sum] : sums) sorted.emplace_back(sum.first / sum.second, label);
  std::ranges::sort(sorted);
  std::vector<std::string> out;
  for (const auto& [mean, label] : sorted) out.push_back(label);
  return out;
}

/// With `one`, a line at 1, which the axis then has.
Frame frameOf(const std::vector<Dot>& dots, const std::string& unit, bool one = false) {
  Frame frame{.order = orderOf(dots), .unit = unit, .one = one};
  std::map<std::string, int> colours;
  std::set<int> depths;
  double low = one ? 1 : INFINITY, high = one ? 1 : 0;
  for (const Dot& dot : dots) {
    colours[dot.series.label] = dot.series.colour;
    depths.insert(dot.workload.depth);
    low = std::min(low, dot.value.low);
    high = std::max(high, dot.value.high);
  }
  for (const std::string& label : frame.order) {
    frame.colours.push_back(colourOf(colours[label]));
    frame.shapes.emplace_back(shapeOf(colours[label]).name);
  }
  frame.depths.assign(depths.begin(), depths.end());
  // Room for the dots at the ends.
  frame.low = low / 1.3;
  frame.high = high * 1.3;
  return frame;
}

/// Where the axis has labels: powers of ten, with 2 and 5 between them where there is room.
std::vector<double> ticksOf(const Frame& frame) {
  double decades = std::log10(frame.high / frame.low);
  int step = std::max(1, static_cast<int>(std::ceil(decades / 6)));
  std::vector<double> out;
  for (int e = static_cast<int>(std::floor(std::log10(frame.low))); std::pow(10, e) <= frame.high;
       ++e) {
    for (double factor : {1.0, 2.0, 5.0}) {
      double tick = factor * std::pow(10, e);
      if (tick < frame.low || tick > frame.high) continue;
      if (factor == 1 ? e % step == 0 : decades < 2) out.push_back(tick);
    }
  }
  return out;
}

Json valuesOf(const std::vector<Dot>& dots) {
  Json values = Json::array();
  for (const Dot& dot : dots) {
    Json value = {{"series", dot.series.label},
                  {"size", dot.workload.size()},
                  {"depth", dot.workload.depth},
                  {"centre", dot.value.centre},
                  {"low", dot.value.low},
                  {"high", dot.value.high},
                  {"median", number(dot.value.centre)},
                  {"interval", between(dot.value)}};
    if (dot.trials) value["trials"] = dot.trials;
    values.push_back(value);
  }
  return values;
}

/// Areas of dots in square pixels, by depth, from one that is just seen. A scale of one depth would divide by zero: Vega
/// spreads a range over the gaps between the values of a domain.
Json sizeOf(const Frame& frame) {
  if (frame.depths.size() == 1) return {{"value", 56}};
  Json areas = Json::array();
  for (size_t i = 0; i < frame.depths.size(); ++i) areas.push_back(22 + 34 * i);
  return {{"field", "depth"},
          {"type", "ordinal"},
          {"scale", {{"domain", frame.depths}, {"range", areas}}},
          {"legend", nullptr}};
}

Json specOf(const std::vector<Dot>& dots, const Frame& frame) {
  Json x = {{"field", "centre"},
            {"type", "quantitative"},
            {"title", frame.unit},
            {"scale", {{"type", "log"}, {"domain", {frame.low, frame.high}}, {"nice", false}}},
            {"axis",
             {{"values", ticksOf(frame)},
              {"format", ",~r"},
              {"grid", true},
              {"labelOverlap", "greedy"},
              {"labelSeparation", 8}}}};
  Json y = {{"field", "series"},
            {"type", "nominal"},
            {"title", nullptr},
            {"scale", {{"domain", frame.order}}},
            {"axis", {{"grid", true}, {"labelLimit", 220}, {"domain", false}, {"ticks", false}}}};
  Json colour = {{"field", "series"},
                 {"type", "nominal"},
                 {"scale", {{"domain", frame.order}, {"range", frame.colours}}},
                 {"legend", nullptr}};
  Json shape = {{"field", "series"},
                {"type", "nominal"},
                {"scale", {{"domain", frame.order}, {"range", frame.shapes}}},
                {"legend", nullptr}};
  Json tooltip = Json::array();
  for (const char* field : {"series", "size", "median", "interval", "trials"})
    tooltip.push_back({{"field", field}, {"type", "nominal"}});
  auto with = [&](const char* key, const Json& value, Json base) {
    base[key] = value;
    return base;
  };
  Json least = {{"aggregate", "min"}, {"field", "centre"}, {"type", "quantitative"}};
  Json most = {{"aggregate", "max"}, {"field", "centre"}};
  Json layers = {
      {{"mark", {{"type", "rule"}, {"strokeWidth", 2}, {"opacity", 0.4}}},
       {"encoding", {{"x", with("aggregate", "min", x)}, {"x2", most}, {"color", colour}}}},
      {{"mark", {{"type", "point"}, {"filled", true}, {"opacity", 0.85}}},
       {"encoding",
        {{"x", x},
         {"color", colour},
         {"shape", shape},
         {"size", sizeOf(frame)},
         {"tooltip", tooltip}}}},
      {{"mark", {{"type", "rule"}, {"color", "currentColor"}, {"strokeWidth", 1.2}}},
       {"encoding", {{"x", with("field", "low", x)}, {"x2", {{"field", "high"}}}}}},
  };
  if (frame.one) {
    layers.push_back(
        {{"mark", {{"type", "rule"}, {"color", "currentColor"}, {"strokeDash", {4, 3}}}},
         {"encoding", {{"x", {{"datum", 1}}}, {"y", nullptr}}}});
  }
  return {{"width", "container"},
          {"height", kLine * frame.order.size()},
          {"autosize", {{"type", "fit-x"}, {"contains", "padding"}}},
          {"data", {{"values", valuesOf(dots)}}},
          {"encoding", {{"y", y}}},
          {"layer", layers}};
}

/// What a reader has to know of GPU backends, if there are any.
std::string gpuText(const Cells& cells, const std::vector<Dot>& dots) {
  bool any =
      std::ranges::any_of(dots, [](const Dot& d) { return d.series.gpu && !d.series.native; });
  bool software = softwareAdapter(cells.input().run.machine.gpu);
  return any && software ? "; a processor imitates the GPU of WebGL and WebGPU" : "";
}

/// "Dots from small to large: 1, 2, 4, 8 hidden layers"
std::string depthsText(const Frame& frame, const std::string& layers) {
  std::string out;
  for (int depth : frame.depths) out += cat(out.empty() ? "" : ", ", depth);
  if (frame.depths.size() < 2)
    return cat("Networks of ", out, " ", out == "1" ? layers.substr(0, layers.size() - 1) : layers);
  return cat("Dots from small to large: ", out, " ", layers);
}

}  // namespace

std::string colourOf(int colour) { return cat("var(--c", colour % kColours, ")"); }
const DotShape& shapeOf(int colour) { return kShapes[colour / kColours % std::size(kShapes)]; }

Figure timesFigure(const Cells& cells, const std::string& task, const std::string& phase,
                   const std::string& caption) {
  std::map<int, std::vector<Dot>> byWidth;
  std::vector<Dot> all;
  for (const Series& series : cells.series()) {
    for (const Workload& workload : cells.workloads()) {
      Measured m = cells.at({series.subject, series.backend, task, workload}, phase);
      // A logarithm has no place for what a clock did not see.
      if (!m.value || m.value->low <= 0) continue;
      all.push_back({series, workload, *m.value, m.trials.size()});
      byWidth[workload.width].push_back(all.back());
    }
  }
  if (all.empty()) return {.caption = caption};
  Frame frame = frameOf(all, "ms");
  Figure figure{.caption = caption,
                .note = depthsText(frame, cells.family().depthIs) + gpuText(cells, all)};
  for (const auto& [width, dots] : byWidth)
    figure.panels.push_back(
        {cat(width, " ", cells.family().widthIs, " a layer"), specOf(dots, frame)});
  return figure;
}

Figure gapFigure(const Cells& cells, const std::string& task, const std::string& caption) {
  std::vector<std::pair<std::string, std::vector<Dot>>> panels;
  std::vector<Dot> all;
  for (const Series& native : nativeSeries(cells)) {
    std::vector<Dot> dots;
    for (const Series& series : browserSeries(cells)) {
      for (const Workload& workload : cells.workloads()) {
        auto ratio = gapAt(cells, series, native, task, workload);
        if (ratio && ratio->low > 0) dots.push_back({series, workload, *ratio});
      }
    }
    all.insert(all.end(), dots.begin(), dots.end());
    if (!dots.empty()) panels.emplace_back("over " + native.label, std::move(dots));
  }
  if (all.empty()) return {.caption = caption};
  Frame frame = frameOf(all, "times as long", true);
  Figure figure{.caption = caption,
                .note = depthsText(frame, cells.family().depthIs) + gpuText(cells, all)};
  for (const auto& [title, dots] : panels) figure.panels.push_back({title, specOf(dots, frame)});
  return figure;
}

}  // namespace fjord::study
