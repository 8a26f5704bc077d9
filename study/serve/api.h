// The API without the network: what a request asks for, whether what it sends may be believed, and
// the answer.
//
//   Request request{"POST", "/api/trials/3/result", {}, body};
//   Reply reply = answer(desk, request);
//   Checked<TrialResult> result = resultOf(json);        // or what is wrong with it, and where
//
// Everything that is sent is checked here, before a Desk sees it, so a Desk gets only names,
// workloads and numbers in their ranges. docs/study.md has the schemas.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/workload.h"
#include "serve/server.h"

namespace fjord::study {

/// What is wrong with a request: the status of the answer, a sentence, and the place in its body
/// ("samples/3/value").
struct Fault {
  int status = 400;
  std::string message;
  std::string at;
};
template <class T>
using Checked = std::expected<T, Fault>;

struct Request {
  std::string method;
  std::string path;  // decoded
  Query query;
  std::string body;
};

struct Reply {
  int status = 200;
  std::string type;  // "" without a body
  std::string body;
  std::string allow;  // the methods that there are, of a 405
};

/// {"error": {"status", "message", "at"}}
Reply faultReply(const Fault& fault);
/// 405; `allow` lists the methods that the path has.
Reply wrongMethod(const std::string& allow);

/// Answers paths below /api/ and /data/.
Reply answer(const Desk& desk, const Request& request);

/// JSON that is harmless to hold: at most 32 levels deep, 256 members an object (a lookup goes
/// through them), valid UTF-8, no NUL (PostgreSQL has none).
Checked<Json> readJson(std::string_view text);

/// What a page, or a native program, reports at the end of a trial.
Checked<TrialResult> resultOf(const Json& json);
/// {"of": "machine" or "browser", "samples": [..]}: samples of cpu (or of machine, where all that
/// runs there was read) and memory.
Checked<std::vector<Sample>> usageOf(const Json& json);
/// {"phase": "steady"}
Checked<std::string> phaseOf(const Json& json);
/// {"subject", "backend", "task", "workload"}; the last is "" or left out for a task without a network.
Checked<Cell> cellOf(const Json& json);

/// A name of a file or of a part of a cell: 1 to 100 of A-Z, a-z, 0-9, ".", "_", "-", the first not
/// a dot.
bool isName(std::string_view name);

}  // namespace fjord::study
