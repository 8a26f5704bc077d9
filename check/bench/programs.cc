#include "programs.h"

#include <algorithm>
#include <cmath>

#include "abi/gpu_json.h"
#include "run/cpu.h"

namespace fjord {
namespace {

constexpr int64_t kParts = 16;

Json partsOf(const Tensor& y) {
  const float* values = y.data<float>();
  Json parts = Json::array();
  double largest = 0;
  for (int64_t part = 0; part < kParts; ++part) {
    int64_t begin = y.size() * part / kParts, end = y.size() * (part + 1) / kParts;
    double sum = 0, size = 0;
    for (int64_t i = begin; i < end; ++i) {
      sum += values[i];
      size += std::fabs(values[i]);
      largest = std::max<double>(largest, std::fabs(values[i]));
    }
    // Elsewhere in each part, so that it is not the same column each time.
    int64_t at = std::min(begin + (end - begin) * part / kParts, y.size() - 1);
    parts.push_back({{"sum", sum}, {"size", size}, {"at", at}, {"value", values[at]}});
  }
  return {{"bytes", y.size() * 4}, {"largest", largest}, {"parts", parts}};
}

Result<Json> describe(const Problem& p, const GpuLimits& limits, Threads& threads) {
  FJORD_TRY(Plan plan, compile(p.graph, limits.planOptions()));
  FJORD_TRY(GpuProgram program, gpuProgram(plan, limits));
  FJORD_TRY(std::vector<Tensor> outputs, evaluate(p.graph, drawInputs(p), threads));
  Json json = {{"program", toJson(program)}, {"inputs", Json::array()}, {"outputs", Json::array()}};
  for (size_t i = 0; i < p.inputs.size(); ++i) {
    const auto [low, high] = p.ranges[i];
    json["inputs"].push_back({{"bytes", p.inputs[i].bytes()}, {"low", low}, {"high", high}});
  }
  for (const Tensor& y : outputs) json["outputs"].push_back(partsOf(y));
  return json;
}

}  // namespace

std::string programLine(const char* group, const Problem& p, const GpuLimits& limits,
                        Threads& threads) {
  Json line = {{"group", group},
               {"case", p.name},
               {"operations", p.operations},
               {"bytes", p.bytes},
               {"reads", p.reads}};
  auto described = describe(p, limits, threads);
  if (described) {
    line.update(*described);
  } else {
    line["refused"] = described.error().message;
  }
  return line.dump();
}

}  // namespace fjord
