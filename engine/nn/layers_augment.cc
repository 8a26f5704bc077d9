// Layers of layers: one after the other, or drawn anew in each step. Keras's pipelines and mixtures of
// augmentation.
#include <algorithm>

#include "base/alternatives.h"
#include "nn/image_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

// ---- one after the other

Status checkLayers(const Json& layers) {
  if (!layers.is_array() || layers.empty()) return fail("must be a list of at least one layer");
  for (const Json& layer : layers) FJORD_CHECK(checkInner(layer));
  return {};
}
constexpr Argument kPipeline[] = {json("layers", checkLayers).isNeeded()};
LayerOutputs pipeline(LayerContext& c, const Fields& f, Inputs in) {
  LayerOutputs x{{in[0]}, {in.mask(0)}};
  std::vector<std::string> names;
  for (Json layer : f.json("layers")) {
    layer["config"]["name"] = nameWithin(layer, names);
    x = c.callInner(layer, {x.values, x.masks});
    if (!x) return {};
  }
  return x;
}

// ---- drawn in each step

/// A layer to choose from, and which of its arguments are the strength; some move images, the others know the
/// range of values. Those after Equalization change colors alone.
struct Choosable {
  const char *className, *strengths;
  bool moves = false, draws = true;
};
constexpr Choosable kChoosable[] = {
    {"RandomShear", "x_factor|y_factor", true},
    {"RandomTranslation", "height_factor|width_factor", true},
    {"RandomRotation", "factor", true},
    {"RandomPosterization", ""},
    {"Solarization", "addition_factor|threshold_factor"},
    {"AutoContrast", "", false, false},
    {"Equalization", "", false, false},
    {"RandomBrightness", "factor"},
    {"RandomColorDegeneration", "factor"},
    {"RandomContrast", "factor"},
    {"RandomSharpness", "factor"},
};
constexpr size_t kWithoutColors = 7;

/// Their descriptions, by the arguments of the layer that chooses.
std::vector<Json> choices(const Fields& f, bool withColors) {
  auto [low, high] = f.interval("factor");
  Json strength = Json::array();
  strength.push_back(low);
  strength.push_back(high);
  std::vector<Json> all;
  for (const Choosable& layer :
       std::span(kChoosable).first(withColors ? std::size(kChoosable) : kWithoutColors)) {
    Json one = Json::object(), config = Json::object();
    for (std::string_view name : alternatives(layer.strengths)) {
      if (!name.empty()) config[std::string(name)] = strength;
    }
    if (layer.moves) {
      config["interpolation"] = std::string(f.choice("interpolation"));
    } else if (f.has("value_range")) {
      config["value_range"] = f.json("value_range");
    }
    if (layer.className == std::string_view("RandomPosterization"))
      config["factor"] = std::max(1, static_cast<int>(8 * high));
    // Layers of one seed would draw alike.
    if (layer.draws && f.has("seed"))
      config["seed"] = f.whole("seed") + static_cast<int>(all.size());
    one["class_name"] = layer.className;
    one["config"] = std::move(config);
    all.push_back(std::move(one));
  }
  return all;
}

constexpr Argument kChosen[] = {choice("interpolation", "bilinear|nearest"), also(kValueRange),
                                also(kRandom)};

/// x by one of the layers, which is drawn for the batch; with `orNone` also by none of them. All are
/// computed: a plan has no branches.
Value byOne(LayerContext& c, const Fields& f, Value x, std::vector<Json> layers, bool orNone,
            int32_t number) {
  double count = static_cast<double>(layers.size()) + orNone;
  Value drawn = floor(layer_parts::drawn(c, f, *x.graph, 1, 0, count, number));
  Value y = x;
  for (size_t i = 0; i < layers.size() && y; ++i) {
    Json& config = layers[i]["config"];
    config["name"] = cat(canonicalName(stringOr(layers[i], "class_name", "")), "_", number);
    if (config.contains("seed"))
      config["seed"] = config["seed"].get<int>() + number * static_cast<int>(layers.size());
    LayerOutputs one = c.callInner(layers[i], {{{x}}});
    y = one ? where(drawn == static_cast<double>(i), one.values[0], y) : Value{};
  }
  return y;
}

// Each is as many nodes of the graph.
constexpr Range kFew{1, 64};
constexpr Argument kRandAugment[] = {whole("num_ops", kFew, 2), interval("factor", kShare, 0.5),
                                     also(kChosen)};
Value randAugment(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  std::vector<Json> layers = choices(f, true);
  for (int32_t i = 0; varies(c) && x && i < f.whole("num_ops"); ++i)
    x = byOne(c, f, x, layers, false, i);
  return x;
}

/// Hendrycks et al., AugMix, 2020: the images, mixed with a mean of several chains of such layers. Shares
/// are drawn evenly: alpha is 1.
constexpr Argument kAugMix[] = {whole("num_chains", kFew, 3),    whole("chain_depth", kFew, 3),
                                interval("factor", kShare, 0.3), only("alpha", "1|1.0"),
                                flag("all_ops", true),           also(kChosen)};
Value augMix(LayerContext& c, const Fields& f, Inputs in) {
  if (!hasPixels(in[0])) return {};
  Value x = cast(in[0], DType::kF32);
  ValueRange range(f, *x.graph);
  if (!varies(c)) return x;
  std::vector<Json> layers = choices(f, f.flag("all_ops"));
  int32_t chains = f.whole("num_chains"), depth = f.whole("chain_depth"), number = 0;
  Value mixed, shares;
  for (int32_t i = 0; i < chains; ++i) {
    Value y = x;
    for (int32_t j = 0; j < depth && y; ++j) y = byOne(c, f, y, layers, true, number++);
    if (!y) return {};
    // Logarithms of uniform numbers are as shares of a Dirichlet distribution.
    Value u = layer_parts::drawn(c, f, *x.graph, 1, 0, 1, number++);
    Value share = -log(1.0 - u);
    mixed = mixed ? mixed + y * share : y * share;
    shares = shares ? shares + share : share;
  }
  Value kept = layer_parts::drawn(c, f, *x.graph, 1, 0, 1, number);
  return range.clipped(x * kept + mixed / shares * (1.0 - kept));
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Pipeline", "pipeline", kPipeline, nullptr, 1, Masks::kEnd, pipeline},
    {"RandAugment", "randAugment", kRandAugment, randAugment},
    {"AugMix", "augMix", kAugMix, augMix},
}));

}  // namespace

std::span<const LayerRow> augmentingLayers() { return kRows; }

}  // namespace fjord
