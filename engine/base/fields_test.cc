#include "base/fields.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fjord {
namespace {

using namespace arguments;

Status checkUnit(const Json& j) {
  return j == "metre" ? Status() : fail("there is no unit ", shown(j));
}

constexpr Argument kShared[] = {flag("trainable", true), only("sparse", "false|\"no\"")};
constexpr Argument kTable[] = {
    whole("units", kCount).isNeeded(),
    number("rate|learning_rate", kBelowOne, 0.5),
    number("gain", kFinite),
    text("name", "thing"),
    choice("padding", "valid|same_as_input"),
    pair("kernel_size", kCount, 3),
    wholes("axis", kAnyInt, -1),
    wholes("dims", kCount),
    shape("input_shape"),
    perAxis("size", 3, kCount),
    borders("margin", 2, 1),
    borders("ends", 1, 0),
    numbers("values", kPositive),
    texts("files"),
    textsByName("reasons"),
    described("unit", checkUnit, "metre"),
    json("extra"),
    also(kShared),
};

Json parsed(std::string_view text) { return *parseJson(text); }

/// What is wrong with these members beside units.
std::string wrong(const std::string& members) {
  Json j = parsed(cat(R"({"units": 2)", members.empty() ? "" : ", ", members, "}"));
  Result<Fields> fields = Fields::of("Thing", kTable, j);
  return fields ? "nothing" : fields.error().message;
}

TEST(Fields, WhatIsNotSaidHasItsDefault) {
  for (const char* text : {R"({"units": 2})", R"({"units": 2.0, "rate": null, "padding": null})"}) {
    Json j = parsed(text);
    Result<Fields> f = Fields::of("Thing", kTable, j);
    ASSERT_TRUE(f) << f.error().message;
    EXPECT_EQ(f->whole("units"), 2);
    EXPECT_EQ(f->number("rate"), 0.5);
    EXPECT_FALSE(f->has("rate") || f->has("gain"));
    EXPECT_EQ(f->text("name"), "thing");
    EXPECT_EQ(f->choice("padding"), "valid");
    EXPECT_EQ(f->pair("kernel_size"), (std::array{3, 3}));
    EXPECT_EQ(f->wholes("axis"), (Shape{-1}));
    EXPECT_EQ(f->wholes("dims"), Shape());
    EXPECT_EQ(f->borders("margin"), (Shape{1, 1, 1, 1}));
    EXPECT_EQ(f->borders("ends"), (Shape{0, 0}));
    EXPECT_TRUE(f->knows("size") && !f->knows("sizes"));
    EXPECT_TRUE(f->numbers("values").empty() && f->texts("files").empty());
    EXPECT_EQ(f->json("unit"), "metre");
    EXPECT_TRUE(f->json("extra").is_null());
    EXPECT_TRUE(f->flag("trainable"));
  }
}

TEST(Fields, WhatIsSaidIsRead) {
  Json j = parsed(R"({"units": 7, "learning_rate": 0, "gain": -2.5, "name": "x",
    "padding": "sameAsInput", "kernelSize": [1, 2], "axis": [1, -1], "dims": 4,
    "inputShape": [null, 5], "size": [1, 2, 3], "margin": [[1, 2], 3], "ends": [4, 5], "values": [1, 2.5], "files": ["a", "b"],
    "reasons": {"a": "b"}, "unit": "metre", "extra": {"any": 1}, "trainable": false,
    "sparse": "no"})");
  Result<Fields> f = Fields::of("Thing", kTable, j);
  ASSERT_TRUE(f) << f.error().message;
  EXPECT_EQ(f->whole("units"), 7);
  EXPECT_EQ(f->number("rate"), 0);
  EXPECT_TRUE(f->has("rate"));
  EXPECT_EQ(f->number("gain"), -2.5);
  EXPECT_EQ(f->text("name"), "x");
  EXPECT_EQ(f->choice("padding"), "same_as_input");
  EXPECT_EQ(f->pair("kernel_size"), (std::array{1, 2}));
  EXPECT_EQ(f->wholes("axis"), (Shape{1, -1}));
  EXPECT_EQ(f->wholes("dims"), (Shape{4}));
  EXPECT_EQ(f->wholes("input_shape"), (Shape{-1, 5}));
  EXPECT_EQ(f->perAxis("size"), (Shape{1, 2, 3}));
  EXPECT_EQ(f->borders("margin"), (Shape{1, 2, 3, 3}));
  EXPECT_EQ(f->borders("ends"), (Shape{4, 5}));
  EXPECT_EQ(f->numbers("values"), (std::vector{1.0, 2.5}));
  EXPECT_EQ(f->texts("files"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(f->textsByName("reasons").at("a"), "b");
  EXPECT_EQ(f->json("extra"), parsed(R"({"any": 1})"));
  EXPECT_FALSE(f->flag("trainable"));
}

TEST(Fields, NamesThatAreNotArguments) {
  const std::string all =
      "units, rate, gain, name, padding, kernel_size, axis, dims, input_shape, size, "
      "margin, ends, values, files, reasons, unit, extra, trainable";
  EXPECT_EQ(wrong(R"("kernel_sizes": 3)"),
            "kernel_sizes is not an argument of Thing; did you mean kernel_size? There are " + all);
  EXPECT_EQ(wrong(R"("kernalSize": 3)"),
            "kernalSize is not an argument of Thing; did you mean kernel_size? There are " + all);
  EXPECT_EQ(wrong(R"("hologram": null)"), "hologram is not an argument of Thing; there are " + all);
  EXPECT_EQ(wrong(R"("": 1)"), " is not an argument of Thing; there are " + all);
  EXPECT_EQ(wrong(R"("rate": 0.1, "learningRate": 0.1)"),
            "learningRate is given twice, also by another of its names rate, learning_rate");
}

TEST(Fields, ValuesThatAreNotAllowed) {
  EXPECT_EQ(Fields::of("Thing", kTable, Json()).error().message,
            "units is missing: it must be a whole number from 1 to 2147483647");
  EXPECT_EQ(Fields::of("Thing", kTable, Json::array({1})).error().message,
            "Thing must be an object {..}, got [1]");
  EXPECT_EQ(Fields::of("", kTable, Json("x"), "a/b/").error().message,
            "a/b must be an object {..}, got \"x\"");
  for (const char* value :
       {"32.9", "0", "-1", "2147483648", "1e10", "\"3\"", "[3]", "true", "{}"}) {
    Json j = parsed(cat(R"({"units": )", value, "}"));
    EXPECT_EQ(Fields::of("Thing", kTable, j).error().message,
              cat("units must be a whole number from 1 to 2147483647, got ", shown(j["units"])));
  }
  Json nan = {{"units", std::numeric_limits<double>::quiet_NaN()}};
  EXPECT_EQ(Fields::of("Thing", kTable, nan).error().message,
            "units must be a whole number from 1 to 2147483647, got NaN");
  EXPECT_EQ(wrong(R"("rate": 1)"), "rate must be a finite number from 0 to below 1, got 1");
  EXPECT_EQ(wrong(R"("rate": "NaN")"), "rate must be a finite number from 0 to below 1, got NaN");
  EXPECT_EQ(wrong(R"("gain": "Infinity")"), "gain must be a finite number, got Infinity");
  EXPECT_EQ(wrong(R"("gain": 1e39)"), "gain must be a finite number, got 1e+39");
  EXPECT_EQ(wrong(R"("gain": "3")"), "gain must be a finite number, got \"3\"");
  EXPECT_EQ(wrong(R"("name": "")"), "name must be a text that is not empty, got \"\"");
  EXPECT_EQ(wrong(R"("name": 3)"), "name must be a text that is not empty, got 3");
  EXPECT_EQ(wrong(R"("padding": "full")"),
            "padding must be one of valid, same_as_input, got \"full\"");
  EXPECT_EQ(wrong(R"("padding": "")"), "padding must be one of valid, same_as_input, got \"\"");
  for (const char* value : {"[3]", "[1,2,3]", "[1,0]", "[1,\"2\"]", "1.5"}) {
    EXPECT_EQ(wrong(cat(R"("kernel_size": )", value)),
              cat("kernel_size must be a whole number from 1 to 2147483647, or a list of two, got ",
                  value));
  }
  EXPECT_EQ(wrong(R"("dims": [])"),
            "dims must be a whole number from 1 to 2147483647, or a list of at most 8, got []");
  EXPECT_EQ(wrong(R"("dims": [1,1,1,1,1,1,1,1,1])").substr(0, 12), "dims must be");
  EXPECT_EQ(
      wrong(R"("input_shape": [0])"),
      "input_shape must be a list of at most 8 whole numbers from 1, or null for an open axis, "
      "got [0]");
  EXPECT_EQ(wrong(R"("margin": [1,2,3])"),
            "margin must be a whole number from 0 to 2147483647, [vertical, horizontal], or [[top, "
            "bottom], [left, right]], got [1,2,3]");
  EXPECT_EQ(wrong(R"("margin": [[1,2],[3]])").substr(0, 14), "margin must be");
  EXPECT_EQ(wrong(R"("ends": [1])"),
            "ends must be a whole number from 0 to 2147483647, or [before, after], got [1]");
  EXPECT_EQ(wrong(R"("size": [1,2])"),
            "size must be a whole number from 1 to 2147483647, or a list of three, got [1,2]");
  EXPECT_EQ(wrong(R"("values": [1,0])"),
            "values must be a list of finite numbers above 0, got [1,0]");
  EXPECT_EQ(wrong(R"("values": [1,1e-46])"),
            "values must be a list of finite numbers above 0, got [1,1e-46]");
  EXPECT_EQ(wrong(R"("files": ["a", ""])"),
            "files must be a list of texts that are not empty, got [\"a\",\"\"]");
  EXPECT_EQ(wrong(R"("reasons": ["a"])"),
            "reasons must be an object of texts that are not empty, got [\"a\"]");
  EXPECT_EQ(wrong(R"("unit": 3)"), "unit must be a name, or {class_name, config}, got 3");
  EXPECT_EQ(wrong(R"("unit": "yard")"), "unit: there is no unit \"yard\"");
  EXPECT_EQ(wrong(R"("sparse": true)"),
            "sparse must be false, \"no\": anything else is not supported, got true");
  EXPECT_EQ(wrong(R"("trainable": 1)"), "trainable must be true or false, got 1");
}

struct Tool : Named {
  int size;
};
constexpr Argument kEdge[] = {number("edge", kPositive, 1)};
constexpr Tool kTools[] = {{{"saw|handsaw", kEdge}, 1}, {{"hammer", {}}, 2}};

TEST(Fields, WhatIsChosenByName) {
  for (const char* text : {R"("handSaw")", R"({"class_name": "Saw", "config": {"edge": 2}})",
                           R"({"className": "Saw", "config": {}, "module": "m"})",
                           R"({"class_name": "function", "config": "saw"})"}) {
    Json j = parsed(text);
    auto tool = chosen("tool", kTools, j);
    ASSERT_TRUE(tool) << tool.error().message;
    EXPECT_EQ(tool->row->size, 1);
    EXPECT_EQ(tool->fields.number("edge"), j.dump().find('2') == std::string::npos ? 1 : 2);
  }
  auto wrong = [](const char* text) {
    return chosen("tool", kTools, parsed(text)).error().message;
  };
  EXPECT_EQ(wrong(R"("hamer")"),
            R"(unknown tool "hamer"; did you mean hammer? There are saw, hammer)");
  EXPECT_EQ(wrong("3"), "the tool must be a name, or {class_name, config}, got 3");
  EXPECT_EQ(wrong(R"({"edge": 2})").substr(0, 43), "the tool edge is not an argument of a descr");
  EXPECT_EQ(wrong("{}"), "the tool class_name is missing: it must be a text that is not empty");
  EXPECT_EQ(wrong(R"({"class_name": "Saw", "config": {"edge": 0}})"),
            "saw: edge must be a finite number above 0, got 0");
  // The least float32 is 2^-149. Half of it is rounded to 0, what is more to the whole.
  double half = std::ldexp(1.0, -150);
  for (double edge : {1e-46, half}) {
    Json saw = {{"class_name", "Saw"}, {"config", {{"edge", edge}}}};
    EXPECT_EQ(
        chosen("tool", kTools, saw).error().message,
        cat("saw: edge must be a finite number above 0, got ", edge, ", which is 0 in float32"));
  }
  for (double edge : {std::nextafter(half, 1.0), 1e-45}) {
    Json saw = {{"class_name", "Saw"}, {"config", {{"edge", edge}}}};
    EXPECT_TRUE(chosen("tool", kTools, saw)) << edge;
  }
  EXPECT_EQ(wrong(R"({"class_name": "Hammer", "config": {"edge": 1}})"),
            "edge is not an argument of hammer; there are none");
  EXPECT_EQ(wrong(R"({"class_name": "Saw", "config": [1]})"),
            "saw: saw must be an object {..}, got [1]");
}

TEST(Fields, LongValuesAreCut) {
  std::string lengthy(200, 'x');
  EXPECT_EQ(wrong(cat(R"("gain": ")", lengthy, "\"")),
            cat("gain must be a finite number, got \"", lengthy.substr(0, 79), ".."));
}

TEST(Json, NestsOnlySoDeep) {
  auto nested = [](int levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  EXPECT_TRUE(parseJson(nested(200)));
  EXPECT_EQ(parseJson(nested(100'000)).error().message, "JSON of more than 200 levels");
  EXPECT_TRUE(parseJson(cat("\"\\\"", nested(300), "\"")));
}

}  // namespace
}  // namespace fjord
