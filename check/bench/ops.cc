// Speed of the engine's steps beside the machine's own limits, in the same moments: a bare
// multiply-add loop for products, for the rest a bare loop over as many bytes: one that reads for
// what reads weights once, a copy for what writes as much as it reads.
//
//   fjord_bench_ops [--threads 2] [--rounds 15] [--slice 4] [--list] [WORD...]
//
// prints a JSON object a line: {"group", "case", "threads", "ms", "rate", "limit"}, rates in 1e9
// operations (a multiply-add is two) or bytes a second, medians of the rounds. Words choose the
// cases that contain one of them. ops.mjs runs this natively and in Chromium and makes tables.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/simd.h"
#include "run/cpu.h"

namespace fjord {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> v) {
  std::ranges::nth_element(v, v.begin() + v.size() / 2);
  return v[v.size() / 2];
}

// ---- what is measured

/// A graph and the work in it.
struct Problem {
  std::string group, name;
  Graph graph;
  double operations = 0;  // of multiply-adds; 0 where the work is moving bytes
  double bytes = 0;       // read and written, each array once
  bool reads = false;     // nearly all of them read

  Value input(const Shape& shape, bool isParameter = false) {
    Type type{DType::kF32, shape};
    Value v = isParameter ? graph.parameter(type) : graph.input(type);
    bytes += static_cast<double>(v.type().bytes());
    return v;
  }
  void output(Value v) {
    graph.output(v);
    bytes += static_cast<double>(v.type().bytes());
  }
};

using Build = void (*)(Problem&, const std::vector<int>&);
struct Row {
  const char* group;
  Build build;
  std::vector<std::vector<int>> sizes;
};

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
    Value y = matMul(x, p.input({x.shape()[1], units}, true), {}) + p.input({units}, true);
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
  // One image is a model that predicts: its weights stay as they are.
  Value x = p.input(s.x()), filter = p.input(s.filter(), s.n == 1);
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

