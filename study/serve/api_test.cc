#include "serve/api.h"

#include <gtest/gtest.h>

#include <ctime>

#include "base/random.h"
#include "serve/gate.h"
#include "serve/target.h"
#include "serve/test_client.h"

namespace fjord::study {
namespace {

/// The example of docs/study.md, with one sample of each kind of unit.
constexpr const char* kResult = R"({
  "outcome": "ok", "message": "",
  "version": "4.22.0", "engine": "wasm simd, 2 threads",
  "check": {"kind": "loss", "difference": 2e-7, "tolerance": 1e-3},
  "samples": [{"phase": "steady", "unit": "ms", "value": 9.31},
              {"phase": "file", "unit": "bytes", "value": 203560},
              {"phase": "cpu", "unit": "percent", "value": 187.5},
              {"phase": "depth", "unit": "calls", "value": 12}],
  "facts": {"layers": ["dense", "conv2d"]}
})";

Checked<TrialResult> resultOfText(std::string_view text) {
  FJORD_TRY(Json json, readJson(text));
  return resultOf(json);
}

/// Where a result is wrong: "" where it is not, "-" where the place is all of it.
std::string placeOf(std::string_view text) {
  Checked<TrialResult> result = resultOfText(text);
  if (result) return "";
  EXPECT_EQ(result.error().status, 400);
  EXPECT_FALSE(result.error().message.empty());
  return result.error().at.empty() ? "-" : result.error().at;
}

// ---- targets and names

TEST(Target, SplitsAndDecodes) {
  auto target = parseTarget("/data/a%20b?first=0&name=x%26y+z&empty=&flag");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/data/a b");
  EXPECT_EQ(target->query, (Query{{"first", "0"}, {"name", "x&y z"}, {"empty", ""}, {"flag", ""}}));
  // A plus is a space in forms, that is in queries; an encoded question mark belongs to the path.
  EXPECT_EQ(parseTarget("/a+b%3Fc?x=%2B")->path, "/a+b?c");
  EXPECT_EQ(parseTarget("/a?x=%2B")->query.at("x"), "+");
  EXPECT_TRUE(parseTarget("/?")->query.empty());
  EXPECT_TRUE(parseTarget("/?&&")->query.empty());
}

TEST(Target, RefusesWhatIsNoPath) {
  for (const char* text : {"", "*", "data", "http://127.0.0.1/", "//%", "/%", "/%4", "/%4g", "/%-1",
                           "/% 1", "/%00", "/a%0d%0ab", "/a%7f", "/?a=%00", "/?a=1&a=2", "/?%6"})
    EXPECT_FALSE(parseTarget(text)) << text;
}

TEST(Names, OfFilesAndSizes) {
  for (const char* name : {"a", "model.json", "group1-shard1of1.bin", "A_b-C.9"})
    EXPECT_TRUE(isName(name)) << name;
  for (const char* name :
       {"", ".", "..", ".hidden", "a/b", "a b", "a\\b", "\xc3\xa4", "a%2f", "a\n"})
    EXPECT_FALSE(isName(name)) << name;
  EXPECT_TRUE(isName(std::string(100, 'a')));
  EXPECT_FALSE(isName(std::string(101, 'a')));
}

// ---- JSON

TEST(ReadJson, RefusesWhatCostsTooMuch) {
  auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(readJson(nested(32)));
  EXPECT_FALSE(readJson(nested(33)));
  auto wide = [](int members) {
    std::string out;
    for (int i = 0; i < members; ++i)
      out += cat(i ? "," : "{", "\"k", i, "\":{\"a\":1,\"b\":\":::\"}");
    return out + "}";
  };
  EXPECT_TRUE(readJson(wide(256)));
  EXPECT_FALSE(readJson(wide(257)));
  // Each of these would take seconds of CPU time, or all of the stack.
  std::clock_t start = std::clock();
  EXPECT_FALSE(readJson(std::string(1 << 20, '[')));
  std::string many = "{";
  while (many.size() < 1 << 20) many += cat("\"", many.size(), "\":1,");
  EXPECT_FALSE(readJson(many + "\"z\":1}"));
  EXPECT_LT(std::clock() - start, CLOCKS_PER_SEC);
}

