#include "plan/data.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include "plan/digits.h"
#include "plan/network.h"

namespace fjord::study {

namespace {

using Query = std::map<std::string, std::string>;

constexpr int kMostDigits = 10'000, kMostSteps = 10;

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

/// Pixels of digits in [0, 1], and their labels.
struct Digits {
  std::vector<double> images;
  std::vector<uint8_t> labels;
};
std::optional<Digits> digitsOf(const std::string& folder, int count) {
  Result<std::string> bytes = digits(folder, 0, count);
  if (!bytes) return {};
  Digits out;
  size_t pixels = static_cast<size_t>(count) * kPixels;
  for (size_t i = 0; i < bytes->size(); ++i) {
    auto byte = static_cast<uint8_t>((*bytes)[i]);
    if (i < pixels) {
      out.images.push_back(byte / 255.0);
    } else {
      out.labels.push_back(byte);
    }
  }
  return out;
}

std::optional<std::string> outputsJson(const std::string& folder, const Network& network,
                                       const Stored* stored, const Query& query) {
  auto count = wholeIn(query, "count", network.compared.outputs, 1, kMostDigits);
  if (!count) return {};
  if (stored && static_cast<size_t>(*count) <= stored->outputs.size())
    return Json(std::vector(stored->outputs.begin(), stored->outputs.begin() + *count)).dump();
  auto digits = digitsOf(folder, *count);
  if (!digits) return {};
  std::vector<Weights> weights = weightsOf(network);
  Json out = Json::array();
  for (size_t at = 0; at < digits->images.size(); at += kPixels)
    out.push_back(outputs(network, weights, std::span(digits->images).subspan(at, kPixels)));
  return out.dump();
}

std::optional<std::string> lossesJson(const std::string& folder, const Network& network,
                                      const Stored* stored, const Query& query) {
  auto batch = wholeIn(query, "batch", network.compared.batch, 1, 1024);
  auto rate = numberIn(query, "rate", network.rate, 0, 10);
  auto steps = wholeIn(query, "steps", network.compared.steps, 1, kMostSteps);
  if (!batch || !rate || !steps) return {};
  bool isStored = stored && *batch == network.compared.batch && *rate == network.rate &&
                  static_cast<size_t>(*steps) <= stored->losses.size();
  if (isStored)
    return Json(std::vector(stored->losses.begin(), stored->losses.begin() + *steps)).dump();
  auto digits = digitsOf(folder, *batch * *steps);
  if (!digits) return {};
  return Json(trainingLosses(network, weightsOf(network), digits->images, digits->labels, *batch,
                             *rate, *steps))
      .dump();
}

std::optional<std::string> digitBytes(const std::string& folder, const Query& query) {
  auto first = wholeIn(query, "first", 0, 0, kMostDigits - 1);
  auto count = wholeIn(query, "count", 64, 1, kMostDigits);
  if (!first || !count) return {};
  Result<std::string> bytes = digits(folder, *first, *count);
  return bytes ? std::optional(std::move(*bytes)) : std::nullopt;
}

}  // namespace

std::optional<std::pair<std::string, std::string>> dataFor(const std::vector<Family>& families,
                                                           const std::string& digitsFolder,
                                                           const std::string& path,
                                                           const Query& query) {
  using Bytes = std::optional<std::string>;
  auto as = [](const char* type,
               Bytes bytes) -> std::optional<std::pair<std::string, std::string>> {
    if (!bytes) return {};
    return std::pair(std::move(*bytes), std::string(type));
  };
  constexpr const char *kBytes = "application/octet-stream", *kJson = "application/json";
  if (path == "digits.bin") return as(kBytes, digitBytes(digitsFolder, query));
  auto network = networkIn(families, query);
  if (!network) return {};
  const Stored* stored = storedOf(families, *network);
  if (path == "weights.bin")
    return as(kBytes, weightBytes(weightsOf(*network), network->style.bias));
  if (path == "outputs.json") return as(kJson, outputsJson(digitsFolder, *network, stored, query));
  if (path == "losses.json") return as(kJson, lossesJson(digitsFolder, *network, stored, query));
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

Status writeData(const std::vector<Family>& families, const std::string& digitsFolder,
                 const Network& network, const std::string& folder) {
  Query digits = {{"first", "0"}, {"count", std::to_string(kBatches * network.batch)}};
  for (const char* name : {"weights.bin", "digits.bin", "outputs.json", "losses.json"}) {
    bool isDigits = name == std::string("digits.bin");
    auto data = dataFor(families, digitsFolder, name, isDigits ? digits : queryOf(network));
    if (!data) return fail("there is no ", name, " for ", network.workload.name());
    FJORD_CHECK(writeFile(folder + "/" + name, data->first));
  }
  return {};
}

}  // namespace fjord::study
