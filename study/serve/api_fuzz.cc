// Any bytes are a result or are refused with a reason that is itself JSON; what is accepted keeps
// every promise of docs/study.md. The same bytes are taken for a target and for a request to each
// route.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "serve/api.h"
#include "serve/target.h"

using namespace fjord;
using namespace fjord::study;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void requireFault(const Fault& fault) {
  require(fault.status == 400 && !fault.message.empty());
  Result<Json> json = parseJson(faultReply(fault).body);
  require(json && member(*json, "error").is_object());
}

void requireSound(const std::vector<Sample>& samples) {
  require(samples.size() <= 20'000);
  for (const Sample& sample : samples) {
    require(std::isfinite(sample.value) && sample.value >= 0);
    require(std::ranges::any_of(kPhases, [&](const Phase& phase) {
      return sample.phase == phase.name && sample.unit == phase.unit;
    }));
  }
}

void requireSound(const TrialResult& result) {
  require(result.outcome != Outcome::kTimeout && result.outcome != Outcome::kCrash);
  require(result.outcome != Outcome::kWrong || result.samples.empty());
  requireSound(result.samples);
  // A character has at most four bytes.
  require(result.message.size() <= 8'000 && result.version.size() <= 800 &&
          result.engine.size() <= 800);
  for (const std::string& text :
       {result.message, result.version, result.engine, result.facts.dump()})
    require(text.find('\0') == std::string::npos && !Json(text).dump().empty());
}

Desk soundDesk() {
  Desk desk;
  desk.subjects = desk.next = [] { return Json(); };
  desk.create = [](const Cell& cell) -> Result<Json> {
    require(isName(cell.subject) && isName(cell.backend) && isName(cell.task));
    require(cell.workload == Workload{} || workloadOf(cell.workload.name()) == cell.workload);
    return Json();
  };
  desk.trial = [](int64_t id) -> std::optional<Json> {
    require(id > 0);
    return Json();
  };
  desk.phase = [](int64_t, const std::string&) -> Status { return {}; };
  desk.usage = [](int64_t, const std::vector<Sample>& samples) -> Status {
    requireSound(samples);
    return {};
  };
  desk.result = [](int64_t, const TrialResult& result) -> Status {
    requireSound(result);
    return {};
  };
  desk.data = [](const std::string&, const Query&) { return std::nullopt; };
  return desk;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const Desk kDesk = soundDesk();
  std::string text(reinterpret_cast<const char*>(bytes), size);
  Checked<Json> json = readJson(text);
  if (!json) {
    requireFault(json.error());
  } else if (Checked<TrialResult> result = resultOf(*json)) {
    requireSound(*result);
  } else {
    requireFault(result.error());
  }
  for (const char* path :
       {"/api/trials", "/api/trials/3/phase", "/api/trials/3/usage", "/api/trials/3/result"}) {
    Reply reply = answer(kDesk, {"POST", path, {}, text});
    require(reply.status == 201 || reply.status == 204 || reply.status == 400);
  }
  std::optional<Target> target = parseTarget(text);
  if (!target) return 0;
  require(target->path.starts_with('/') && target->path.find('\0') == std::string::npos);
  Reply reply = answer(kDesk, {"GET", target->path, target->query, ""});
  require(reply.status == 200 || (parseJson(reply.body) && reply.status >= 404));
  return 0;
}