TEST(ReadJson, RefusesWhatIsNotText) {
  EXPECT_TRUE(readJson("\"\xc3\xa4 \\ud83d\\ude00 \\\\u0000\""));
  for (std::string_view text :
       {"\"\\u0000\"", "\"a\\u0000b\"", "\"\xff\"", "\"\xc3\"", "\"\\ud800\"", "\"\n\"", "", " ",
        "{", "{}x", "{'a':1}", "[1,]", "NaN", "1e999"})
    EXPECT_FALSE(readJson(text)) << text;
}

TEST(ReadJson, SaysWhatIsWrongEvenOfNonsense) {
  Checked<Json> json = readJson("\xff\xfe\x80");
  ASSERT_FALSE(json);
  Result<Json> reply = parseJson(faultReply(json.error()).body);
  ASSERT_TRUE(reply);
  EXPECT_EQ(numberOr(member(*reply, "error"), "status", 0), 400);
}

// ---- results

TEST(ResultOf, ReadsTheExample) {
  auto result = resultOfText(kResult);
  ASSERT_TRUE(result) << result.error().at << ": " << result.error().message;
  EXPECT_EQ(result->outcome, Outcome::kOk);
  EXPECT_EQ(result->version, "4.22.0");
  EXPECT_EQ(result->engine, "wasm simd, 2 threads");
  EXPECT_EQ(result->correctness.kind, "loss");
  EXPECT_EQ(result->correctness.difference, 2e-7);
  EXPECT_EQ(result->correctness.tolerance, 1e-3);
  ASSERT_EQ(result->samples.size(), 4u);
  EXPECT_EQ(result->samples[0].phase, "steady");
  EXPECT_EQ(result->samples[0].unit, "ms");
  EXPECT_EQ(result->samples[0].value, 9.31);
  EXPECT_EQ(result->samples[3].value, 12);
  EXPECT_EQ(member(result->facts, "layers").size(), 2u);
}

TEST(ResultOf, TakesWhatIsLeftOut) {
  auto result = resultOfText(R"({"outcome": "unsupported", "message": "no convolutions"})");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->outcome, Outcome::kUnsupported);
  EXPECT_EQ(result->message, "no convolutions");
  EXPECT_TRUE(result->facts.is_null() && result->samples.empty());
  EXPECT_EQ(placeOf(R"({"outcome": "ok", "check": null, "facts": null, "samples": []})"), "");
}