template <Value (*op)(Value)>
void buildUnary(Problem& p, const std::vector<int>& s) {
  p.output(op(p.input({s[0]})));
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
  Value w = p.input({s[0]}), m = p.input({s[0]}), v = p.input({s[0]}), g = p.input({s[0]});
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
const Row kRows[] = {
    {"matMul large",
     buildMatMul,
     {{512, 512, 512, 0, 0},
      {1024, 1024, 1024, 0, 0},
      {1024, 1024, 1024, 1, 0},
      {1024, 1024, 1024, 0, 1},
      {1024, 1024, 1024, 1, 1}}},
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

// ---- the limits

/// Bare multiply-adds: independent chains enough to hide the latency of each. Returns how many
/// operations that was.
double multiplyAdds(int64_t loops, float* sink) {
  constexpr int kChains = 12;
  F32 acc[kChains], x = F32::load(sink), y = F32(1e-7);
  for (int i = 0; i < kChains; ++i) acc[i] = F32(0.1 * i);
  for (int64_t k = 0; k < loops; ++k) {
    for (int i = 0; i < kChains; ++i) acc[i] = mulAdd(x, y, acc[i]);
  }
  F32 total = acc[0];
  for (int i = 1; i < kChains; ++i) total = total + acc[i];
  total.store(sink);
  return 2.0 * kChains * kLanes * static_cast<double>(loops);
}

/// Adds up n floats, by vectors.
[[gnu::noinline]] F32 sumOf(const float* from, int64_t n) {
  constexpr int kChains = 8;
  F32 sums[kChains];
  unrolled<kChains>([&](auto i) { sums[i] = F32(0.0); });
  for (int64_t at = 0; at + kChains * kLanes <= n; at += kChains * kLanes)
    unrolled<kChains>([&](auto i) { sums[i] = sums[i] + F32::load(from + at + i * kLanes); });
  unrolled<kChains - 1>([&](auto i) { sums[0] = sums[0] + sums[i + 1]; });
  return sums[0];
}

struct Limits {
  Threads& threads;
  std::vector<float> from, to;

  /// 1e9 operations a second, all threads together.
  double multiplyAdd(double seconds) {
    std::vector<double> done(threads.count());
    float sinks[64][kLanes] = {};
    auto start = Clock::now();
    double spent = 0, operations = 0;
    do {
      threads.run(threads.count(),
                  [&](int part) { done[part] = multiplyAdds(20000, sinks[part]); });
      for (double d : done) operations += d;
      spent = secondsSince(start);
    } while (spent < seconds);
    return operations / spent * 1e-9;
  }

  /// 1e9 bytes a second, read and written, of a copy that moves as many bytes as the problem.
  double copy(double bytes, double seconds) {
    int64_t n = std::max<int64_t>(kLanes, static_cast<int64_t>(bytes / 8) / kLanes * kLanes);
    if (static_cast<int64_t>(to.size()) < n) to.assign(n, 0.0f);
    return 2 * stream(n, seconds, [&](int64_t begin, int64_t end, int) {
             std::memcpy(&to[begin], &from[begin], static_cast<size_t>(end - begin) * 4);
           });
  }

  /// 1e9 bytes a second of a loop that reads as many bytes as the problem.
  double read(double bytes, double seconds) {
    float sinks[64][kLanes] = {};
    return stream(static_cast<int64_t>(bytes / 4), seconds, [&](int64_t begin, int64_t end, int i) {
      (F32::load(sinks[i]) + sumOf(&from[begin], end - begin)).store(sinks[i]);
    });
  }

 private:
  /// 1e9 bytes a second at which work(begin, end, part) passes over n floats.
  template <class F>
  double stream(int64_t n, double seconds, const F& work) {
    if (static_cast<int64_t>(from.size()) < n) from.assign(n, 1.0f);
    auto start = Clock::now();
    double spent = 0, moved = 0;
    do {
      threads.forRange(n, 4096, work);
      moved += static_cast<double>(n) * 4;
      spent = secondsSince(start);
    } while (spent < seconds);
    return moved / spent * 1e-9;
  }
};

// ---- measuring

struct Options {
  int threads = 1, rounds = 15;
  double slice = 0.004;
  bool list = false;
  std::vector<std::string> words;
};

int measure(const Problem& p, const Options& options, Threads& threads, Limits& limits) {
  auto plan = compile(p.graph, {.threads = threads.count(), .winograd = true});
  if (!plan) return std::fprintf(stderr, "%s: %s\n", p.name.c_str(), plan.error().message.c_str());
  auto executor = Executor::make(std::move(*plan), threads);
  if (!executor) return std::fprintf(stderr, "%s\n", executor.error().message.c_str());
  std::vector<Tensor> tensors;
  auto allocate = [&](const Type& type) {
    tensors.push_back(*Tensor::empty(type));
    float* data = tensors.back().data<float>();
    for (int64_t i = 0; i < tensors.back().size(); ++i)
      data[i] = 0.25f + 0.5f * static_cast<float>(i * 2654435761u % 1024) / 1024;
    return data;
  };
  const Plan& made = executor->plan();
  for (size_t i = 0; i < made.inputs.size(); ++i)
    executor->bindInput(static_cast<int>(i), allocate(made.inputs[i]));
  for (size_t i = 0; i < made.outputs.size(); ++i)
    executor->bindOutput(static_cast<int>(i), allocate(made.outputs[i]));

  for (auto start = Clock::now(); secondsSince(start) < 10 * options.slice;) executor->run();
  auto limit = [&](double seconds) {
    if (p.operations > 0) return limits.multiplyAdd(seconds);
    return p.reads ? limits.read(p.bytes, seconds) : limits.copy(p.bytes, seconds);
  };
  std::vector<double> times, ceilings;
  for (int round = 0; round < options.rounds; ++round) {
    ceilings.push_back(limit(options.slice / 2));
    auto start = Clock::now();
    int runs = 0;
    double spent = 0;
    do {
      executor->run();
      ++runs;
      spent = secondsSince(start);
    } while (spent < options.slice);
    times.push_back(spent / runs);
  }
  double seconds = median(times), work = p.operations > 0 ? p.operations : p.bytes;
  std::printf(
      "{\"group\": \"%s\", \"case\": \"%s\", \"unit\": \"%s\", \"threads\": %d, \"ms\": %.6g, "
      "\"rate\": %.5g, \"limit\": %.5g}\n",
      p.group.c_str(), p.name.c_str(), p.operations > 0 ? "GFLOP/s" : "GB/s", threads.count(),
      seconds * 1e3, work / seconds * 1e-9, median(ceilings));
  std::fflush(stdout);
  return 0;
}

bool chosen(const std::string& title, const Options& options) {
  return options.words.empty() || std::ranges::any_of(options.words, [&](const std::string& word) {
           return title.find(word) != std::string::npos;
         });
}

int run(const Options& options) {
  Threads threads(options.threads);
  Limits limits{threads, {}, {}};
  // Long enough for a browser to have compiled the loop for good and for a processor to be awake.
  limits.multiplyAdd(0.5);
  int failures = 0;
  for (const Row& row : kRows) {
    for (const std::vector<int>& sizes : row.sizes) {
      Problem p;
      p.group = row.group;
      row.build(p, sizes);
      std::string title = p.group + ": " + p.name;
      if (!chosen(title, options)) continue;
      if (options.list) {
        std::printf("%s\n", title.c_str());
      } else if (measure(p, options, threads, limits)) {
        ++failures;
      }
    }
  }
  return failures ? 1 : 0;
}

}  // namespace
}  // namespace fjord

int main(int argc, char** argv) {
  fjord::Options options;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    auto number = [&] { return i + 1 < argc ? std::atof(argv[++i]) : 0; };
    if (word == "--threads") {
      options.threads = static_cast<int>(number());
    } else if (word == "--rounds") {
      options.rounds = static_cast<int>(number());
    } else if (word == "--slice") {
      options.slice = number() * 1e-3;
    } else if (word == "--list") {
      options.list = true;
    } else {
      options.words.push_back(word);
    }
  }
  return fjord::run(options);
}
