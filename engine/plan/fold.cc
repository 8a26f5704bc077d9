// Folding: conv(x, w) * s + t with w, s and t settled is conv(x, w * s) + t, where s has one factor
// for each output channel. The product of w and s is settled too, hence computed once, and the
// output is passed over once less.
//
// A chain is followed from the product through multiplications and additions of settled values by
// channel, and reshapes that leave the channels last, as long as nothing else reads what is between.
//
// And a convolution that alone reads an image padded with zeros reads the image, and has the padding
// as its own.
#include <algorithm>

#include "ops/op.h"
#include "plan/copier.h"
#include "plan/plan.h"

namespace fjord {

namespace {

/// What is multiplied with or added to each channel, in order.
struct Link {
  OpId op;        // mul, add or sub
  int32_t value;  // a node, settled
};

struct Fold {
  int32_t product;  // the convolution or matrix product
  int32_t end;      // the last node of the chain, which takes its place
  std::vector<Link> links;
};

class Folder {
 public:
  Folder(const Graph& graph, Graph& out)
      : graph_(graph),
        out_(out),
        liveness_(graph),
        isKept_(graph.nodes().size()),
        readers_(graph.nodes().size()) {
    for (int32_t id : graph.outputs()) isKept_[id] = true;
    for (const Assignment& a : graph.assignments()) isKept_[a.value] = true;
    for (int32_t id = 0; id < count(); ++id) {
      if (!liveness_.isLive(id)) continue;
      for (int32_t input : graph.nodes()[id].inputs) readers_[input].push_back(id);
    }
  }

  bool run();

 private:
  int32_t count() const { return static_cast<int32_t>(graph_.nodes().size()); }
  const Node& node(int32_t id) const { return graph_.nodes()[id]; }
  bool isProduct(int32_t id) const;
  bool isByChannel(int32_t id, int32_t channels) const;
  bool follow(Fold& fold) const;
  Value spread(Value scale, const Node& product) const;
  bool padsFor(int32_t id) const;
  Value emitProduct(int32_t id, Value weights);
  Value emitFold(const Fold& fold);