TEST(ResultOf, SaysWhere) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"[]", "-"},
      {"null", "-"},
      {"3", "-"},
      {"{}", "outcome"},
      {R"({"outcome": 0})", "outcome"},
      {R"({"outcome": "OK"})", "outcome"},
      {R"({"outcome": "timeout"})", "outcome"},  // a page cannot say that
      {R"({"outcome": "crash"})", "outcome"},
      {R"({"outcome": "ok", "extra": 1})", "extra"},
      {R"({"outcome": "ok", "message": null})", "message"},
      {R"({"outcome": "ok", "version": 4.22})", "version"},
      {R"({"outcome": "ok", "engine": ["wasm"]})", "engine"},
      {R"({"outcome": "ok", "facts": []})", "facts"},
      {R"({"outcome": "ok", "facts": "x"})", "facts"},
      {R"({"outcome": "ok", "check": []})", "check"},
      {R"({"outcome": "ok", "check": {}})", "check/difference"},
      {R"({"outcome": "ok", "check": {"kind": "luck", "difference": 0, "tolerance": 1}})",
       "check/kind"},
      {R"({"outcome": "ok", "check": {"kind": "loss", "difference": -1, "tolerance": 1}})",
       "check/difference"},
      {R"({"outcome": "ok", "check": {"kind": "loss", "difference": null, "tolerance": 1}})",
       "check/difference"},
      {R"({"outcome": "ok", "check": {"kind": "loss", "difference": 0, "tolerance": "1"}})",
       "check/tolerance"},
      {R"({"outcome": "ok", "check": {"kind": "loss", "difference": 0, "tolerance": 1, "x": 1}})",
       "check/x"},
      {R"({"outcome": "ok", "samples": {}})", "samples"},
      {R"({"outcome": "ok", "samples": null})", "samples"},
      {R"({"outcome": "ok", "samples": [1]})", "samples/0"},
      {R"({"outcome": "ok", "samples": [{}]})", "samples/0/phase"},
      {R"({"outcome": "ok", "samples": [{"phase": "Steady", "unit": "ms", "value": 1}]})",
       "samples/0/phase"},
      {R"({"outcome": "ok", "samples": [{"phase": "steady", "unit": "s", "value": 1}]})",
       "samples/0/unit"},
      {R"({"outcome": "ok", "samples": [{"phase": "file", "unit": "ms", "value": 1}]})",
       "samples/0/unit"},
      {R"({"outcome": "ok", "samples": [{"phase": "file", "value": 1}]})", "samples/0/unit"},
      {R"({"outcome": "ok", "samples": [{"phase": "steady", "unit": "ms"}]})", "samples/0/value"},
      {R"({"outcome": "ok", "samples": [{"phase": "steady", "unit": "ms", "value": "1"}]})",
       "samples/0/value"},
      {R"({"outcome": "ok", "samples": [{"phase": "steady", "unit": "ms", "value": null}]})",
       "samples/0/value"},
      {R"({"outcome": "ok", "samples": [{"phase": "steady", "unit": "ms", "value": true}]})",
       "samples/0/value"},
      {R"({"outcome": "ok", "samples": [{"phase": "steady", "unit": "ms", "value": 1, "n": 2}]})",
       "samples/0/n"},
      {R"({"outcome": "ok", "samples": [{"phase": "steady", "unit": "ms", "value": 1},
                                        {"phase": "steady", "unit": "ms", "value": -0.5}]})",
       "samples/1/value"},
      // What does not fit a double is not read at all.
      {R"({"outcome": "ok", "samples": [{"phase": "steady", "unit": "ms", "value": 1e400}]})", "-"},
  };
  for (auto [text, place] : kWrong) EXPECT_EQ(placeOf(text), place) << text;
}

/// A wrong answer has no time, however it is put.
TEST(ResultOf, OnlyRightAnswersHaveTimes) {
  auto with = [](const char* outcome, const char* phase, const char* unit) {
    return placeOf(cat(R"({"outcome": ")", outcome, R"(", "samples": [{"phase": ")", phase,
                       R"(", "unit": ")", unit, R"(", "value": 1}]})"));
  };
  for (const char* outcome : {"unsupported", "error"}) {
    EXPECT_EQ(with(outcome, "download", "ms"), "");
    EXPECT_EQ(with(outcome, "file", "bytes"), "");
    EXPECT_EQ(with(outcome, "first", "ms"), "samples/0");
    EXPECT_EQ(with(outcome, "steady", "ms"), "samples/0");
  }
  EXPECT_EQ(with("wrong", "steady", "ms"), "samples");
  EXPECT_EQ(with("wrong", "file", "bytes"), "samples");
  // NaN is null in JSON, and the most usual of wrong answers.
  auto result = resultOfText(
      R"({"outcome": "wrong", "check": {"kind": "output", "difference": null, "tolerance": 1e-3}})");
  ASSERT_TRUE(result);
  EXPECT_GT(result->correctness.difference, 1e308);
}

