// A graph as JSON, and back: equal, node by node.
//
//   std::string text = jsonText(toJson(graph));
//   Graph again;
//   FJORD_CHECK(readGraph(*parseJson(text), again));      // again == graph
//
//   {"nodes": [{"op": "input", "type": {"dtype": "float32", "shape": [8, 4]}},
//              {"op": "input", "type": {..}, "isParameter": true},
//              {"op": "matMul", "inputs": [0, 1], "attrs": {"transposeA": false, "transposeB": true}}],
//    "outputs": [2], "assignments": []}
//
// A node reads nodes before it. Attributes stand under the names of ir/all.inc. Arrays are base64 of
// their bytes, little end first; the body of a loop is a graph. What is not finite is written as the
// hexadecimal digits of its bits.
//
// The reader trusts nothing: every node passes the builder of its op, and what that refuses, or makes
// another node of, is an error that names the node.
#pragma once

#include "base/json.h"
#include "ir/graph.h"

namespace fjord {

Json toJson(const Graph& graph);
/// Into an empty graph.
Status readGraph(const Json& json, Graph& graph);

}  // namespace fjord