  const Graph& graph_;
  Graph& out_;
  Liveness liveness_;
  std::vector<bool> isKept_;  // as an output or by an assignment
  std::vector<std::vector<int32_t>> readers_;
  std::vector<Value> values_;  // node of the old graph -> of the new one
};

bool Folder::isProduct(int32_t id) const {
  OpId op = node(id).op;
  bool known = op == OpId::conv2d || op == OpId::depthwiseConv2d ||
               (op == OpId::matMul && node(node(id).inputs[1]).type.shape.rank() == 2);
  return known && liveness_.isLive(id) && !liveness_.isSettled(id) &&
         liveness_.isSettled(node(id).inputs[1]);
}

/// Whether a settled node has one value for each channel, or one for all.
bool Folder::isByChannel(int32_t id, int32_t channels) const {
  if (!liveness_.isSettled(id)) return false;
  const Shape& shape = node(liveness_.source(id)).type.shape;
  return shape.size() == 1 || (shape.size() == channels && shape[-1] == channels);
}

/// Takes the next link; false at the chain's end.
bool Folder::follow(Fold& fold) const {
  const std::vector<int32_t>& readers = readers_[fold.end];
  if (readers.size() != 1 || isKept_[fold.end]) return false;
  const Node& next = node(readers[0]);
  // Steps and volumes are images in another shape.
  if (next.op == OpId::reshape && next.type.shape.rank() > 0 &&
      next.type.shape[-1] == node(fold.product).type.shape[-1]) {
    fold.end = readers[0];
    return true;
  }
  bool first = next.inputs[0] == fold.end;
  if (next.op != OpId::mul && next.op != OpId::add && !(next.op == OpId::sub && first))
    return false;
  int32_t other = next.inputs[first ? 1 : 0];
  if (next.type.shape != node(fold.end).type.shape ||
      !isByChannel(other, node(fold.product).type.shape[-1]))
    return false;
  fold.links.push_back({next.op, other});
  fold.end = readers[0];
  return true;
}

/// A factor for each output channel in the shape of the weights: those of a convolution and of a
/// matrix have the output channels last, a depthwise filter [KH,KW,C,M] and a transposed matrix
/// [N,K] do not.
Value Folder::spread(Value scale, const Node& product) const {
  const Shape& weights = node(product.inputs[1]).type.shape;
  if (scale.shape().size() == 1) return reshape(scale, {.shape = {}});
  if (product.op == OpId::depthwiseConv2d)
    return reshape(scale, {.shape = {weights[2], weights[3]}});
  bool transposed = product.op == OpId::matMul && product.attrs.as<MatMulAttrs>().transposeB;
  return reshape(scale, {.shape = transposed ? Shape{weights[0], 1} : Shape{weights[-1]}});
}

/// Whether a convolution can take over the padding before it.
bool Folder::padsFor(int32_t id) const {
  const Node& n = node(id);
  if (n.op != OpId::conv2d && n.op != OpId::depthwiseConv2d) return false;
  const Node& before = node(n.inputs[0]);
  if (!liveness_.isLive(id) || before.op != OpId::pad || readers_[n.inputs[0]].size() != 1 ||
      isKept_[n.inputs[0]])
    return false;
  const PadAttrs& pad = before.attrs.as<PadAttrs>();
  const Paddings& p = pad.paddings;
  bool ofImage = pad.value == 0 && p[0] == 0 && p[1] == 0 && p[6] == 0 && p[7] == 0;
  const Padding& own = n.op == OpId::conv2d ? n.attrs.as<Conv2DAttrs>().padding
                                            : n.attrs.as<DepthwiseConv2DAttrs>().padding;
  return ofImage && own.kind != Padding::kSame;
}

/// A product of the old graph with these weights in the new one.
Value Folder::emitProduct(int32_t id, Value weights) {
  const Node& product = node(id);
  if (!padsFor(id)) return emit(product.op, {{values_[product.inputs[0]], weights}}, product.attrs);
  const Node& pad = node(product.inputs[0]);
  const Paddings& p = pad.attrs.as<PadAttrs>().paddings;
  auto padded = [&](auto attrs) {
    Padding own = attrs.padding.kind == Padding::kExplicit ? attrs.padding : Padding{};
    attrs.padding = {Padding::kExplicit, own.top + p[2], own.bottom + p[3], own.left + p[4],
                     own.right + p[5]};
    return emit(product.op, {{values_[pad.inputs[0]], weights}}, Attrs::of(attrs));
  };
  return product.op == OpId::conv2d ? padded(product.attrs.as<Conv2DAttrs>())
                                    : padded(product.attrs.as<DepthwiseConv2DAttrs>());
}

Value Folder::emitFold(const Fold& fold) {
  const Node& product = node(fold.product);
  Value scale, shift;
  for (const Link& link : fold.links) {
    Value v = values_[liveness_.source(link.value)];
    if (link.op == OpId::mul) {
      scale = scale ? scale * v : v;
      if (shift) shift = shift * v;
    } else if (link.op == OpId::add) {
      shift = shift ? shift + v : v;
    } else {
      shift = shift ? shift - v : -v;
    }
  }
  Value weights = values_[product.inputs[1]];
  if (scale) weights = weights * spread(scale, product);
  Value y = reshape(emitProduct(fold.product, weights), {.shape = node(fold.end).type.shape});
  if (!shift) return y;
  return y + reshape(shift, {.shape = shift.shape().size() == 1 ? Shape{} : Shape{y.shape()[-1]}});
}

bool Folder::run() {
  std::vector<Fold> folds;
  std::vector<int32_t> foldAt(count(), -1);  // node -> the fold that it ends
  bool pads = false;
  for (int32_t id = 0; id < count(); ++id) {
    pads = pads || padsFor(id);
    if (!isProduct(id)) continue;
    Fold fold{id, id, {}};
    while (follow(fold)) {
    }
    // One addition alone is as good as it can be.
    if (fold.links.empty() || (fold.links.size() == 1 && fold.links[0].op != OpId::mul)) continue;
    foldAt[fold.end] = static_cast<int32_t>(folds.size());
    folds.push_back(std::move(fold));
  }
  if (folds.empty() && !pads) return false;

  Copier copier(graph_, out_);
  copier.addInputs();
  values_.resize(count());
  for (int32_t id = 0; id < count(); ++id) {
    if (!liveness_.isLive(id) && node(id).op != OpId::input) continue;
    const Node& n = node(id);
    copier.comesTo(id);
    if (foldAt[id] >= 0) {
      values_[id] = emitFold(folds[foldAt[id]]);
    } else if (padsFor(id)) {
      values_[id] = emitProduct(id, values_[n.inputs[1]]);
    } else {
      std::vector<Value> inputs;
      for (int32_t input : n.inputs) inputs.push_back(values_[input]);
      values_[id] = copier.again(n, std::move(inputs));
    }
  }
  for (int32_t id : graph_.outputs()) out_.output(values_[id]);
  for (const Assignment& a : graph_.assignments()) out_.assign(values_[a.input], values_[a.value]);
  return true;
}

}  // namespace

bool fold(const Graph& graph, Graph& out) { return Folder(graph, out).run(); }

}  // namespace fjord