TEST(ResultOf, CountsCharactersAndSamples) {
  auto message = [](size_t count, const char* character) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += character;
    return placeOf(cat(R"({"outcome": "error", "message": ")", text, R"("})"));
  };
  // Two bytes in UTF-8, and one character.
  EXPECT_EQ(message(2000, "\xc3\xa4"), "");
  EXPECT_EQ(message(2001, "\xc3\xa4"), "message");
  EXPECT_EQ(placeOf(cat(R"({"outcome": "ok", "engine": ")", std::string(200, 'a'), "\"}")), "");
  EXPECT_EQ(placeOf(cat(R"({"outcome": "ok", "engine": ")", std::string(201, 'a'), "\"}")),
            "engine");
  auto samples = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += cat(i ? "," : "", R"({"phase":"steady","unit":"ms","value":)", i, "}");
    return placeOf(cat(R"({"outcome":"ok","samples":[)", text, "]}"));
  };
  EXPECT_EQ(samples(20'000), "");
  EXPECT_EQ(samples(20'001), "samples");
}

// ---- phases and cells

TEST(PhaseOf, KnowsAllOfThem) {
  for (const Phase& phase : kPhases)
    EXPECT_EQ(phaseOf(Json{{"phase", phase.name}}).value(), phase.name);
  for (const Json& json : {Json{{"phase", "warm"}}, Json{{"phase", 1}}, Json::object(),
                           Json::array(), Json{{"phase", "steady"}, {"more", 1}}})
    EXPECT_FALSE(phaseOf(json)) << json.dump();
}

TEST(CellOf, ChecksEachPart) {
  Json json = {
      {"subject", "tfjs"}, {"backend", "wasm"}, {"task", "train"}, {"workload", "dense/2x128"}};
  EXPECT_EQ(cellOf(json).value(), (Cell{"tfjs", "wasm", "train", {2, 128}}));
  json["workload"] = "cnn/9x400";
  EXPECT_EQ(cellOf(json).value(), (Cell{"tfjs", "wasm", "train", {9, 400, "cnn"}}));
  json["workload"] = "";
  EXPECT_EQ(cellOf(json).value(), (Cell{"tfjs", "wasm", "train", {}}));
  json.erase("workload");
  EXPECT_EQ(cellOf(json).value(), (Cell{"tfjs", "wasm", "train", {}}));
  for (const char* key : {"subject", "backend", "task"}) {
    for (const Json& value : {Json("../x"), Json(""), Json(3), Json(nullptr)}) {
      Json wrong = json;
      wrong[key] = value;
      EXPECT_EQ(cellOf(wrong).error().at, key);
    }
  }
  json["workload"] = "2x";
  EXPECT_EQ(cellOf(json).error().at, "workload");
  json["workload"] = "2x128";
  json["user"] = "me";
  EXPECT_EQ(cellOf(json).error().at, "user");
}

// ---- routes

TEST(Answer, FindsRoutes) {
  FakeDesk fake;
  Desk desk = fake.desk();
  auto status = [&](const char* method, const char* path, const char* body = "") {
    return answer(desk, {method, path, {}, body}).status;
  };
  EXPECT_EQ(status("GET", "/api/subjects"), 200);
  EXPECT_EQ(status("GET", "/api/next"), 200);
  EXPECT_EQ(fake.nexts, 1);
  EXPECT_EQ(status("HEAD", "/api/next"), 405);
  EXPECT_EQ(fake.nexts, 1) << "a look must not take the trial";
  EXPECT_EQ(status("GET", "/api/trials/3"), 200);
  EXPECT_EQ(status("GET", "/api/trials/1000001"), 404);
  for (const char* path : {"/api/", "/api/trial", "/api/trials/", "/api/trials/0", "/api/trials/-1",
                           "/api/trials/03", "/api/trials/+3", "/api/trials/3x", "/api/trials/3/",
                           "/api/trials/3/results", "/api/trials/3/result/", "/api/trials/ 3",
                           "/api/trials/99999999999999999999", "/data/", "/data/other"})
    EXPECT_EQ(status("GET", path), 404) << path;
  EXPECT_EQ(answer(desk, {"DELETE", "/api/trials/3", {}, ""}).allow, "GET");
  EXPECT_EQ(answer(desk, {"GET", "/api/trials/3/phase", {}, ""}).allow, "POST");
  EXPECT_EQ(answer(desk, {"PUT", "/api/trials/3/result", {}, ""}).allow, "POST");
  EXPECT_EQ(answer(desk, {"GET", "/api/trials", {}, ""}).allow, "POST");
  EXPECT_EQ(answer(desk, {"POST", "/api/subjects", {}, ""}).allow, "GET");
  EXPECT_EQ(answer(desk, {"POST", "/data/echo", {}, ""}).allow, "GET, HEAD");
}

TEST(Usage, IsOfTheMachineOrTheBrowser) {
  FakeDesk fake;
  Desk desk = fake.desk();
  auto send = [&](const char* body) {
    return answer(desk, {"POST", "/api/trials/3/usage", {}, body});
  };
  EXPECT_EQ(send(R"({"of":"browser","samples":[{"phase":"cpu","unit":"percent","value":90},
                     {"phase":"memory","unit":"bytes","value":4096}]})")
                .status,
            204);
  EXPECT_EQ(send(R"({"of":"machine","samples":[{"phase":"cpu","unit":"percent","value":150},
                     {"phase":"memory","unit":"bytes","value":9999}]})")
                .status,
            204);
  std::vector<std::string> kept;
  for (const Sample& s : fake.used[3]) kept.push_back(cat(s.phase, " ", s.value));
  EXPECT_EQ(kept, (std::vector<std::string>{"cpu 90", "memory 4096", "machine 150"}));

  auto at = [&](const char* body) {
    Reply reply = send(body);
    EXPECT_EQ(reply.status, 400) << body;
    Result<Json> json = parseJson(reply.body);
    return json ? stringOr(member(*json, "error"), "at", "") : "";
  };
  EXPECT_EQ(at(R"({"of":"me","samples":[]})"), "of");
  EXPECT_EQ(at(R"({"of":"browser","samples":[{"phase":"steady","unit":"ms","value":1}]})"),
            "samples/0/phase");
  EXPECT_EQ(at(R"({"of":"browser","samples":[{"phase":"cpu","unit":"ms","value":1}]})"),
            "samples/0/unit");
  EXPECT_EQ(at(R"({"of":"browser","samples":7})"), "samples");
  EXPECT_EQ(answer(desk, {"POST", "/api/trials/3/result", {}, kResult}).status, 204);
  EXPECT_EQ(send(R"({"of":"browser","samples":[]})").status, 409) << "the result is there";
}

