// Recurrent layers whose products are convolutions (Shi et al. 2015).
#include "ir/op.h"
#include "nn/recurrent.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

constexpr Argument kConvLstm2d[] = {
    whole("filters", kCount).isNeeded(),
    pair("kernel_size", kCount).isNeeded(),
    pair("strides", kCount, 1),
    choice("padding", "valid|same"),
    also(kLayout),
    pair("dilation_rate", kCount, 1),
    described("activation", checkLayerOrActivation, "tanh"),
    described("recurrent_activation", checkLayerOrActivation, "sigmoid"),
    flag("use_bias", true),
    also(kKernelWeight),
    also(kRecurrentWeight),
    also(kBiasWeight),
    flag("unit_forget_bias", true),
    number("dropout", kBelowOne, 0),
    number("recurrent_dropout", kBelowOne, 0),
    only("seed", ""),
    // TensorFlow.js writes it; it says nothing here.
    only("implementation", "0|1|2"),
    also(kRecurrent),
};

/// Of the four gates, on images of so many channels.
Shape filterOf(const Fields& f, int32_t channels) {
  Pair k = pairOf(f, "kernel_size");
  return {k.h, k.w, channels, int64_t{4} * f.whole("filters")};
}
Conv2DAttrs convolutionOf(const Fields& f) {
  return {pairOf(f, "strides"), pairOf(f, "dilation_rate"), paddingOf(f), 1};
}

/// Inputs: x [N,H,W,C] and the states [N,H',W',filters], whose images keep their size.
LayerOutputs convLstmCell(LayerContext& c, const Fields& f, Inputs in) {
  Value kernel = kernelOf(c, f, filterOf(f, in[0].shape()[3]));
  Value recurrent = weightOf(c, f, "recurrent_kernel", "recurrent", filterOf(f, in[1].shape()[3]));
  Value z = conv2d(dropped(c, f, "dropout", in[0]), kernel, convolutionOf(f));
  if (z && f.flag("use_bias")) z = z + biasOfGates(c, f, f.whole("filters"));
  z = z +
      conv2d(dropped(c, f, "recurrent_dropout", in[1]), recurrent, {.padding = {Padding::kSame}});
  return z ? afterGates(c, f, z, in[2]) : LayerOutputs();
}

LayerOutputs convLstm2d(LayerContext& c, const Fields& f, Inputs in) {
  Graph& graph = *in[0].graph;
  const Shape& s = in[0].shape();
  if (s.rank() != 5) {
    graph.fail(cat("needs a sequence of images [N,T,H,W,C], got ", in[0].type()));
    return {};
  }
  Type image{DType::kF32, {s[0], s[2], s[3], s[4]}}, filter{DType::kF32, filterOf(f, s[4])};
  Result<Type> gates = opInfo(OpId::conv2d).type({{image, filter}}, Attrs::of(convolutionOf(f)));
  if (!gates) {
    graph.fail(gates.error().message);
    return {};
  }
  gates->shape[3] = f.whole("filters");
  return recur(c, f, in, {.states = {gates->shape, gates->shape}, .own = convLstmCell});
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"ConvLSTM2D", "convLstm2d", kConvLstm2d, nullptr, 0, Masks::kEnd, convLstm2d},
}));

}  // namespace

std::span<const LayerRow> convolutionalRecurrentLayers() { return kRows; }

}  // namespace fjord
