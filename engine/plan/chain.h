// From the elementwise nodes of a group to the Chain that runs them.
#pragma once

#include "plan/plan.h"

namespace fjord {

/// A chain and the nodes it reads and writes, in the order of its operands and results.
struct ChainPlan {
  std::unique_ptr<Chain> chain;
  std::vector<int32_t> operands, results;
};

/// The elementwise nodes of `group`, of which those in `wanted` (indexed by node) are results.
ChainPlan buildChain(const Liveness& liveness, const Group& group, const std::vector<bool>& wanted);

/// A chain that only copies: one dense operand, one result.
std::unique_ptr<Chain> copyChain(const Shape& shape);

}  // namespace fjord
