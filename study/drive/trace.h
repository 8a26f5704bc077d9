// For tests: conversations with a driver, recorded once from a real one and kept in
// traces/NAME.json,
//
//   {"exchanges": [{"method": "GET", "path": "/status", "request": null,
//                   "status": 200, "response": {"value": ..}}, ..]}
//
// and replayed by a server that expects exactly these requests in exactly this order.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "base/json.h"
#include "drive/fake_server.h"
#include "drive/http.h"

namespace fjord::study {

inline std::string tracePath(const std::string& name) {
  return std::string(FJORD_ROOT "/study/drive/traces/") + name + ".json";
}

/// Takes out what differs from machine to machine and from day to day, and what no reader needs.
inline void trim(Json& json) {
  if (!json.is_structured()) return;
  for (auto& [key, value] : json.items()) {
    if (key == "stacktrace") value = "";
    if (key == "userDataDir" || key == "moz:profile") value = "/tmp/profile";
    if (key == "moz:platformVersion" || key == "networkInterfaces") value = "";
    if (key == "os" || key == "nodes") value = nullptr;  // of the machine, in the answer to /status
    if (key.starts_with("se:")) value = "";              // addresses of a Grid
    trim(value);
  }
}

class Trace {
 public:
  /// One to be recorded.
  Trace() : trace_{{"exchanges", Json::array()}} {}

  static Result<Trace> read(const std::string& name) {
    std::ifstream file(tracePath(name));
    std::stringstream text;
    text << file.rdbuf();
    Trace out;
    FJORD_TRY(out.trace_, parseJson(text.str()));
    if (!member(out.trace_, "exchanges").is_array())
      return fail(tracePath(name), " is not a trace");
    return out;
  }

  void write(const std::string& name) const {
    std::ofstream(tracePath(name)) << trace_.dump(1, ' ') << "\n";
  }

  /// Hands a request on to a real driver, and keeps what it answers.
  std::string record(const Endpoint& driver, const Heard& heard) {
    auto real = ask(driver, {heard.method, heard.path, heard.body}, Milliseconds(120'000));
    if (!real) return FakeServer::kHang;
    Json response = parseJson(real->body).value_or(nullptr);
    Json kept = response;
    trim(kept);
    trace_["exchanges"].push_back({{"method", heard.method},
                                   {"path", heard.path},
                                   {"request", requestOf(heard)},
                                   {"status", real->status},
                                   {"response", std::move(kept)}});
    return answer(static_cast<int>(real->status), real->body);
  }

  /// The recorded answer, where the request is the recorded one.
  std::string replay(const Heard& heard) {
    const Json& next = exchange(at_++);
    EXPECT_EQ(heard.method + " " + heard.path,
              stringOr(next, "method", "nothing") + " " + stringOr(next, "path", "any more"));
    EXPECT_EQ(requestOf(heard), member(next, "request"));
    return answer(intOr(next, "status", 0), member(next, "response").dump());
  }

  bool isOver() const { return at_ == trace_["exchanges"].size(); }

  /// What comes before the paths of the protocol: "" or "/wd/hub".
  std::string prefix() const {
    std::string first = stringOr(exchange(0), "path", "");
    return first.substr(0, first.find("/status"));
  }

  /// The capabilities that were asked for when it was recorded: they depend on the machine.
  Json capabilities() const {
    for (const Json& e : trace_["exchanges"]) {
      if (stringOr(e, "path", "").ends_with("/session"))
        return member(member(member(e, "request"), "capabilities"), "alwaysMatch");
    }
    return nullptr;
  }

 private:
  static Json requestOf(const Heard& heard) {
    return heard.body.empty() ? Json(nullptr) : parseJson(heard.body).value_or("not JSON");
  }
  const Json& exchange(size_t i) const {
    static const Json kNone;
    const Json& all = trace_["exchanges"];
    return i < all.size() ? all[i] : kNone;
  }

  Json trace_;
  size_t at_ = 0;
};

}  // namespace fjord::study
