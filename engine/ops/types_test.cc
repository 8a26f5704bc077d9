// What ops refuse, and in which words: numbers that an attribute cannot be, attributes that an op cannot
// be asked for, arrays that cannot be. What types they give, and that what is computed when a graph is
// built is what would have been computed when it runs.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "base/simd.h"
#include "ops/elementwise.h"
#include "run/cpu.h"
#include "testing/reference.h"

namespace fjord::testing {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kTwo31 = 2147483648.0;

Type f32(const Shape& shape) { return {DType::kF32, shape}; }
Type i32(const Shape& shape) { return {DType::kI32, shape}; }
Type bools(const Shape& shape) { return {DType::kBool, shape}; }

/// f(OpId, default attributes) for every op that has a struct of attributes.
template <class F>
void forEachOp(F f) {
  f(OpId::cast, CastAttrs());
#define OP(Name, name, arity, attrs) f(OpId::name, Name##Attrs());
#define COMPOSED OP
#include "ir/all.inc"
#undef OP
#undef COMPOSED
}

/// The first error of a graph of one op, or "".
std::string refusal(OpId op, const std::vector<Type>& in, const Attrs& attrs) {
  Graph graph;
  std::vector<Value> values;
  for (const Type& t : in) values.push_back(graph.input(t));
  emit(op, values, attrs);
  return graph.status() ? "" : graph.status().error().message;
}

// ---- numbers that an attribute cannot be

/// The numbers of an op's attributes, and which of them stand for what.
struct AttrWriter {
  struct Entry {
    size_t at;
    std::string name, allowed;
    std::vector<double> refused;
  };
  std::vector<double> numbers = {};
  std::vector<Entry> entries = {};
  std::string last = {};

