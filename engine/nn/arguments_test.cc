// The argument matrix: each argument of each layer, optimizer, loss, .. with values that it must not
// have. All are refused in words that name whose it is and the argument; what the table says is the
// default is taken.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/alternatives.h"
#include "nn/fit.h"
#include "nn/layers.h"

namespace fjord {
namespace {

std::string firstOf(std::string_view list) { return std::string(alternatives(list)[0]); }

/// Of two with one name the first counts.
void collect(std::span<const Argument> table, std::vector<Argument>& out) {
  for (const Argument& a : table) {
    if (a.kind == Argument::kAlso) {
      collect({a.rows, a.rowCount}, out);
    } else if (std::ranges::none_of(
                   out, [&](const Argument& b) { return std::string_view(a.name) == b.name; })) {
      out.push_back(a);
    }
  }
}

/// A value that the argument may have.
Json right(const Argument& a) {
  bool half = a.range && a.range->least <= 0.5 && a.range->most >= 0.5;
  std::string name = firstOf(a.name);
  switch (a.kind) {
    case Argument::kFlag:
      return a.fallback != 0;
    case Argument::kWhole:
    case Argument::kPerAxis:
    case Argument::kWholes:
    case Argument::kBorders:
    case Argument::kNumber:
      if (!std::isnan(a.fallback)) return a.fallback;
      return a.kind == Argument::kNumber && half ? Json(0.5) : Json(1);
    case Argument::kText:
      return a.text ? Json(a.text) : Json("some");
    case Argument::kChoice:
      return firstOf(a.text) == "null" ? Json() : Json(firstOf(a.text));
    case Argument::kTexts:
      return Json::array({"some"});
    case Argument::kShape:
      return Json::array({nullptr, 2});
    case Argument::kNumbers:
      return name == "values" ? Json::array({1, 2}) : Json::array({1});
    case Argument::kOneOrMore:
      return Json::array({0.25, 0.5});
    case Argument::kInterval:
      return Json::array({std::max(a.range->least, 0.25), std::max(a.range->least, 0.5)});
    case Argument::kDescribed:
      if (a.text) return a.text;
      return name.ends_with("optimizer")    ? "sgd"
             : name == "activation"         ? "relu"
             : name.ends_with("constraint") ? "non_neg"
                                            : "l2";
    case Argument::kOnly:
      return *a.text ? *parseJson(firstOf(a.text)) : Json();
    default:
      return name == "loss" ? Json("mse")
             : name == "layers"
                 ? Json::array({{{"class_name", "Rescaling"}, {"config", {{"scale", 1}}}}})
             : name == "layer" ? Json{{"class_name", "SimpleRNN"}, {"config", {{"units", 1}}}}
             : name == "cell"  ? Json{{"class_name", "LSTMCell"}, {"config", {{"units", 1}}}}
             : name == "cells" ? Json::array({right({.kind = a.kind, .name = "cell"})})
                               : Json();
  }
}

/// Values that it must not have.
std::vector<Json> wrong(const Argument& a) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  Json object = {{"a", 1}};
  auto outside = [&](double step) {
    const Range& r = *a.range;
    std::vector<Json> out;
    out.push_back(r.above ? r.least : std::min(r.least - step, std::nextafter(r.least, -1e300)));
    out.push_back(r.below ? r.most : std::max(r.most + step, std::nextafter(r.most, 1e300)));
    return out;
  };
  std::vector<Json> out;
  switch (a.kind) {
    case Argument::kFlag:
      return {0, 1, "true", object, Json::array({true})};
    case Argument::kWhole:
    case Argument::kPerAxis:
    case Argument::kWholes:
    case Argument::kBorders:
      out = outside(1);
      out.insert(out.end(), {2.5, 1e300, "2", kNaN, "NaN", "Infinity", true, object, Json::array(),
                             Json::array({1, 2.5})});
      // Where -1 is what remains, null is it, too.
      if (a.kind != Argument::kWholes || a.range->least != -1)
        out.push_back(Json::array({1, nullptr}));
      if (a.kind == Argument::kWhole) out.push_back(Json::array({1}));
      return out;
    case Argument::kNumber:
      out = outside(0);
      out.insert(out.end(), {"0.5", kNaN, "NaN", "Infinity", "-Infinity", 1e300, true, object,
                             Json::array({1})});
      return out;
    case Argument::kOneOrMore:
      return {"0.5",  kNaN,          "Infinity",         true,
              object, Json::array(), Json::array({"1"}), Json::array({0.5, nullptr})};
    case Argument::kInterval:
      out = outside(0);
      out.insert(out.end(),
                 {"0.5", kNaN, "Infinity", true, object, Json::array(), Json::array({0.5}),
                  Json::array({0.25, 0.5, 0.5}), Json::array({0.5, "1"}),
                  Json::array({0.5, 2e38 * 4}), Json::array({nullptr, 0.5})});
      return out;
    case Argument::kText:
      return {3, true, "", object, Json::array({"a"})};
    case Argument::kChoice:
      return {3, true, "", "telepathy", object, Json::array({"a"})};
    case Argument::kShape:
      return {0,
              -1,
              1.5,
              "3",
              true,
              object,
              Json::array({0}),
              Json::array({-2}),
              Json::array({1e10}),
              Json::array({kNaN}),
              Json::array({"3"}),
              Json::array({1, 1, 1, 1, 1, 1, 1, 1, 1})};
    case Argument::kNumbers:
      return {1, "1", object, Json::array({"1"}), Json::array({kNaN}), Json::array({nullptr})};
    case Argument::kTexts:
      return {1, true, "some", object, Json::array({1}), Json::array({""})};
    case Argument::kDescribed:
      return {3,
              true,
              "telepathy",
              object,
              Json::array({"l2"}),
              Json{{"class_name", "telepathy"}, {"config", Json::object()}},
              Json{{"class_name", a.text ? a.text : "l2"}, {"config", {{"telepathy", 1}}}}};
    case Argument::kOnly:
      return {object, 77, "telepathy"};
    default:
      return a.check ? std::vector<Json>{"telepathy", kNaN, true, Json::array({"1"})}
                     : std::vector<Json>{};
  }
}

/// Tries each argument of one row; `check` gives what is wrong with a config, or "".
template <class Check>
void tryRow(std::string_view owner, std::span<const Argument> table,
            std::span<const Argument> common, Check check) {
  SCOPED_TRACE(owner);
  std::vector<Argument> arguments;
  collect(table, arguments);
  collect(common, arguments);
  Json base = Json::object();
  for (const Argument& a : arguments) {
    if (a.needed) base[firstOf(a.name)] = right(a);
  }
  EXPECT_EQ(check(base), "");
  auto refused = [&](const Json& config, const std::string& name) {
    std::string message = check(config);
    EXPECT_NE(message.find(name), message.npos) << config.dump() << ": " << message;
    EXPECT_NE(canonicalName(message).find(canonicalName(owner)), message.npos) << message;
  };
  for (const Argument& a : arguments) {
    for (std::string_view one : alternatives(a.name)) {
      std::string name(one);
      Json config = base;
      config.erase(firstOf(a.name));
      config[name] = right(a);
      EXPECT_EQ(check(config), "") << config.dump();
      for (const Json& value : wrong(a)) {
        config[name] = value;
        refused(config, name);
      }
      config = base;
      config[name + "z"] = right(a);
      refused(config, name + "z");
    }
    if (!a.needed) continue;
    Json config = base;
    config[firstOf(a.name)] = nullptr;
    refused(config, firstOf(a.name));
  }
}

TEST(Arguments, OfLayers) {
  for (const LayerRow& row : layerRows()) {
    std::vector<Type> inputs(std::max(1, row.inputs), Type{DType::kF32, {-1, 3}});
    tryRow(row.className, row.arguments, everyLayer(), [&](const Json& config) {
      Result<Fields> fields = layerFields(row, config);
      if (fields) return std::string();
      // What a person sees has the name of the layer before it.
      auto type = inferLayer(row.className, config, inputs);
      return type ? "taken" : type.error().message;
    });
  }
}

/// Each argument is in its range, and the image is not: the words say by which layer, and how large.
TEST(Arguments, SizesThatNoImageHas) {
  struct {
    const char* layer;
    Json config;
    std::string message;
  } cases[] = {
      {"ZeroPadding2D",
       {{"padding", kMostInt}},
       "ZeroPadding2D: pad: the shape [1,too large,too large,3] has a size above 2147483647, or "
       "more "
       "than 8 axes (inputs: float32[1,4,5,3])"},
      {"Cropping2D",
       {{"cropping", {{1, 3}, {0, 0}}}},
       "Cropping2D: cropping must leave something of 4 rows and 5 columns, got [[1,3],[0,0]]"},
      {"Cropping2D",
       {{"cropping", kMostInt}},
       "Cropping2D: cropping must leave something of 4 rows and 5 columns, got "
       "[[2147483647,2147483647],[2147483647,2147483647]]"},
      {"UpSampling2D",
       {{"size", {1, kMostInt}}},
       cat("UpSampling2D: broadcastTo: the shape [1,4,1,5,2147483647,3] has more than the ",
           kMaxElements, " elements that an array can have (inputs: float32[1,4,1,5,1,3])")},
      {"DepthwiseConv2D",
       {{"kernel_size", 1}, {"depth_multiplier", kMostInt}},
       cat("DepthwiseConv2D: input: the shape [1,1,3,2147483647] has more than the ", kMaxElements,
           " elements that an array can have")},
      {"Conv2DTranspose",
       {{"filters", 1}, {"kernel_size", 1}, {"strides", kMostInt}},
       "Conv2DTranspose: conv2dTranspose: conv2dInput: the shape [1,too large,too large,1] has a "
       "size above "
       "2147483647, or more than 8 axes (inputs: float32[1,4,5,3], float32[1,1,1,3])"},
  };
  for (const auto& [layer, config, message] : cases) {
    auto type = inferLayer(layer, config, {{Type{DType::kF32, {-1, 4, 5, 3}}}});
    ASSERT_FALSE(type) << layer << " gives " << cat((*type)[0]);
    EXPECT_EQ(type.error().message, message);
  }
}

TEST(Arguments, OfWhatIsChosenByName) {
  for (const Table& table :
       {initializerTable(), regularizerTable(), constraintTable(), lossTable(), metricTable(),
        optimizerTable(), lossScaleTable(), scheduleTable(), callbackTable()}) {
    for (const Named& row : table.rows) {
      std::string name(firstName(row));
      tryRow(name, row.arguments, table.common, [&](const Json& config) {
        Status status = table.check({{"class_name", name}, {"config", config}});
        return status ? "" : status.error().message;
      });
    }
    std::string message = table.check("telepathy").error().message;
    EXPECT_TRUE(message.find("telepathy") != message.npos) << message;
  }
}

TEST(Arguments, OfOptions) {
  for (const Table& table : {compileTable(), fitTable()}) {
    tryRow(table.rows[0].name, table.rows[0].arguments, {}, [&](const Json& options) {
      Status status = table.check(options);
      return status ? "" : status.error().message;
    });
  }
}

}  // namespace
}  // namespace fjord
