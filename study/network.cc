// Networks of workloads/ for programs that ask no server: what they are, and the numbers that all frameworks start from.
//
//   study_network list dense                     the networks of a family's grid, as JSON
//   study_network write dense/2x128 FOLDER       weights.bin, digits.bin or text.bin, outputs.json, losses.json
#include <cstdio>
#include <string>
#include <vector>

#include "plan/data.h"
#include "plan/folders.h"

namespace fjord::study {
namespace {

Status list(const std::vector<Family>& families, const std::string& name) {
  const Family* family = findNamed(families, name);
  if (!family) return fail("there is no family \"", name, "\"; there are ", namesOf(families));
  Json networks = Json::array();
  for (const Workload& workload : family->grid()) {
    FJORD_TRY(Network network, family->network(workload, {}));
    networks.push_back(toJson(network));
  }
  std::puts(networks.dump().c_str());
  return {};
}

Status write(const std::vector<Family>& families, const std::string& name,
             const std::string& folder) {
  FJORD_TRY(std::vector<Workload> workloads, parseWorkloads(families, name));
  FJORD_TRY(Network network, networkOf(families, workloads.front()));
  return writeData(families, sourcesIn(FJORD_ROOT "/node_modules"), network, folder);
}

Status perform(const std::vector<std::string>& words) {
  FJORD_TRY(std::vector<Family> families, readFamilies(FJORD_ROOT "/study"));
  if (words.size() == 2 && words[0] == "list") return list(families, words[1]);
  if (words.size() == 3 && words[0] == "write") return write(families, words[1], words[2]);
  return fail("say list FAMILY, or write WORKLOAD FOLDER");
}

}  // namespace
}  // namespace fjord::study

int main(int argc, char** argv) {
  fjord::Status status = fjord::study::perform({argv + 1, argv + argc});
  if (status) return 0;
  std::fprintf(stderr, "study_network: %s\n", status.error().message.c_str());
  return 1;
}
