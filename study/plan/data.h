// What pages and programs compute with and compare with: weights, digits, outputs and losses of the
// reference, as the server gives them below /data/ (docs/study.md).
//
//   auto losses = dataFor(families, digitsFolder, "losses.json", {{"workload", "dense/2x128"}});
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "plan/workload.h"

namespace fjord::study {

/// The bytes and the type of what /data/PATH?QUERY has, or nothing. Reads MNIST from `digitsFolder`.
std::optional<std::pair<std::string, std::string>> dataFor(
    const std::vector<Family>& families, const std::string& digitsFolder, const std::string& path,
    const std::map<std::string, std::string>& query);

/// The query that a network's data has.
std::map<std::string, std::string> queryOf(const Network& network);

/// How many batches of digits a program is given.
inline constexpr int kBatches = 10;

/// Writes weights.bin, digits.bin, outputs.json and losses.json of a network into a folder.
Status writeData(const std::vector<Family>& families, const std::string& digitsFolder,
                 const Network& network, const std::string& folder);
/// A file of these bytes.
Status writeFile(const std::string& path, const std::string& bytes);

}  // namespace fjord::study
