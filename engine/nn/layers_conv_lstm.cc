// Recurrent layers whose products are convolutions (Shi et al. 2015), along one to three axes.
#include "ir/op.h"
#include "nn/recurrent.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

template <int axes>
constexpr Argument kConvLstmCell[] = {
    whole("filters", kCount).isNeeded(),
    perAxis("kernel_size", axes, kCount).isNeeded(),
    perAxis("strides", axes, kCount, 1),
    choice("padding", "valid|same"),
    also(kLayout),
    perAxis("dilation_rate", axes, kCount, 1),
    described("activation", checkLayerOrActivation, "tanh"),
    described("recurrent_activation", checkLayerOrActivation, "sigmoid"),
    flag("use_bias", true),
    also(kKernelWeight),
    also(kRecurrentWeight),
    also(kBiasWeight),
    flag("unit_forget_bias", true),
    number("dropout", kBelowOne, 0),
    number("recurrent_dropout", kBelowOne, 0),
    kSeed,
    // TensorFlow.js writes it; it says nothing here.
    only("implementation", "0|1|2"),
};
template <int axes>
constexpr Argument kConvLstm[] = {also(kConvLstmCell<axes>), also(kRecurrent)};

/// Of the four gates, on images of so many channels.
Shape filterOf(const Fields& f, int32_t channels) {
  Shape shape = f.perAxis("kernel_size");
  shape.push(channels);
  shape.push(int64_t{4} * f.whole("filters"));
  return shape;
}
Convolution convolutionOf(const Fields& f) {
  return {f.perAxis("strides"), f.perAxis("dilation_rate"), paddingOf(f)};
}
/// Of the states, whose images keep their size.
Convolution recurrentConvolutionOf(const Fields& f) {
  Shape ones = Shape::filled(f.perAxis("kernel_size").rank(), 1);
  return {ones, ones, {Padding::kSame}};
}

/// Inputs: x [N,..,C] and the states [N,..,filters].
LayerOutputs convLstmCell(LayerContext& c, const Fields& f, Inputs in) {
  Value kernel = kernelOf(c, f, filterOf(f, in[0].shape()[-1]));
  Value recurrent = weightOf(c, f, "recurrent_kernel", "recurrent", filterOf(f, in[1].shape()[-1]));
  Value z = convolve(dropped(c, f, "dropout", in[0]), kernel, convolutionOf(f));
  if (z && f.flag("use_bias")) z = z + biasOfGates(c, f, f.whole("filters"));
  z = z + convolve(dropped(c, f, "recurrent_dropout", in[1]), recurrent, recurrentConvolutionOf(f));
  return z ? afterGates(c, f, z, in[2]) : LayerOutputs();
}

/// [N,..,filters] of both states beside x [N,..,C]: each axis as one of images of one row. None where the
/// graph fails.
std::vector<Shape> statesBeside(Graph& graph, const Fields& f, const Shape& x) {
  Shape taps = f.perAxis("kernel_size"), state{x[0]};
  Convolution a = convolutionOf(f);
  int32_t channels = x[-1], filters = f.whole("filters");
  for (int i = 0; i < taps.rank(); ++i) {
    Type types[] = {{DType::kF32, {x[0], 1, x[i + 1], channels}},
                    {DType::kF32, {1, taps[i], channels, filters}}};
    Conv2DAttrs attrs{{1, a.strides[i]}, {1, a.dilations[i]}, a.padding};
    Result<Type> along = opInfo(OpId::conv2d).type(types, Attrs::of(attrs));
    if (!along) {
      graph.fail(along.error().message);
      return {};
    }
    state.push(along->shape[2]);
  }
  state.push(filters);
  return {state, state};
}

/// Inputs: a sequence [N,T,..,C], and states.
LayerOutputs convLstm(LayerContext& c, const Fields& f, Inputs in) {
  constexpr std::string_view kSequences[] = {"steps [N,T,W,C]", "images [N,T,H,W,C]",
                                             "volumes [N,T,D,H,W,C]"};
  Graph& graph = *in[0].graph;
  const Shape& s = in[0].shape();
  int axes = f.perAxis("kernel_size").rank();
  if (s.rank() != axes + 3) {
    graph.fail(cat("needs a sequence of ", kSequences[axes - 1], ", got ", in[0].type()));
    return {};
  }
  Shape image{s[0]};
  for (int i = 2; i < s.rank(); ++i) image.push(s[i]);
  std::vector<Shape> states = statesBeside(graph, f, image);
  if (states.empty()) return {};
  return recur(c, f, in, {.states = states, .own = convLstmCell});
}

/// Inputs: x [N,H,W,C] and the states.
LayerOutputs oneStep(LayerContext& c, const Fields& f, Inputs in) {
  if (!isBatch(in[0], f.perAxis("kernel_size").rank())) return {};
  Graph& graph = *in[0].graph;
  if (in.size() == 1) {
    graph.fail("needs 2 states beside its images, got 0");
    return {};
  }
  std::vector<Shape> states = statesBeside(graph, f, in[0].shape());
  if (states.empty() || !areStates(in, states)) return {};
  return convLstmCell(c, f, in);
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"ConvLSTM1D", "convLstm1d", kConvLstm<1>, nullptr, 0, Masks::kEnd, convLstm},
    {"ConvLSTM2D", "convLstm2d", kConvLstm<2>, nullptr, 0, Masks::kEnd, convLstm},
    {"ConvLSTM3D", "convLstm3d", kConvLstm<3>, nullptr, 0, Masks::kEnd, convLstm},
    {"ConvLSTM2DCell", "convLstm2dCell", kConvLstmCell<2>, nullptr, 0, Masks::kEnd, oneStep},
}));

}  // namespace

std::span<const LayerRow> convolutionalRecurrentLayers() { return kRows; }

}  // namespace fjord
