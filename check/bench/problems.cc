#include "problems.h"

#include <cmath>

namespace fjord {

namespace {

/// {M, N, K, transposeA, transposeB}
void buildMatMul(Problem& p, const std::vector<int>& s) {
  bool ta = s[3], tb = s[4];
  Value a = p.input(ta ? Shape{s[2], s[0]} : Shape{s[0], s[2]});
  Value b = p.input(tb ? Shape{s[1], s[2]} : Shape{s[2], s[1]});
  p.output(matMul(a, b, {ta, tb}));
  // With few rows the work is to read B.
  p.reads = s[0] <= 4;
  if (!p.reads) p.operations = 2.0 * s[0] * s[1] * s[2];
  p.name = cat(s[0], 'x', s[1], 'x', s[2], ta ? " A'" : "", tb ? " B'" : "");
}

/// One sample through a network of the paper's grid: {layers, width}.
void buildPredict(Problem& p, const std::vector<int>& s) {
  Value x = p.input({1, 784});
  for (int layer = 0; layer <= s[0]; ++layer) {
    int units = layer < s[0] ? s[1] : 10;
    // He's range, so that a number is about as large after eight layers as before.
    int inputs = x.shape()[1];
    double limit = std::sqrt(6.0 / inputs);
    Value w = p.parameter({inputs, units}, {-limit, limit});
    Value y = matMul(x, w, {}) + p.parameter({units});
    x = layer < s[0] ? relu(y) : softmax(y);
  }
  p.output(x);
  p.reads = true;
  p.name = cat(s[0], 'x', s[1]);
}

/// {N, H, C, OC, K, stride, groups}; `same` padding, square images.
struct ConvSizes {
  int n, h, c, oc, k, stride, groups, oh;
  explicit ConvSizes(const std::vector<int>& s)
      : n(s[0]),
        h(s[1]),
        c(s[2]),
        oc(s[3]),
        k(s[4]),
        stride(s[5]),
        groups(s[6]),
        oh((h + stride - 1) / stride) {}
  Shape x() const { return {n, h, h, c}; }
  Shape filter() const { return {k, k, c / groups, oc}; }
  Shape y() const { return {n, oh, oh, oc}; }
  template <class A>
  A attrs(A a) const {
    a.strides = {stride, stride};
    a.padding = {Padding::kSame};
    if constexpr (requires { a.groups; }) a.groups = groups;
    return a;
  }
  void describe(Problem& p) const {
    int depth = k * k * c / groups;
    p.operations = 2.0 * n * oh * oh * oc * depth;
    p.name = cat(n, 'x', h, 'x', h, 'x', c, " -> ", oc, ", ", k, 'x', k, stride > 1 ? " /" : "",
                 stride > 1 ? cat(stride) : "");
  }
};
void buildConv(Problem& p, const std::vector<int>& sizes) {
  ConvSizes s(sizes);
  // One image is a model that predicts.
  Value x = p.input(s.x()), filter = s.n == 1 ? p.parameter(s.filter()) : p.input(s.filter());
  p.output(conv2d(x, filter, s.attrs(Conv2DAttrs{})));
  s.describe(p);
}
void buildConvInput(Problem& p, const std::vector<int>& sizes) {
  ConvSizes s(sizes);
  Conv2DInputAttrs a{.inputShape = s.x()};
  p.output(conv2dInput(p.input(s.y()), p.input(s.filter()), s.attrs(a)));
  s.describe(p);
}
void buildConvFilter(Problem& p, const std::vector<int>& sizes) {
  ConvSizes s(sizes);
  Conv2DFilterAttrs a{.filterShape = s.filter()};
  p.output(conv2dFilter(p.input(s.x()), p.input(s.y()), s.attrs(a)));
  s.describe(p);
}
void buildDepthwise(Problem& p, const std::vector<int>& sizes) {
  ConvSizes s(sizes);
  Value filter = p.input({s.k, s.k, s.c, 1});
  p.output(depthwiseConv2d(p.input(s.x()), filter, s.attrs(DepthwiseConv2DAttrs{})));
  s.describe(p);
  p.operations = 2.0 * s.n * s.oh * s.oh * s.c * s.k * s.k;
}
void buildMaxPool(Problem& p, const std::vector<int>& s) {
  p.output(maxPool(p.input({s[0], s[1], s[1], s[2]}), {.window = {s[3], s[3]}, .strides = {2, 2}}));
  p.name = cat(s[0], 'x', s[1], 'x', s[1], 'x', s[2], ", ", s[3], 'x', s[3], " /2");
}

constexpr Range kPositive{0.25, 0.75};

template <Value (*op)(Value)>
void buildUnary(Problem& p, const std::vector<int>& s) {
  p.output(op(p.input({s[0]}, op == static_cast<Value (*)(Value)>(log) ? kPositive : Range{})));
  p.name = cat(s[0]);
}
void buildAdd(Problem& p, const std::vector<int>& s) {
  p.output(p.input({s[0]}) + p.input({s[0]}));
  p.name = cat(s[0]);
}
/// A channel's scale and shift and ReLU, as after a convolution: {rows, channels}.
void buildScale(Problem& p, const std::vector<int>& s) {
  Value x = p.input({s[0], s[1]}), scale = p.input({s[1]}), shift = p.input({s[1]});
  p.output(relu(x * scale + shift));
  p.name = cat(s[0], 'x', s[1]);
}
/// Adam's update of n weights in place.
void buildAdam(Problem& p, const std::vector<int>& s) {
  Value w = p.input({s[0]}), m = p.input({s[0]}), v = p.input({s[0]}, kPositive);
  Value g = p.input({s[0]});
  Value m1 = m + (g - m) * 0.1, v1 = v + (g * g - v) * 0.001;
  p.output(w - m1 * 0.001 / (sqrt(v1) + 1e-7));
  p.output(m1);
  p.output(v1);
  p.name = cat(s[0]);
}
void buildSoftmax(Problem& p, const std::vector<int>& s) {
  p.output(softmax(p.input({s[0], s[1]})));
  p.name = cat(s[0], 'x', s[1]);
}
/// {rows, columns, axis}
void buildSum(Problem& p, const std::vector<int>& s) {
  p.output(sum(p.input({s[0], s[1]}), {.axes = {s[2]}}));
  p.name = cat(s[0], 'x', s[1], " axis ", s[2]);
}
void buildTranspose(Problem& p, const std::vector<int>& s) {
  p.output(transpose(p.input({s[0], s[1]}), {.perm = {1, 0}}));
  p.name = cat(s[0], 'x', s[1]);
}
void buildConcat(Problem& p, const std::vector<int>& s) {
  std::vector<Value> parts = {p.input({s[0], s[1]}), p.input({s[0], s[1]})};
  p.output(concat(parts, {.axis = 1}));
  p.name = cat(s[0], 'x', s[1], " twice");
}

// Sizes of the paper's grid (batch 64), of the convolutional networks of bench infer, and of the
// MNIST example; large ones that show the kernel alone; one sample.
const ProblemRow kRows[] = {
    {"matMul large",
     buildMatMul,
     {{512, 512, 512, 0, 0},
      {1024, 1024, 1024, 0, 0},
      {1024, 1024, 1024, 1, 0},
      {1024, 1024, 1024, 0, 1},
      {1024, 1024, 1024, 1, 1}}},
    {.group = "matMul large",
     .build = buildMatMul,
     .sizes = {{4096, 4096, 4096, 0, 0}},
     .forGpu = true},
    {"matMul forward",
     buildMatMul,
     {{64, 64, 784, 0, 0},
      {64, 128, 784, 0, 0},
      {64, 256, 784, 0, 0},
      {64, 64, 64, 0, 0},
      {64, 128, 128, 0, 0},
      {64, 256, 256, 0, 0},
      {64, 10, 256, 0, 0}}},
    {"matMul weights' gradient",
     buildMatMul,
     {{784, 64, 64, 1, 0},
      {784, 128, 64, 1, 0},
      {784, 256, 64, 1, 0},
      {64, 64, 64, 1, 0},
      {128, 128, 64, 1, 0},
      {256, 256, 64, 1, 0},
      {256, 10, 64, 1, 0}}},
    {"matMul input's gradient",
     buildMatMul,
     {{64, 64, 64, 0, 1}, {64, 128, 128, 0, 1}, {64, 256, 256, 0, 1}, {64, 256, 10, 0, 1}}},
    {"matMul one sample",
     buildMatMul,
     {{1, 256, 784, 0, 0},
      {1, 256, 256, 0, 0},
      {1, 4096, 4096, 0, 0},
      {1, 1000, 2048, 0, 0},
      {1, 1024, 1024, 0, 1},
      {4, 1024, 1024, 0, 0},
      {8, 1024, 1024, 0, 0}}},
    {"predict one sample",
     buildPredict,
     {{1, 64}, {1, 128}, {1, 256}, {4, 64}, {4, 128}, {4, 256}, {8, 64}, {8, 128}, {8, 256}}},
    {"conv2d",
     buildConv,
     {{64, 28, 1, 8, 5, 1, 1},
      {64, 12, 8, 16, 5, 1, 1},
      {1, 224, 3, 64, 7, 2, 1},
      {1, 56, 64, 64, 3, 1, 1},
      {1, 28, 128, 128, 3, 1, 1},
      {1, 14, 256, 256, 3, 1, 1},
      {1, 7, 512, 512, 3, 1, 1},
      {1, 112, 64, 128, 3, 1, 1},
      {1, 56, 64, 256, 1, 1, 1},
      {1, 14, 1024, 256, 1, 1, 1},
      {1, 7, 512, 2048, 1, 1, 1},
      {1, 112, 32, 16, 1, 1, 1}}},
    {"conv2d input's gradient",
     buildConvInput,
     {{64, 12, 8, 16, 5, 1, 1}, {16, 28, 64, 64, 3, 1, 1}, {16, 14, 256, 64, 1, 1, 1}}},
    {"conv2d filter's gradient",
     buildConvFilter,
     {{64, 28, 1, 8, 5, 1, 1},
      {64, 12, 8, 16, 5, 1, 1},
      {16, 28, 64, 64, 3, 1, 1},
      {16, 14, 256, 64, 1, 1, 1}}},
    {"depthwiseConv2d",
     buildDepthwise,
     {{1, 112, 32, 32, 3, 1, 1},
      {1, 56, 144, 144, 3, 1, 1},
      {1, 14, 576, 576, 3, 1, 1},
      {1, 56, 144, 144, 3, 2, 1}}},
    {"maxPool", buildMaxPool, {{64, 24, 8, 2}, {1, 112, 64, 3}}},
    {"add", buildAdd, {{16384}, {1048576}}},
    {"relu", buildUnary<relu>, {{16384}, {1048576}}},
    {"exp", buildUnary<exp>, {{16384}}},
    {"log", buildUnary<log>, {{16384}}},
    {"tanh", buildUnary<tanh>, {{16384}}},
    {"erf", buildUnary<erf>, {{16384}}},
    {"scale, shift, relu", buildScale, {{3136, 64}, {49, 2048}, {12544, 32}}},
    {"adam", buildAdam, {{200704}, {4000000}}},
    {"softmax", buildSoftmax, {{64, 10}, {64, 1000}}},
    {"sum", buildSum, {{512, 512, 0}, {512, 512, 1}, {64, 10, 0}}},
    {"transpose", buildTranspose, {{512, 512}, {2048, 2048}}},
    {"concat", buildConcat, {{784, 128}}},
};

}  // namespace

std::span<const ProblemRow> problemRows() { return kRows; }

std::vector<Tensor> drawInputs(const Problem& p) {
  std::vector<Tensor> inputs;
  for (size_t k = 0; k < p.inputs.size(); ++k) {
    inputs.push_back(*Tensor::empty(p.inputs[k]));
    float* data = inputs[k].data<float>();
    const auto [low, high] = p.ranges[k];
    // Neighbours have nothing to do with each other, so what is read from a wrong place gives a wrong
    // result. The hash is lowbias32 of Wellons, "Prospecting for Hash Functions" (2018).
    for (uint32_t i = 0; i < inputs[k].size(); ++i) {
      uint32_t h = i + static_cast<uint32_t>(k) * 0x9E3779B9u;
      h = (h ^ (h >> 16)) * 0x7FEB352Du;
      h = (h ^ (h >> 15)) * 0x846CA68Bu;
      h ^= h >> 16;
      data[i] = static_cast<float>(low + (high - low) * (h >> 8) * 0x1p-24);
    }
  }
  return inputs;
}

}  // namespace fjord