TEST(Answer, TellsTheDesk) {
  FakeDesk fake;
  Desk desk = fake.desk();
  Reply created = answer(
      desk, {"POST", "/api/trials", {}, R"({"subject":"tfjs","backend":"cpu","task":"probe"})"});
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.body, R"({"id":7})");
  EXPECT_EQ(created.type, "application/json");
  EXPECT_EQ(fake.cells, (std::vector<Cell>{{"tfjs", "cpu", "probe", {}}}));
  Reply refused = answer(
      desk, {"POST", "/api/trials", {}, R"({"subject":"nobody","backend":"cpu","task":"probe"})"});
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body,
            R"({"error":{"status":400,"message":"there is no subject nobody; there are: tfjs"}})");

  EXPECT_EQ(answer(desk, {"POST", "/api/trials/3/phase", {}, R"({"phase":"steady"})"}).status, 204);
  EXPECT_EQ(fake.phases, (std::vector<std::pair<int64_t, std::string>>{{3, "steady"}}));
  EXPECT_EQ(answer(desk, {"POST", "/api/trials/3/result", {}, kResult}).status, 204);
  EXPECT_EQ(answer(desk, {"POST", "/api/trials/3/result", {}, kResult}).status, 409);
  EXPECT_EQ(answer(desk, {"POST", "/api/trials/1000001/result", {}, kResult}).status, 404);
  EXPECT_EQ(answer(desk, {"POST", "/api/trials/4/result", {}, "{"}).status, 400);
  EXPECT_EQ(answer(desk, {"POST", "/api/trials/4/result", {}, ""}).status, 400);
  EXPECT_EQ(fake.results.size(), 1u);
  Reply data = answer(desk, {"GET", "/data/echo", {{"a", "1"}}, ""});
  EXPECT_EQ(data.body, "a=1;");
  EXPECT_EQ(data.type, "application/json");
}