  void add(const char* name, double value, std::string allowed, std::vector<double> refused) {
    last = name;
    entries.push_back({numbers.size(), name, std::move(allowed), std::move(refused)});
    numbers.push_back(value);
  }
  void integer(const char* name, double value) {
    add(name, value, "a whole number from -2147483648 to 2147483647",
        {kNaN, INFINITY, 1.5, kTwo31, -kTwo31 - 1});
  }
  void operator()(const char* name, bool v) {
    add(name, v, "false (0) or true (1)", {2, -1, 0.5, kNaN});
  }
  void operator()(const char* name, int32_t v) { integer(name, v); }
  void operator()(const char* name, float v) {
    add(name, v, "a number that float32 can hold", {1e39, -1e300});
  }
  void operator()(const char* name, DType) {
    add(name, 0, "float32 (0), int32 (1) or bool (2)", {-1, 3, 0.5, kNaN});
  }
  void operator()(const char* name, MirrorMode) {
    add(name, 0, "reflect (0) or symmetric (1)", {-1, 2, 0.5, kNaN});
  }
  void operator()(const char* name, FillMode) {
    add(name, 0, "constant (0), reflect (1), wrap (2) or nearest (3)", {-1, 4, 0.5, kNaN});
  }
  void operator()(const char* name, Pair v) {
    integer(name, v.h);
    integer(name, v.w);
  }
  void operator()(const char* name, const Padding&) {
    add(name, 2, "valid (0), same (1) or explicit (2)", {-1, 3, 0.5, kNaN});
    for (int side = 0; side < 4; ++side) integer(name, side);
  }
  void operator()(const char* name, const ShortText&) {
    add(name, 1, "a text of at most 111 characters", {-1, 112, 0.5, kNaN});
    add(name, 'a', "a text of ASCII characters", {0, 128, 1.5, kNaN});
  }
  template <int N>
  void operator()(const char* name, const Ints<N>&) {
    add(name, 1, cat("a list of at most ", N, " numbers"), {-1, N + 1, 0.5, kNaN});
    integer(name, 2);
  }
};

TEST(Attributes, ThatANumberCannotBeAreRefusedByName) {
  int refused = 0;
  forEachOp([&](OpId op, auto attrs) {
    SCOPED_TRACE(opInfo(op).name);
    AttrWriter w;
    visitAttrs(attrs, w);
    Attrs read;
    ASSERT_TRUE(opInfo(op).decode(w.numbers, read))
        << opInfo(op).decode(w.numbers, read).error().message;
    for (const AttrWriter::Entry& e : w.entries) {
      for (double bad : e.refused) {
        std::vector<double> numbers = w.numbers;
        numbers[e.at] = bad;
        Status status = opInfo(op).decode(numbers, read);
        ASSERT_FALSE(status) << e.name << " = " << bad;
        EXPECT_EQ(status.error().message, cat(e.name, " must be ", e.allowed, ", got ", bad));
        ++refused;
      }
    }
    size_t n = w.numbers.size();
    w.numbers.push_back(0);
    EXPECT_EQ(opInfo(op).decode(w.numbers, read).error().message,
              cat("the attributes are ", n, " numbers, got ", n + 1));
    if (n == 0) return;
    w.numbers.resize(n - 1);
    EXPECT_EQ(opInfo(op).decode(w.numbers, read).error().message,
              cat("the attributes end before ", w.last));
  });
  EXPECT_GT(refused, 400);
}

TEST(Attributes, AreEqualWhereTheirFieldsAre) {
  // The same fields over different garbage.
  alignas(SumAttrs) std::byte places[2][sizeof(SumAttrs)];
  Attrs packed[2];
  for (int i = 0; i < 2; ++i) {
    std::memset(places[i], i ? 0xa5 : 0x5a, sizeof places[i]);
    auto* attrs = new (places[i]) SumAttrs;
    attrs->axes = {1};
    attrs->keepDims = true;
    packed[i] = Attrs::of(*attrs);
  }
  EXPECT_EQ(packed[0], packed[1]);
  EXPECT_NE(packed[0], Attrs::of(SumAttrs{.axes = {1}}));
  EXPECT_NE(Attrs::of(PadAttrs{.value = 0.0f}), Attrs::of(PadAttrs{.value = -0.0f}));
  EXPECT_EQ(Attrs::of(PadAttrs{.value = NAN}), Attrs::of(PadAttrs{.value = NAN}));
  Graph graph;
  Value x = graph.input(f32({2, 3}));
  Value first = emit(OpId::sum, {{x}}, packed[0]);
  EXPECT_EQ(first.id, emit(OpId::sum, {{x}}, packed[1]).id);
}

// ---- values that an op cannot be asked for

struct Refused {
  OpId op;
  const char* attribute;
  std::vector<Type> in;
  Attrs attrs;
  std::string message;
};

template <class A>
Refused refused(OpId op, const char* attribute, std::vector<Type> in, const A& attrs,
                std::string message) {
  return {op, attribute, std::move(in), Attrs::of(attrs), std::move(message)};
}

template <class A>
void addReductions(std::vector<Refused>& rows, OpId op, const Type& x) {
  rows.push_back(refused(op, "axes", {x}, A{.axes = {2}}, "axis 2 is outside a shape of rank 2"));
  rows.push_back(refused(op, "axes", {x}, A{.axes = {0, -2}}, "axis -2 is named twice"));
}

const std::string kNoStrides = "strides must be at least 1, got 0 and 1";
const std::string kNoDilations = "dilations must be at least 1, got 1 and -1";
const std::string kNoPadding = "padding must be at least 0, got top 0, bottom -1, left 0, right 0";
const Padding kBelowZero{Padding::kExplicit, 0, -1, 0, 0};
const Padding kHuge{Padding::kExplicit, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};

/// What every op with windows refuses of them.
template <class A>
void addWindows(std::vector<Refused>& rows, OpId op, const std::vector<Type>& in, A a) {
  auto with = [&](const char* name, auto A::* member, auto value, const std::string& message) {
    A changed = a;
    changed.*member = value;
    rows.push_back(refused(op, name, in, changed, message));
  };
  with("strides", &A::strides, Pair{0, 1}, kNoStrides);
  with("padding", &A::padding, kBelowZero, kNoPadding);
  with("padding", &A::padding, kHuge,
       "the image with its padding: the shape [too large,too large,");
  if constexpr (requires { a.dilations; })
    with("dilations", &A::dilations, Pair{1, -1}, kNoDilations);
  if constexpr (requires { a.window; })
    with("window", &A::window, Pair{2, 0}, "window must be at least 1, got 2 and 0");
  if constexpr (requires { a.groups; }) {
    with("groups", &A::groups, 0, "0 groups do not divide 4 input and 6 output channels");
    with("groups", &A::groups, 3, "3 groups do not divide 4 input and 6 output channels");
  }
  if constexpr (requires { a.filterShape; })
    with("filterShape", &A::filterShape, Shape{0, 0, 4, 6},
         "every size of the filter must be at least 1, got [0,0,4,6]");
  if constexpr (requires { a.inputShape; })
    with("inputShape", &A::inputShape, Shape{1, -5, 5, 4},
         "the shape [1,-5,5,4] has a negative size");
}

void addVolumes(std::vector<Refused>& rows) {
  Type x = f32({1, 5, 5, 5, 4}), filter = f32({3, 3, 3, 4, 6}), y = f32({1, 3, 3, 3, 6});
  Shape none{1, 0, 1}, two{2, 2};
  const char* three = " must be three whole numbers from 1, got ";
  Pair back{-1, 0};
  std::string depth = "depthPadding must be at least 0, got -1 and 0";
  auto conv = [&](const char* name, const Conv3DAttrs& a, const std::string& message) {
    rows.push_back(refused(OpId::conv3d, name, {x, filter}, a, message));
  };
  conv("strides", {.strides = none}, cat("strides", three, none));
  conv("strides", {.strides = two}, cat("strides", three, two));
  conv("dilations", {.dilations = none}, cat("dilations", three, none));
  conv("padding", {.padding = kBelowZero}, kNoPadding);
  conv("depthPadding", {.padding = {Padding::kExplicit}, .depthPadding = back}, depth);
  conv("groups", {.groups = 3}, "3 groups do not divide 4 input and 6 output channels");
  auto transposed = [&](const char* name, Conv3DTransposeAttrs a, const std::string& message) {
    if (a.outputShape.empty()) a.outputShape = x.shape;
    rows.push_back(refused(OpId::conv3dTranspose, name, {y, filter}, a, message));
  };
  transposed("strides", {.strides = none}, cat("strides", three, none));
  transposed("padding", {.padding = kBelowZero}, kNoPadding);
  transposed("depthPadding", {.padding = {Padding::kExplicit}, .depthPadding = back}, depth);
  transposed("outputShape", {.outputShape = {1, 5, 5, 5}},
             "needs x [N,D,H,W,C] and a filter [KD,KH,KW,C/groups,OC], got [1,5,5,5] and ");
  auto pools = [&]<class A>(OpId op, A a) {
    a.window = a.strides = {2, 2, 2};
    auto with = [&](const char* name, auto A::* member, auto value, const std::string& message) {
      A changed = a;
      changed.padding = {Padding::kExplicit};
      changed.*member = value;
      rows.push_back(refused(op, name, {x}, changed, message));
    };
    with("window", &A::window, none, cat("window", three, none));
    with("strides", &A::strides, two, cat("strides", three, two));
    std::string images = op == OpId::maxPool3d ? "maxPool: " : "avgPool: ";
    with("padding", &A::padding, kBelowZero, images + kNoPadding);
    with("depthPadding", &A::depthPadding, back, depth);
  };
  pools(OpId::maxPool3d, MaxPool3DAttrs());
  pools(OpId::avgPool3d, AvgPool3DAttrs());
}

void addImages(std::vector<Refused>& rows) {
  Type x = f32({1, 5, 5, 4}), filter = f32({3, 3, 4, 6}), y = f32({1, 3, 3, 6});
  addWindows(rows, OpId::conv2d, {x, filter}, Conv2DAttrs());
  addWindows(rows, OpId::conv2dInput, {y, filter}, Conv2DInputAttrs{.inputShape = x.shape});
  addWindows(rows, OpId::conv2dFilter, {x, y}, Conv2DFilterAttrs{.filterShape = filter.shape});
  rows.push_back(refused(OpId::conv2d, "strides", {x, f32({0, 0, 4, 6})}, Conv2DAttrs(),
                         "every size of the filter must be at least 1, got [0,0,4,6]"));
  auto transposed = [&](const char* name, const Conv2DTransposeAttrs& a, const char* message) {
    rows.push_back(refused(OpId::conv2dTranspose, name, {f32({1, 3, 3, 6}), filter}, a,
                           cat("conv2dInput: ", message)));
  };
  transposed("strides", {.strides = {0, 1}, .outputShape = x.shape}, kNoStrides.c_str());
  transposed("padding", {.padding = kBelowZero, .outputShape = x.shape}, kNoPadding.c_str());
  transposed("outputShape", {.outputShape = {1, 5, 5}},
             "needs x [N,H,W,C] and a filter [KH,KW,C/groups,OC], got [1,5,5] and [3,3,4,6]");
  Type depth = f32({3, 3, 4, 2}), z = f32({1, 3, 3, 8});
  addWindows(rows, OpId::depthwiseConv2d, {x, depth}, DepthwiseConv2DAttrs());
  addWindows(rows, OpId::depthwiseConv2dInput, {z, depth},
             DepthwiseConv2DInputAttrs{.inputShape = x.shape});
  addWindows(rows, OpId::depthwiseConv2dFilter, {x, z},
             DepthwiseConv2DFilterAttrs{.filterShape = {3, 3, 4, 2}});
  rows.push_back(refused(OpId::depthwiseConv2d, "strides", {x, f32({3, 3, 4, 0})},
                         DepthwiseConv2DAttrs(),
                         "every size of the filter must be at least 1, got [3,3,4,0]"));
  Pair two{2, 2};
  Type pooled = f32({1, 2, 2, 4});
  addWindows(rows, OpId::maxPool, {x}, MaxPoolAttrs{two, two});
  addWindows(rows, OpId::maxPoolGrad, {x, pooled, pooled}, MaxPoolGradAttrs{two, two});
  addWindows(rows, OpId::avgPool, {x}, AvgPoolAttrs{two, two});
  addWindows(rows, OpId::avgPoolGrad, {pooled}, AvgPoolGradAttrs{two, two, {}, x.shape});
  rows.push_back(refused(OpId::maxPool, "window", {x}, MaxPoolAttrs{.window = {6, 2}},
                         "a window of 6x2 does not fit the padded image of 5x5"));
  rows.push_back(
      refused(OpId::avgPool, "padding", {x},
              AvgPoolAttrs{.window = two, .padding = {Padding::kExplicit, 2, 0, 0, 0}},
              "padding must be smaller than the window: a window sees nothing but padding"));
  rows.push_back(refused(OpId::maxPool, "window", {f32({1, 5, 5, 0})}, MaxPoolAttrs{two, two},
                         "needs at least one channel, got [1,5,5,0]"));
}

void addMoves(std::vector<Refused>& rows) {
  Type x = f32({2, 3});
  rows.push_back(refused(OpId::reshape, "shape", {x}, ReshapeAttrs{.shape = {-2, 3}},
                         "cannot reshape to [-2,3]: at most one -1, and no other negative size"));
  rows.push_back(refused(OpId::reshape, "shape", {x},
                         ReshapeAttrs{.shape = {INT32_MAX, INT32_MAX, 4}},
                         "cannot reshape [2,3] (6 elements) to [2147483647,2147483647,4]"));
  rows.push_back(refused(OpId::transpose, "perm", {x}, TransposeAttrs{.perm = {0, 0}},
                         "perm [0,0] is not a permutation of the axes"));
  rows.push_back(refused(OpId::broadcastTo, "shape", {f32({1})}, BroadcastToAttrs{.shape = {-1}},
                         "the shape [-1] has a negative size"));
  rows.push_back(refused(OpId::concat, "axis", {x, x}, ConcatAttrs{.axis = 2},
                         "axis 2 is outside a shape of rank 2"));
  rows.push_back(refused(OpId::stack, "axis", {x, x}, StackAttrs{.axis = -4},
                         "axis -4 is outside a shape of rank 3"));
  rows.push_back(refused(OpId::stack, "axis", {x, f32({3, 2})}, StackAttrs(),
                         "the inputs must be of one type and shape"));
  rows.push_back(refused(OpId::tile, "reps", {x}, TileAttrs{.reps = {-1, 1}},
                         "reps must be at least 0, got [-1,1]"));
  rows.push_back(refused(OpId::tile, "reps", {x}, TileAttrs{.reps = {2}},
                         "reps needs one entry for each axis, got [2]"));
  rows.push_back(refused(OpId::reverse, "axes", {x}, ReverseAttrs{.axes = {2}},
                         "axis 2 is outside a shape of rank 2"));
  rows.push_back(refused(OpId::slice, "begin", {x}, SliceAttrs{{-1, 0}, {1, 1}},
                         "begin [-1,0] and size [1,1] leave the shape [2,3]"));
  rows.push_back(refused(OpId::slice, "size", {x}, SliceAttrs{{1, 1}, {INT32_MAX, 1}},
                         "begin [1,1] and size [2147483647,1] leave the shape [2,3]"));
  rows.push_back(refused(OpId::stridedSlice, "begin", {x},
                         StridedSliceAttrs{{2, 0}, {3, 3}, {1, 1}},
                         "begin [2,0], end [3,3] and strides [1,1] leave the shape [2,3]"));
  rows.push_back(refused(OpId::stridedSlice, "end", {x}, StridedSliceAttrs{{0, 0}, {3, 3}, {1, 1}},
                         "begin [0,0], end [3,3] and strides [1,1] leave the shape [2,3]"));
  rows.push_back(refused(OpId::stridedSlice, "strides", {x},
                         StridedSliceAttrs{{0, 0}, {2, 3}, {1, 0}},
                         "strides must not be 0, got [1,0]"));
  auto back = [&](const char* name, const StridedSliceGradAttrs& a, const char* message) {
    rows.push_back(refused(OpId::stridedSliceGrad, name, {x}, a, message));
  };
  back("begin", {{5, 0}, {1, 1}, {2, 3}}, "begin [5,0] and strides [1,1] leave the shape [2,3]");
  back("strides", {{0, 0}, {4, 1}, {2, 3}}, "begin [0,0] and strides [4,1] leave the shape [2,3]");
  back("inputShape", {{0, 0}, {1, 1}, {-2, 3}}, "the shape [-2,3] has a negative size");
  rows.push_back(refused(OpId::pad, "paddings", {x}, PadAttrs{.paddings = {0, -1, 0, 0}},
                         "paddings must be at least 0, got [0,-1,0,0]"));
  rows.push_back(refused(OpId::pad, "value", {i32({2})}, PadAttrs{{1, 1}, 0.5f},
                         "value must be one of int32, got 0.5"));
  rows.push_back(refused(OpId::mirrorPad, "paddings", {x}, MirrorPadAttrs{.paddings = {2, 0, 0, 0}},
                         "paddings [2,0,0,0] reach beyond what there is to mirror of [2,3]"));
  rows.push_back(refused(OpId::mirrorPadGrad, "paddings", {x},
                         MirrorPadGradAttrs{.paddings = {0, 0, INT32_MIN, INT32_MIN}},
                         "paddings must be at least 0, got [0,0,too large,too large]"));
}

void addSizes(std::vector<Refused>& rows) {
  Type x = f32({2, 3, 4, 1}), t = f32({2, 8});
  const char* size = "size must be at least 1, got 0 and 5";
  rows.push_back(refused(OpId::resizeBilinear, "size", {x}, ResizeBilinearAttrs{{0, 5}}, size));
  rows.push_back(
      refused(OpId::resizeNearestNeighbor, "size", {x}, ResizeNearestNeighborAttrs{{0, 5}}, size));
  rows.push_back(refused(OpId::transform, "size", {x, t}, TransformAttrs{{0, 5}}, size));
  rows.push_back(refused(OpId::resizeBilinear, "", {f32({3, 4})}, ResizeBilinearAttrs{{5, 5}},
                         "needs images [N,H,W,C], got float32[3,4]"));
  rows.push_back(refused(OpId::resizeBilinear, "", {f32({1, 0, 4, 2})}, ResizeBilinearAttrs{{5, 5}},
                         "needs images of at least one pixel"));
  rows.push_back(refused(OpId::resizeBilinear, "", {x}, ResizeBilinearAttrs{{5, 5}, true, true},
                         "only one of alignCorners and halfPixelCenters can be true"));
  rows.push_back(refused(OpId::transform, "", {x, f32({3, 8})}, TransformAttrs{{5, 5}},
                         "transforms must be [1,8] or [2,8], got [3,8]"));
  for (float bad : {NAN, INFINITY}) {
    TransformAttrs a{{5, 5}};
    a.fillValue = bad;
    rows.push_back(refused(OpId::transform, "fillValue", {x, t}, a,
                           cat("fillValue must be a finite number, got ", bad)));
  }
  TransformAttrs half{{5, 5}};
  half.fillValue = 0.5f;
  rows.push_back(refused(OpId::transform, "fillValue", {i32({2, 3, 4, 1}), t}, half,
                         "fillValue must be a finite number without a fraction, got 0.5"));
}

std::vector<Refused> refusedValues() {
  std::vector<Refused> rows;
  Type x = f32({2, 3}), b = bools({2, 3});
  addReductions<SumAttrs>(rows, OpId::sum, x);
  addReductions<MeanAttrs>(rows, OpId::mean, x);
  addReductions<MaxAttrs>(rows, OpId::max, x);
  addReductions<MinAttrs>(rows, OpId::min, x);
  addReductions<ProdAttrs>(rows, OpId::prod, x);
  addReductions<AnyAttrs>(rows, OpId::any, b);
  addReductions<AllAttrs>(rows, OpId::all, b);
  rows.push_back(refused(OpId::logSumExp, "axes", {x}, LogSumExpAttrs{.axes = {2}},
                         "max: axis 2 is outside a shape of rank 2"));
  const char* outside = "axis -3 is outside a shape of rank 2";
  rows.push_back(refused(OpId::argMax, "axis", {x}, ArgMaxAttrs{.axis = -3}, outside));
  rows.push_back(refused(OpId::argMin, "axis", {x}, ArgMinAttrs{.axis = -3}, outside));
  rows.push_back(refused(OpId::cumsum, "axis", {x}, CumSumAttrs{.axis = -3}, outside));
  rows.push_back(refused(OpId::softmax, "axis", {x}, SoftmaxAttrs{.axis = -3}, outside));
  rows.push_back(refused(OpId::logSoftmax, "axis", {x}, LogSoftmaxAttrs{.axis = -3}, outside));
  rows.push_back(refused(OpId::softmaxCrossEntropy, "", {x, f32({3})}, SoftmaxCrossEntropyAttrs(),
                         "logits and labels must have one shape"));
  addImages(rows);
  addVolumes(rows);
  addSizes(rows);
  addMoves(rows);
  Type c = f32({3});
  auto epsilon = [](double got) {
    return cat("epsilon must be a finite number of at least 0, got ", got);
  };
  for (float bad : {-0.5f, -1.0f, std::numeric_limits<float>::infinity(), NAN}) {
    rows.push_back(
        refused(OpId::batchNorm, "epsilon", {x, c, c, c, c}, BatchNormAttrs{bad}, epsilon(bad)));
    rows.push_back(
        refused(OpId::layerNorm, "epsilon", {x, c, c}, LayerNormAttrs{{-1}, bad}, epsilon(bad)));
  }
  rows.push_back(refused(OpId::batchNorm, "epsilon", {x, c, f32({2}), c, c}, BatchNormAttrs(),
                         "variance of shape [2] does not broadcast to x of [2,3]"));
  rows.push_back(refused(OpId::layerNorm, "axes", {x, c, c}, LayerNormAttrs{.axes = {2}},
                         "mean: axis 2 is outside a shape of rank 2"));
  Type at = i32({4});
  rows.push_back(refused(OpId::gather, "axis", {x, at}, GatherAttrs{.axis = 2},
                         "axis 2 is outside a shape of rank 2"));
  rows.push_back(refused(OpId::gather, "axis", {x, f32({4})}, GatherAttrs(),
                         "indices must be int32, got float32"));
  rows.push_back(refused(OpId::scatterAdd, "axis", {i32({2}), x},
                         ScatterAddAttrs{.axis = 2, .size = 4},
                         "axis 2 is outside a shape of rank 2"));
  rows.push_back(refused(OpId::scatterAdd, "size", {i32({2}), x}, ScatterAddAttrs{.size = -1},
                         "size must be at least 0, got -1"));
  rows.push_back(refused(OpId::oneHot, "depth", {at}, OneHotAttrs{.depth = 0},
                         "depth must be at least 1, got 0"));
  rows.push_back(refused(OpId::einsum, "equation", {x}, EinsumAttrs{.equation = "ij"},
                         "the equation must have one ->, as in \"ij,jk->ik\", got \"ij\""));
  rows.push_back(refused(OpId::randomUniform, "shape", {at}, RandomUniformAttrs{.shape = {2, -1}},
                         "the shape [2,-1] has a negative size"));
  rows.push_back(refused(OpId::randomUniform, "low", {at}, RandomUniformAttrs{.low = NAN},
                         "low must be a finite number, got NaN"));
  rows.push_back(refused(OpId::randomUniform, "high", {at}, RandomUniformAttrs{.low = 2, .high = 1},
                         "high must be a finite number of at least low, 2, got 1"));
  auto normal = [&]<class A>(OpId op, A a) {
    a.shape = {-1};
    rows.push_back(refused(op, "shape", {at}, a, "the shape [-1] has a negative size"));
    rows.push_back(refused(op, "mean", {at}, A{.mean = INFINITY},
                           "mean must be a finite number, got Infinity"));
    rows.push_back(refused(op, "stddev", {at}, A{.stddev = -1},
                           "stddev must be a finite number of at least 0, got -1"));
  };
  normal(OpId::randomNormal, RandomNormalAttrs());
  normal(OpId::truncatedNormal, TruncatedNormalAttrs());
  for (float bad : {-0.5f, 1.0f, 2.0f, NAN}) {
    rows.push_back(refused(OpId::dropout, "rate", {x, at}, DropoutAttrs{.rate = bad},
                           cat("rate must be a finite number from 0 to below 1, got ", bad)));
  }
  rows.push_back(refused(OpId::dropout, "rate", {i32({3}), at}, DropoutAttrs(),
                         "needs float32: cast it first"));
  return rows;
}

TEST(Attributes, ThatAnOpCannotBeAskedForAreRefusedInWords) {
  // Every number of the type is right.
  std::set<std::string> covered = {"oneHot.onValue",         "oneHot.offValue",
                                   "randomUniform.stream",   "randomNormal.stream",
                                   "truncatedNormal.stream", "dropout.stream"};
  for (const Refused& r : refusedValues()) {
    std::string got = refusal(r.op, r.in, r.attrs);
    std::string want = cat(opInfo(r.op).name, ": ", r.message);
    EXPECT_EQ(got.substr(0, want.size()), want);
    covered.insert(cat(opInfo(r.op).name, ".", r.attribute));
  }
  forEachOp([&](OpId op, auto attrs) {
    visitAttrs(attrs, [&]<class T>(const char* name, const T&) {
      // What the reader has taken is one of a few values, each of which is right.
      if (std::same_as<T, bool> || std::same_as<T, DType> || std::same_as<T, MirrorMode> ||
          std::same_as<T, FillMode>)
        return;
      EXPECT_TRUE(covered.contains(cat(opInfo(op).name, ".", name)))
          << opInfo(op).name << "." << name << ": which values are refused?";
    });
  });
}

// ---- arrays that cannot be

TEST(Shapes, BeyondWhatCanBeAreRefusedWhereverTheyComeFrom) {
  constexpr int32_t kMost = INT32_MAX;
  struct {
    const char* message;
    Value (*build)(Graph&);
  } cases[] = {
      {"input: the shape [65536,65536] has more than the ",
       [](Graph& g) { return g.input(f32({65536, 65536})); }},
      {"input: the shape [0,65536,65536] has more than the ",
       [](Graph& g) { return g.input(f32({0, 65536, 65536})); }},
      {"input: the shape [2,-3] has a negative size",
       [](Graph& g) { return g.input(f32({2, -3})); }},
      {"input: float16 is a type of files: it is cast to be computed with",
       [](Graph& g) { return g.input({DType::kF16, {2}}); }},
      {"pad: the shape [too large,3] has a size above 2147483647, or more than 8 axes",
       [](Graph& g) { return pad(g.input(f32({2, 3})), {.paddings = {kMost, kMost, 0, 0}}); }},
      {"add: the shape [65536,65536] has more than the ",
       [](Graph& g) { return g.input(f32({65536, 1})) + g.input(f32({65536})); }},
      {"broadcastTo: the shape [2147483647,2147483647] has more than the ",
       [](Graph& g) { return broadcastTo(g.input(f32({})), {.shape = {kMost, kMost}}); }},
      {"broadcastTo: the shape [2147483647,3] has more than the ",
       [](Graph& g) { return broadcastTo(g.constant(0), {.shape = {kMost, 3}}); }},
      {"tile: the shape [too large,3] has a size above 2147483647",
       [](Graph& g) { return tile(g.input(f32({2, 3})), {.reps = {kMost, 1}}); }},
      {"concat: the shape [too large] has a size above 2147483647",
       [](Graph& g) {
         Value x = broadcastTo(g.constant(0), {.shape = {1 << 28}});
         return concat(std::vector<Value>(8, x), {});
       }},
      {"oneHot: the shape [65536,65536] has more than the ",
       [](Graph& g) { return oneHot(g.input(i32({65536})), {.depth = 65536}); }},
      {"randomUniform: the shape [65536,65536] has more than the ",
       [](Graph& g) { return randomUniform(g.input(i32({4})), {.shape = {65536, 65536}}); }},
      {"scatterAdd: the shape [2147483647,3] has more than the ",
       [](Graph& g) {
         return scatterAdd(g.input(i32({2})), g.input(f32({2, 3})), {.size = kMost});
       }},
      {"matMul: the shape [65536,65536] has more than the ",
       [](Graph& g) { return matMul(g.input(f32({65536, 1})), g.input(f32({1, 65536}))); }},
      {"conv2d: the image with its padding: the shape [too large,too large,1] has a size",
       [](Graph& g) {
         return conv2d(g.input(f32({1, 5, 5, 1})), g.input(f32({3, 3, 1, 1})),
                       {.dilations = {kMost, (kMost - 1) / 2}, .padding = {Padding::kSame}});
       }},
      {"oneHot: the result would have 9 axes, at most 8 are possible",
       [](Graph& g) { return oneHot(g.input(i32(Shape::filled(8, 1))), {.depth = 2}); }},
      {"gather: the result would have 9 axes, at most 8 are possible",
       [](Graph& g) { return gather(g.input(f32(Shape::filled(8, 1))), g.input(i32({1, 1}))); }},
      {"stack: the result would have 9 axes, at most 8 are possible",
       [](Graph& g) { return stack({{g.input(f32(Shape::filled(8, 1)))}}); }},
      {"reshape: the shape [1,1,1,1,1,1,1,too large] has a size above 2147483647, or more than 8 "
       "axes",
       [](Graph& g) { return reshape(g.input(f32({1})), {.shape = {1, 1, 1, 1, 1, 1, 1, 1, 1}}); }},
  };
  for (const auto& c : cases) {
    Graph graph;
    EXPECT_FALSE(c.build(graph));
    ASSERT_FALSE(graph.status()) << c.message;
    std::string want = c.message;
    EXPECT_EQ(graph.status().error().message.substr(0, want.size()), want);
  }
}

TEST(Shapes, SizesDoNotOverflow) {
  EXPECT_GT(Shape::filled(8, INT32_MAX).size(), kMaxElements);
  EXPECT_LT(Shape({INT32_MIN, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}).size(), 0);
  EXPECT_EQ(Shape({INT32_MAX, INT32_MAX, INT32_MAX, 0}).size(), 0);
  Shape full = Shape::filled(8, 2);
  full.push(3);
  EXPECT_EQ(cat(full), "[2,2,2,2,2,2,2,too large]");
  EXPECT_EQ(cat(Shape{int64_t{1} << 40, -1}), "[too large,-1]");
}

// ---- types

// Letters: f float32, i int32, b bool, for each combination of operands in the order ff fi fb if ii ib
// bf bi bb (of one operand: f i b). From TensorFlow.js 4.22's CPU backend, but for what
// docs/tensorflowjs.md says is different: bools are numbers in arithmetic, and functions of real
// numbers give float32.
struct TypeRow {
  const char* types;
  std::vector<OpId> ops;
};

TEST(Types, AreThoseOfTensorFlowJs) {
  const TypeRow rows[] = {
      {"fii",
       {OpId::abs, OpId::neg, OpId::sign, OpId::square, OpId::round, OpId::floor, OpId::ceil,
        OpId::trunc, OpId::relu, OpId::relu6}},
      {"fff",
       {OpId::reciprocal, OpId::sqrt, OpId::rsqrt, OpId::exp, OpId::log, OpId::sin, OpId::tanh,
        OpId::sigmoid, OpId::erf, OpId::softplus, OpId::selu}},
      {"bbb", {OpId::isNaN, OpId::isInf, OpId::isFinite, OpId::logicalNot}},
      {"fffiiiiii", {OpId::step}},
      {"fffffffff", {OpId::atan2, OpId::leakyRelu, OpId::elu}},
      {"ffffiifii",
       {OpId::add, OpId::sub, OpId::mul, OpId::div, OpId::divNoNan, OpId::floorDiv, OpId::mod,
        OpId::pow, OpId::maximum, OpId::minimum, OpId::squaredDifference}},
      {"bbbbbbbbb",
       {OpId::equal, OpId::notEqual, OpId::less, OpId::greaterEqual, OpId::logicalAnd,
        OpId::logicalOr, OpId::logicalXor}},
      {"iiiiiiiii", {OpId::bitwiseAnd, OpId::bitwiseOr, OpId::bitwiseXor}},
      {"fii", {OpId::sum, OpId::prod, OpId::cumsum}},
      {"fib", {OpId::max, OpId::min}},
      {"iii", {OpId::argMax, OpId::argMin}},
  };
  const DType types[] = {DType::kF32, DType::kI32, DType::kBool};
  for (const TypeRow& row : rows) {
    for (OpId op : row.ops) {
      int arity = opArity(op), n = arity == 1 ? 3 : 9;
      std::string got;
      for (int i = 0; i < n; ++i) {
        Graph graph;
        Value a = graph.input({types[arity == 1 ? i : i / 3], {2}}),
              b = graph.input({types[i % 3], {2}});
        Value y = arity == 1 ? emit(op, {{a}}, Attrs::of(SumAttrs())) : emit(op, {{a, b}}, {});
        got += y ? name(y.dtype())[0] : '-';
      }
      EXPECT_EQ(got, row.types) << opInfo(op).name;
    }
  }
  Graph graph;
  Value f = graph.input(f32({2})), i = graph.input(i32({2})), b = graph.input(bools({2}));
  for (Value x : {f, i, b}) {
    EXPECT_EQ(clip(x, f, f).dtype(), x == f ? DType::kF32 : DType::kI32);
    for (Value y : {f, i, b}) {
      DType wider = x == f || y == f ? DType::kF32 : x == i || y == i ? DType::kI32 : DType::kBool;
      EXPECT_EQ(where(b, x, y).dtype(), wider);
    }
  }
}

// ---- what is folded is what is computed

/// The op of awkward constants, folded when the graph is built, and of the same numbers as inputs.
void expectFoldedAsComputed(OpId op, DType dtype, int arity, const Attrs& attrs) {
  const double kNumbers[] = {0.5,  -0.5,     0.0,       -0.0,   1,           -1,   3,
                             -2.5, INFINITY, -INFINITY, kTwo31, -kTwo31 - 1, kNaN, 1e10};
  constexpr int kCount = std::size(kNumbers), kAll = kCount * kCount;
  // Each fills a vector: that of sines is of one of two kinds, by the largest in it.
  Graph folded, computed;
  std::vector<Value> results, inputs;
  std::vector<Reference> numbers(arity, {{dtype, {kAll * kLanes}}, {}});
  for (int at = 0; at < kAll; ++at) {
    const int in[] = {at % kCount, at / kCount, (at * 5 + 3) % kCount};
    std::vector<Value> constants;
    for (int i = 0; i < arity; ++i) {
      constants.push_back(folded.constant(kNumbers[in[i]], dtype));
      // What memory has of it.
      numbers[i].values.insert(numbers[i].values.end(), kLanes,
                               *folded.constantValue(constants[i]));
    }
    results.push_back(emit(op, constants, attrs));
    ASSERT_NE(folded.constantValue(results[at]), nullptr);
  }
  std::vector<Tensor> tensors;
  for (const Reference& r : numbers) {
    inputs.push_back(computed.input(r.type));
    tensors.push_back(toTensor(r));
  }
  computed.output(emit(op, inputs, attrs));
  Threads one(1);
  auto y = evaluate(computed, tensors, one);
  ASSERT_TRUE(y) << y.error().message;
  for (int at = 0; at < kAll; ++at) {
    ASSERT_EQ((*y)[0].dtype(), results[at].dtype());
    uint32_t got = bitsOf(*folded.constantValue(results[at]), results[at].dtype());
    uint32_t want = (*y)[0].data<uint32_t>()[at * kLanes];
    bool floats = results[at].dtype() == DType::kF32;
    float x = std::bit_cast<float>(got), z = std::bit_cast<float>(want);
    // x + 0 is folded to x, also where that is -0.
    if (floats && ((std::isnan(x) && std::isnan(z)) || (x == 0 && z == 0))) continue;
    ASSERT_EQ(got, want) << opInfo(op).name << " of " << name(dtype) << "s "
                         << kNumbers[at % kCount] << " and " << kNumbers[at / kCount];
  }
}

TEST(Folding, GivesWhatIsComputed) {
  for (DType dtype : {DType::kF32, DType::kI32, DType::kBool}) {
    for (const RowChecks& row : rowChecks()) expectFoldedAsComputed(row.op, dtype, row.arity, {});
    for (DType to : {DType::kF32, DType::kI32, DType::kBool}) {
      if (to != dtype) expectFoldedAsComputed(OpId::cast, dtype, 1, Attrs::of(CastAttrs{to}));
    }
  }
}

/// One value, computed from constants that the planner does not see.
double valueOf(OpId op, const std::vector<double>& in, DType dtype, const Attrs& attrs = {}) {
  Graph graph;
  std::vector<Value> values;
  std::vector<Tensor> tensors;
  for (double x : in) {
    values.push_back(graph.input({dtype, {}}));
    tensors.push_back(toTensor({{dtype, {}}, {x}}));
  }
  Value y = emit(op, values, attrs);
  graph.output(y);
  Threads one(1);
  auto result = evaluate(graph, tensors, one);
  EXPECT_TRUE(result);
  if (!result) return kNaN;
  if (y.dtype() == DType::kF32) return (*result)[0].data<float>()[0];
  return (*result)[0].data<int32_t>()[0];
}

TEST(Casts, CutTowardsZeroAndStayInRange) {
  const std::pair<double, double> cases[] = {{2.7, 2},
                                             {-2.7, -2},
                                             {-0.0, 0},
                                             {kNaN, 0},
                                             {INFINITY, 2147483647},
                                             {-INFINITY, -2147483648.0},
                                             {kTwo31, 2147483647},
                                             {-kTwo31, -2147483648.0},
                                             {1e10, 2147483647},
                                             {2147483520, 2147483520}};
  for (auto [from, to] : cases)
    EXPECT_EQ(valueOf(OpId::cast, {from}, DType::kF32, Attrs::of(CastAttrs{DType::kI32})), to)
        << from;
}

TEST(Division, HasTheSignOfTheDivisorAndNoTraps) {
  struct {
    double a, b, mod;
  } floats[] = {
      {1, INFINITY, 1},
      {-1, INFINITY, INFINITY},
      {1, -INFINITY, -INFINITY},
      {-1, -INFINITY, -1},
      {5, -3, -1},
      {-5, 3, 1},
      {5.5, 2, 1.5},
      {0, INFINITY, 0},
      // A quotient of more digits than a float has, and one that is rounded to an integer.
      {1e9, 7, 6},
      {1e8, 7, 2},
      {-1e8, 7, 5},
      {1e38, 3, std::fmod(static_cast<double>(1e38f), 3)},
      {1, 0.1, 1 - 9 * static_cast<double>(0.1f)},
      {6, 0.2, 6 - 29 * static_cast<double>(0.2f)}};
  for (auto [a, b, mod] : floats)
    EXPECT_EQ(valueOf(OpId::mod, {a, b}, DType::kF32), static_cast<float>(mod)) << a << ", " << b;
  EXPECT_EQ(valueOf(OpId::floorDiv, {1, 0.1}, DType::kF32), 9);
  EXPECT_EQ(valueOf(OpId::floorDiv, {-0.6, 0.1}, DType::kF32), -7);
  EXPECT_EQ(valueOf(OpId::floorDiv, {1, 0}, DType::kF32), INFINITY);
  for (auto [a, b] : {std::pair(INFINITY, 2.0f), {1.0f, 0.0f}, {0.0f, 0.0f}})
    EXPECT_TRUE(std::isnan(valueOf(OpId::mod, {a, b}, DType::kF32))) << a << ", " << b;
  // The largest float below 1, thrice: the quotient of floats is 3.
  double below = 1 - 0x1p-24;
  EXPECT_GE(valueOf(OpId::mod, {3 * below, below}, DType::kF32), 0);
  struct {
    double a, b, mod, quotient, power;
  } ints[] = {{5, -3, -1, -2, 0}, {-5, 3, 1, -2, -125},      {-7, 2, 1, -4, 49},
              {5, 0, 5, 0, 1},    {0, -1, 0, 0, 0},          {-1, -3, -1, 0, -1},
              {-1, -2, -1, 0, 1}, {3, 21, 3, 0, 1870418611}, {INT32_MIN, -1, 0, INT32_MIN, 0}};
  for (auto [a, b, mod, quotient, power] : ints) {
    EXPECT_EQ(valueOf(OpId::mod, {a, b}, DType::kI32), mod) << a << ", " << b;
    EXPECT_EQ(valueOf(OpId::floorDiv, {a, b}, DType::kI32), quotient) << a << ", " << b;
    EXPECT_EQ(valueOf(OpId::div, {a, b}, DType::kI32), quotient) << a << ", " << b;
    EXPECT_EQ(valueOf(OpId::pow, {a, b}, DType::kI32), power) << a << ", " << b;
  }
}

// ---- indices

TEST(Indices, OutOfRangeFailTheRunWithTheirPlace) {
  struct {
    std::vector<double> at;
    std::string gathered, scattered;
  } cases[] = {
      {{0, 2, 1}, "", ""},
      {{0, 3, 7},
       "gather: the index value 3 at position 1 is not in [0, 2]",
       "scatterAdd: the index value 3 at position 1 is not in [0, 2]"},
      {{0, 1, -1}, "gather: the index value -1 at position 2 is not in [0, 2]", ""},
  };
  Threads two(2);
  for (const auto& c : cases) {
    std::vector<Tensor> tensors = {toTensor({f32({3, 2}), {1, 2, 3, 4, 5, 6}}),
                                   toTensor({i32({3}), c.at})};
    for (bool gathers : {true, false}) {
      Graph graph;
      Value x = graph.input(f32({3, 2})), at = graph.input(i32({3}));
      graph.output(gathers ? gather(x, at) : scatterAdd(at, x, {.size = 3}));
      auto y = evaluate(graph, tensors, two);
      EXPECT_EQ(y ? "" : y.error().message, gathers ? c.gathered : c.scattered);
    }
  }
}

TEST(Indices, OutOfRangeAssignNothingAndTheNextRunIsRight) {
  // Where nobody wants what is gathered, the gradient is the first to see the indices.
  for (bool gathers : {true, false}) {
    Graph graph;
    Value w = graph.input(f32({3})), state = graph.input(f32({2})), at = graph.input(i32({1}));
    graph.assign(state, state + 1.0);  // could be done before the look-up
    Value taken = gather(w, at);
    graph.output(gathers ? taken : state);
    graph.assign(w, w - grad(sum(taken), {{w}})[0]);
    Threads one(1);
    auto executor = Executor::make(*compile(graph), one);
    float weights[] = {1, 2, 3}, states[] = {0, 0}, out[2];
    int32_t index[] = {3};
    executor->bindInput(0, weights);
    executor->bindInput(1, states);
    executor->bindInput(2, index);
    executor->bindOutput(0, out);
    Status status = executor->run();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, cat(gathers ? "gather" : "scatterAdd",
                                          ": the index value 3 at position 0 is not in [0, 2]"));
    EXPECT_EQ(weights[2], 3);
    EXPECT_EQ(states[0], 0);
    index[0] = 2;
    EXPECT_TRUE(executor->run());
    EXPECT_EQ(weights[2], 2);
    EXPECT_EQ(states[0], 1);
  }
}

}  // namespace
}  // namespace fjord::testing
