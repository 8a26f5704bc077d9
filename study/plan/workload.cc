#include "plan/workload.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <span>

#include "base/fields.h"
#include "plan/digits.h"
#include "plan/folders.h"
#include "plan/text.h"

namespace fjord::study {

namespace {

namespace fs = std::filesystem;
using namespace arguments;

constexpr const char* kLayerTypes[] = {"dense", "conv2d", "maxPool", "flatten", "lstm"};
/// Layers and units of a workload's name.
constexpr int kMostDepth = 64, kMostWidth = 4096;
/// Multiplications that a reference may take: half a minute of plain loops.
constexpr double kMostMacs = 3e10;

size_t product(std::span<const int> shape) {
  return std::accumulate(shape.begin(), shape.end(), size_t{1}, std::multiplies<>());
}

std::string shapeText(std::span<const int> shape) {
  std::string out;
  for (int length : shape) out += cat(out.empty() ? "[" : ",", length);
  return out + "]";
}

// ---- layers

constexpr Argument kLayer[] = {
    choice("type", "dense|conv2d|maxPool|flatten|lstm").isNeeded(),
    json("units"),
    whole("size", kCount, 2),
    choice("padding", "same|valid"),
    choice("activation", "hidden|output"),
};

/// A number, or "width".
Result<int> unitsOf(const Json& units, int width) {
  if (units.is_number_integer() && units > 0 && units <= kMostWidth) return units.get<int>();
  if (units.is_string() && units == "width") return width;
  return fail("units must be a whole number from 1 to ", kMostWidth, " or \"width\", got ",
              shown(units));
}

/// Sides of an image after a window of this size and stride has gone over it.
std::vector<int> sidesAfter(std::span<const int> image, int size, int stride,
                            const std::string& padding) {
  std::vector<int> out;
  for (int side : image.first(2))
    out.push_back(padding == "same" ? (side + stride - 1) / stride : (side - size) / stride + 1);
  return out;
}

/// The layer that a description means after what has this shape, and before what the next one means.
Result<Layer> layerOf(const Json& json, const Json* next, const std::vector<int>& in, int width,
                      const Style& style) {
  FJORD_TRY(Fields fields, Fields::of("", kLayer, json));
  Layer layer{.type = std::string(fields.choice("type")), .in = in};
  bool isWindow = layer.type == "conv2d" || layer.type == "maxPool", isLstm = layer.type == "lstm";
  if (in.size() != (isWindow ? 3 : isLstm ? 2 : 1) && layer.type != "flatten")
    return fail("a layer ", layer.type, " after the shape ", shapeText(in), " cannot be");
  if (layer.type == "flatten") {
    layer.out = {static_cast<int>(product(in))};
    return layer;
  }
  int size = fields.whole("size");
  if (isWindow) layer.padding = fields.choice("padding");
  // No window without padding is larger than the image, and one that pools sees nothing beside it.
  if (isWindow && (layer.padding == "valid" || layer.type == "maxPool"))
    size = std::min({size, in[0], in[1]});
  if (layer.type == "maxPool") {
    layer.size = size;
    layer.out = sidesAfter(in, size, size, layer.padding);
    layer.out.push_back(in[2]);
    return layer;
  }
  FJORD_TRY(int units, unitsOf(fields.json("units"), width));
  if (isLstm) {
    layer.kernel = {in[1], 4 * units};
    layer.recurrent = {units, 4 * units};
    layer.sequences = next && stringOr(*next, "type", "") == "lstm";
    layer.out = layer.sequences ? std::vector{in[0], units} : std::vector{units};
    return layer;
  }
  layer.activation = fields.choice("activation") == "hidden" ? style.hidden : style.output;
  if (isWindow) {
    layer.kernel = {size, size, in[2], units};
    layer.out = sidesAfter(in, size, 1, layer.padding);
    layer.out.push_back(units);
  } else {
    layer.kernel = {in[0], units};
    layer.out = {units};
  }
  return layer;
}

/// Multiplications of a layer's kernel for one sample.
double kernelMacsOf(const Layer& layer) {
  if (layer.kernel.empty()) return 0;
  double each = static_cast<double>(product(layer.kernel));
  if (layer.type == "lstm") return each * layer.in[0];
  return layer.type == "conv2d" ? each * layer.out[0] * layer.out[1] : each;
}

/// Of all that it has.
double macsOf(const Layer& layer) {
  double recurrent = layer.recurrent.empty() ? 0 : static_cast<double>(product(layer.recurrent));
  return kernelMacsOf(layer) + recurrent * layer.in[0];
}

// ---- workload.json

constexpr Argument kCompared[] = {
    whole("outputs", kCount, 10),
    whole("batch", kCount, 64),
    whole("steps", kCount, 3),
    number("rate", kPositive),
};

constexpr Argument kFamily[] = {
    text("title").isNeeded(),
    text("note"),
    text("depthIs").isNeeded(),
    text("widthIs").isNeeded(),
    choice("data", "digits|text"),
    numbers("input", kCount),
    numbers("depths", kCount),
    numbers("widths", kCount),
    json("block"),
    json("tail"),
    whole("blockDepth", kCount, 1),
    whole("tailDepth", kIndex, 0),
    choice("initializer", "glorot|he"),
    whole("batch", kCount, 64),
    choice("optimizer", "sgd|rmsprop"),
    number("rate", kPositive, 0.05),
    json("compared"),
    json("suites"),
};

constexpr Argument kSuite[] = {numbers("depths", kCount), numbers("widths", kCount),
                               texts("sizes")};

std::vector<Workload> gridOf(const std::string& family, const std::vector<int>& depths,
                             const std::vector<int>& widths) {
  std::vector<Workload> out;
  for (int depth : depths) {
    for (int width : widths) out.push_back({depth, width, family});
  }
  return out;
}

std::vector<int> wholesOf(const Fields& fields, const char* name) {
  std::vector<int> out;
  for (double value : fields.numbers(name)) out.push_back(static_cast<int>(value));
  return out;
}

/// The values that stand in references.json beside it, of networks whose loops would take long.
Result<std::map<std::string, Stored>> storedIn(const fs::path& path) {
  std::map<std::string, Stored> out;
  std::error_code error;
  if (!fs::exists(path, error)) return out;
  FJORD_TRY(Json json, readJson(path));
  auto numbersOf = [](const Json& list) {
    std::vector<double> numbers;
    for (const Json& value : list)
      if (value.is_number()) numbers.push_back(value.get<double>());
    return numbers;
  };
  for (const auto& [size, values] : json.items()) {
    Stored& stored = out[size];
    stored.losses = numbersOf(member(values, "losses"));
    for (const Json& row : member(values, "outputs")) stored.outputs.push_back(numbersOf(row));
  }
  return out;
}

Status readSuites(const Json& json, Family& family) {
  for (const auto& [name, value] : json.items()) {
    std::string place = cat("suites/", name, "/");
    FJORD_TRY(Fields fields, Fields::of("", kSuite, value, place));
    std::vector<Workload>& suite = family.suites[name] =
        gridOf(family.name, wholesOf(fields, "depths"), wholesOf(fields, "widths"));
    for (const std::string& size : fields.texts("sizes")) {
      std::optional<Workload> workload = workloadOf(cat(family.name, "/", size));
      if (!workload) return fail(place, "sizes: \"", size, "\" is to be like 2x128");
      suite.push_back(std::move(*workload));
    }
    if (suite.empty())
      return fail(place, "depths and widths must have a number each at least, or sizes a name");
    for (const Workload& workload : suite) FJORD_CHECK(family.network(workload, {}));
  }
  return {};
}

Result<Family> readFamily(const Json& json, Family family) {
  FJORD_TRY(Fields fields, Fields::of("", kFamily, json));
  family.title = fields.text("title");
  family.note = fields.text("note");
  family.depthIs = fields.text("depthIs");
  family.widthIs = fields.text("widthIs");
  family.data = fields.choice("data");
  family.input = wholesOf(fields, "input");
  family.depths = wholesOf(fields, "depths");
  family.widths = wholesOf(fields, "widths");
  for (const Json& layer : fields.json("block")) family.block.push_back(layer);
  for (const Json& layer : fields.json("tail")) family.tail.push_back(layer);
  family.blockDepth = fields.whole("blockDepth");
  family.tailDepth = fields.whole("tailDepth");
  family.he = fields.choice("initializer") == "he";
  family.batch = fields.whole("batch");
  family.optimizer = fields.choice("optimizer");
  family.rate = fields.number("rate");
  Json given = fields.json("compared");
  FJORD_TRY(Fields compared, Fields::of("", kCompared, given, "compared/"));
  family.compared = {compared.whole("outputs"), compared.whole("batch"), compared.whole("steps"),
                     compared.number("rate")};
  if (std::isnan(family.compared.rate)) family.compared.rate = family.rate;
  if (family.data == "text") {
    if (family.input != std::vector{kSequence, kCharacters})
      return fail("input of text must be ", shapeText(std::vector{kSequence, kCharacters}),
                  ", got ", shapeText(family.input));
  } else if (family.input.size() != 1 && family.input.size() != 3) {
    return fail("input must be [values] or [height,width,channels], got ", shapeText(family.input));
  }
  if (family.grid().empty()) return fail("depths and widths must have a number each at least");
  for (const Workload& workload : family.grid()) FJORD_CHECK(family.network(workload, {}));
  FJORD_CHECK(readSuites(fields.json("suites"), family));
  return family;
}

}  // namespace

// ---- networks

bool isLayerType(std::string_view type) {
  return std::ranges::find(kLayerTypes, type) != std::end(kLayerTypes);
}

std::string layerTypes() {
  std::string out;
  for (const char* type : kLayerTypes) out += cat(out.empty() ? "" : ", ", type);
  return out;
}

size_t Network::inputs() const { return product(input); }

size_t Network::weights() const {
  size_t count = 0;
  for (const Layer& layer : layers) {
    if (layer.kernel.empty()) continue;
    if (!layer.recurrent.empty()) count += product(layer.recurrent);
    count += product(layer.kernel) + (style.bias ? static_cast<size_t>(layer.kernel.back()) : 0);
  }
  return count;
}

double Network::macs() const {
  double sum = 0;
  for (const Layer& layer : layers) sum += macsOf(layer);
  return sum;
}

double Network::trainingMacs() const {
  auto first = std::ranges::find_if(layers, [](const Layer& l) { return !l.kernel.empty(); });
  return 3 * macs() - (first == layers.end() ? 0 : kernelMacsOf(*first));
}

Json toJson(const Network& network) {
  Json layers = Json::array();
  for (const Layer& layer : network.layers) {
    Json& json = layers.emplace_back(Json{{"type", layer.type}});
    if (!layer.kernel.empty()) json["kernel"] = layer.kernel;
    if (!layer.recurrent.empty()) {
      json["recurrent"] = layer.recurrent;
      json["sequences"] = layer.sequences;
    }
    if (!layer.activation.empty()) json["activation"] = layer.activation;
    if (!layer.padding.empty()) json["padding"] = layer.padding;
    if (layer.size) json["size"] = layer.size;
  }
  const Compared& compared = network.compared;
  return {{"workload", network.workload.name()},
          {"data", network.data},
          {"input", network.input},
          {"layers", layers},
          {"hidden", network.style.hidden},
          {"output", network.style.output},
          {"bias", network.style.bias},
          {"batch", network.batch},
          {"optimizer", network.optimizer},
          {"rate", network.rate},
          {"compared",
           {{"outputs", compared.outputs},
            {"batch", compared.batch},
            {"steps", compared.steps},
            {"rate", compared.rate}}}};
}

// ---- families

std::vector<Workload> Family::grid() const { return gridOf(name, depths, widths); }

Result<Network> Family::network(const Workload& workload, const Style& style) const {
  int blocks = (workload.depth - tailDepth) / blockDepth;
  bool fits = workload.depth == tailDepth + blocks * blockDepth && (blocks > 0) == !block.empty();
  if (!fits || workload.width < 1) {
    return fail(workload.name(), ": a network of ", name, " has ", tailDepth,
                block.empty()
                    ? ""
                    : cat(" and ", blockDepth, " for each block, so ", tailDepth + blockDepth, ", ",
                          tailDepth + 2 * blockDepth, ", .."),
                " layers");
  }
  Network out{.workload = workload,
              .style = style,
              .data = data,
              .input = input,
              .he = he,
              .batch = batch,
              .optimizer = optimizer,
              .rate = rate,
              .compared = compared};
  std::vector<Json> described;
  for (int i = 0; i < blocks; ++i) described.insert(described.end(), block.begin(), block.end());
  described.insert(described.end(), tail.begin(), tail.end());
  std::vector<int> shape = input;
  for (size_t i = 0; i < described.size(); ++i) {
    const Json* next = i + 1 < described.size() ? &described[i + 1] : nullptr;
    Result<Layer> layer = layerOf(described[i], next, shape, workload.width, style);
    if (!layer) return fail("layer ", i + 1, ": ", layer.error().message);
    shape = layer->out;
    out.layers.push_back(std::move(*layer));
  }
  int classes = data == "text" ? kCharacters : kClasses;
  if (shape != std::vector{classes})
    return fail("the last layer gives ", shapeText(shape), ", and there are ", classes, " classes");
  double reference =
      compared.outputs * out.macs() + compared.steps * compared.batch * out.trainingMacs();
  if (reference > kMostMacs && !stored.contains(workload.size())) {
    return fail(workload.name(), ": what it has to be compared with takes ",
                std::round(reference / 1e8) / 10, " GMAC, and at most ", kMostMacs / 1e9,
                " are computed: choose a smaller one");
  }
  return out;
}

Result<std::vector<Family>> readFamilies(const std::string& study) {
  std::vector<Family> out;
  FJORD_TRY(auto folders, foldersOf(fs::path(study) / "workloads"));
  for (const fs::path& folder : folders) {
    fs::path path = folder / "workload.json";
    FJORD_TRY(Json json, readJson(path));
    Family family{.name = folder.filename().string()};
    FJORD_TRY(family.stored, storedIn(folder / "references.json"));
    Result<Family> read = readFamily(json, std::move(family));
    if (!read) return fail(path.string(), ": ", read.error().message);
    out.push_back(std::move(*read));
  }
  return out;
}

// ---- names

std::optional<Workload> workloadOf(std::string_view name) {
  Workload workload;
  std::string_view size = name;
  if (size_t slash = name.find('/'); slash != std::string_view::npos) {
    workload.family = name.substr(0, slash);
    size = name.substr(slash + 1);
    if (!isFolderName(workload.family)) return {};
  }
  const char* end = size.data() + size.size();
  auto [times, error] = std::from_chars(size.data(), end, workload.depth);
  if (times == end || *times != 'x') return {};
  std::from_chars(times + 1, end, workload.width);
  if (workload.depth < 1 || workload.depth > kMostDepth) return {};
  if (workload.width < 1 || workload.width > kMostWidth) return {};
  // Written back it is the same, so there was nothing else: no sign, no leading zero, no end.
  if (workload.size() != size) return {};
  return workload;
}

Result<Network> networkOf(const std::vector<Family>& families, const Workload& workload,
                          const Style& style) {
  const Family* family = findNamed(families, workload.family);
  if (!family)
    return fail(workload.name(), ": there is no family \"", workload.family, "\"; there are ",
                namesOf(families));
  return family->network(workload, style);
}

Result<std::vector<Workload>> suiteOf(const std::vector<Family>& families,
                                      const std::string& name) {
  std::vector<Workload> out;
  std::set<std::string> known;
  for (const Family& family : families) {
    for (const auto& [suite, workloads] : family.suites) {
      known.insert(suite);
      if (suite == name) out.insert(out.end(), workloads.begin(), workloads.end());
    }
  }
  if (!out.empty()) return out;
  std::string names;
  for (const std::string& suite : known) names += (names.empty() ? "" : ", ") + suite;
  return fail("there is no suite \"", name, "\"; there are ", names);
}

Result<std::vector<Workload>> parseWorkloads(const std::vector<Family>& families,
                                             const std::string& text) {
  std::vector<Workload> out;
  for (size_t at = 0; at <= text.size();) {
    size_t comma = std::min(text.find(',', at), text.size());
    std::string name = text.substr(at, comma - at);
    std::optional<Workload> workload = workloadOf(name);
    if (!workload)
      return fail("workload \"", name,
                  "\": is to be like 2x128 or cnn/9x400, for so many layers of so "
                  "many units; at most ",
                  kMostDepth, "x", kMostWidth);
    if (std::ranges::find(out, *workload) != out.end())
      return fail("workload ", workload->name(), " is there twice");
    FJORD_CHECK(networkOf(families, *workload));
    out.push_back(std::move(*workload));
    at = comma + 1;
  }
  return out;
}

}  // namespace fjord::study