// ---- the gate

TEST(Gate, KnowsItsHostOnLoopback) {
  Gate gate("127.0.0.1", 8000, true);
  EXPECT_EQ(gate.token(), "");
  auto status = [](const Gate& g, const char* host) {
    auto fault = g.refuse({.host = host});
    return fault ? fault->status : 0;
  };
  for (const char* host : {"127.0.0.1:8000", "localhost:8000", "[::1]:8000"})
    EXPECT_EQ(status(gate, host), 0) << host;
  for (const char* host :
       {"", "127.0.0.1", "127.0.0.1:8001", "127.0.0.1:80000", "evil.example:8000",
        "localhost.evil.example:8000", "127.0.0.1.evil.example:8000", "evil.example",
        "127.0.0.1:8000@evil.example", " 127.0.0.1:8000"})
    EXPECT_EQ(status(gate, host), 421) << host;
  // The web's own port is left out of addresses.
  EXPECT_EQ(status(Gate("127.0.0.1", 80, true), "localhost"), 0);
}

TEST(Gate, WantsItsTokenElsewhere) {
  Gate gate("192.0.2.1", 8000, false);
  const std::string token = gate.token();
  EXPECT_EQ(token.size(), 32u);
  EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(token, Gate("192.0.2.1", 8000, false).token());
  EXPECT_EQ(gate.cookie(), cat("fjord-study=", token, "; Path=/; HttpOnly; SameSite=Strict"));
  auto passes = [&](const Claim& claim) { return !gate.refuse(claim); };
  const std::string bearer = "Bearer " + token, cookie = "a=1; fjord-study=" + token + "; b=2";
  EXPECT_TRUE(passes({.token = token}));
  EXPECT_TRUE(passes({.authorization = bearer}));
  EXPECT_TRUE(passes({.cookie = cookie}));
  EXPECT_TRUE(passes({.host = "lab.example:8000", .cookie = cookie, .token = "old"}));
  std::string close = token;
  close.back() = close.back() == '0' ? '1' : '0';
  const std::string almost = "fjord-study=" + close, longer = token + "0",
                    named = "x" + cookie.substr(5);
  EXPECT_EQ(gate.refuse({.host = "127.0.0.1:8000"})->status, 401);
  EXPECT_FALSE(passes({.token = close}));
  EXPECT_FALSE(passes({.token = longer}));
  EXPECT_FALSE(passes({.token = std::string_view(token).substr(0, 31)}));
  EXPECT_FALSE(passes({.authorization = token}));
  EXPECT_FALSE(passes({.authorization = "Bearer "}));
  EXPECT_FALSE(passes({.cookie = almost}));
  EXPECT_FALSE(passes({.cookie = named}));
  EXPECT_FALSE(passes({.cookie = "fjord-study="}));
  EXPECT_FALSE(passes({.cookie = ";;; ;=;fjord-study"}));
}

