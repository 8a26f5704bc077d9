#include "abi/gpu_json.h"

#include "base/base64.h"

namespace fjord {

Json toJson(const GpuProgram& program) {
  Json dispatches = Json::array();
  for (const GpuProgram::Dispatch& d : program.dispatches) {
    Json bindings = Json::array();
    for (const GpuProgram::Binding& b : d.bindings)
      bindings.push_back({static_cast<int>(b.kind), b.index, b.offset, b.bytes});
    dispatches.push_back({{"shader", d.shader}, {"bindings", bindings}, {"groups", d.groups}});
    if (!d.trips.empty()) dispatches.back()["trips"] = d.trips;
  }
  Json arenas = Json::array();
  for (int64_t bytes : program.arenas) arenas.push_back(bytes);
  Json json = {{"shaders", program.shaders},
               {"dispatches", dispatches},
               {"arenas", arenas},
               {"settled", {program.settledBegin, program.settledEnd}}};
  // Few programs have any of these.
  for (const StepLoop& loop : program.loops)
    json["loops"].push_back({loop.begin, loop.end, loop.trips});
  for (const Tensor& t : program.constants)
    json["constants"].push_back(base64Of(std::as_bytes(t.span<const uint32_t>())));
  for (auto [name, types] : {std::pair("inputs", &program.inputs), {"outputs", &program.outputs}}) {
    json[name] = Json::array();
    for (const Type& t : *types) json[name].push_back(t.bytes());
  }
  return json;
}

}  // namespace fjord