TEST(Gate, KeepsOtherPagesOut) {
  Gate gate("127.0.0.1", 8000, true);
  auto status = [&](const Claim& claim) {
    auto fault = gate.refuseForeign(claim);
    return fault ? fault->status : 0;
  };
  const char* host = "127.0.0.1:8000";
  EXPECT_EQ(status({.host = host}), 0);  // a program, or a browser's own GET
  EXPECT_EQ(status({.host = host, .origin = "http://127.0.0.1:8000"}), 0);
  EXPECT_EQ(status({.host = host, .origin = "chrome-extension://abcdef"}), 0);
  EXPECT_EQ(status({.host = host, .origin = "moz-extension://abcdef"}), 0);
  EXPECT_EQ(status({.host = host, .fetchSite = "same-origin", .fetchMode = "no-cors"}), 0);
  EXPECT_EQ(status({.host = host, .fetchSite = "none", .fetchMode = "navigate"}), 0);
  for (const char* origin : {"http://evil.example", "null", "http://127.0.0.1:8001",
                             "https://127.0.0.1:8000", "http://127.0.0.1:8000.evil.example"})
    EXPECT_EQ(status({.host = host, .origin = origin}), 403) << origin;
  EXPECT_EQ(status({.host = host, .fetchSite = "cross-site", .fetchMode = "no-cors"}), 403);
  EXPECT_EQ(status({.host = host, .fetchSite = "same-site", .fetchMode = "navigate"}), 403);
}

// ---- any bytes

/// One small change of a text.
std::string mutated(std::string text, Random& random) {
  constexpr std::string_view kPieces[] = {
      "\"",    "{",    "}",       "[",        "]",
      ",",     ":",    "\\u0000", "\\ud800",  "-",
      "1e308", "null", "\xff",    "\xc3\xa4", "9999999999999999999999",
      "\\",    "\0"};
  auto at = [&](size_t size) { return random.below(static_cast<uint32_t>(size + 1)); };
  size_t i = at(text.size());
  switch (random.below(5)) {
    case 0:
      return text.insert(i, kPieces[random.below(std::size(kPieces))]);
    case 1:
      return text.erase(i, random.below(8));
    case 2:
      if (i < text.size()) text[i] = static_cast<char>(random.below(256));
      return text;
    case 3:
      return text.insert(i, text.substr(at(text.size()), random.below(40)));
    default:
      return text.substr(0, i) + text.substr(at(text.size()));
  }
}

TEST(ResultOf, HoldsItsPromisesForAnyBytes) {
  Random random(2019);
  int accepted = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string text = kResult;
    for (uint32_t changes = 1 + random.below(3); changes > 0; --changes)
      text = mutated(text, random);
    Checked<TrialResult> result = resultOfText(text);
    if (!result) {
      ASSERT_EQ(result.error().status, 400);
      ASSERT_TRUE(parseJson(faultReply(result.error()).body)) << text;
      continue;
    }
    ++accepted;
    ASSERT_TRUE(result->outcome != Outcome::kTimeout && result->outcome != Outcome::kCrash);
    for (const Sample& sample : result->samples) {
      ASSERT_TRUE(sample.value >= 0 && sample.value < HUGE_VAL) << text;
      ASSERT_TRUE(result->outcome == Outcome::kOk || sample.phase == "file") << text;
    }
    ASSERT_FALSE(result->facts.dump().empty());
  }
  // Some changes do no harm; were there none of these, or only these, the changes would be no test.
  EXPECT_GT(accepted, 400);
  EXPECT_LT(accepted, 30'000);
}

TEST(Answer, HoldsForAnyRequest) {
  FakeDesk fake;
  Desk desk = fake.desk();
  Random random(7);
  const std::string paths[] = {"/api/trials/3/result", "/api/trials", "/api/trials/12/phase",
                               "/data/echo?size=2x128&bias=1", "/api/next"};
  for (int i = 0; i < 20'000; ++i) {
    std::string text = paths[random.below(std::size(paths))];
    for (uint32_t changes = random.below(4); changes > 0; --changes) text = mutated(text, random);
    std::optional<Target> target = parseTarget(text);
    if (!target) continue;
    const char* method = random.below(2) ? "POST" : "GET";
    Reply reply = answer(desk, {method, target->path, target->query, mutated(kResult, random)});
    ASSERT_TRUE(reply.status == 200 || reply.status == 204 || reply.status == 400 ||
                reply.status == 404 || reply.status == 405 || reply.status == 409)
        << reply.status << " " << text;
    if (reply.status >= 400) {
      ASSERT_TRUE(parseJson(reply.body)) << reply.body;
    }
  }
}

}  // namespace
}  // namespace fjord::study
