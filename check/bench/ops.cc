// Speed of the engine's steps beside the machine's own limits, in the same moments: a bare
// multiply-add loop for products, for the rest a bare loop over as many bytes: one that reads for
// what reads weights once, a copy for what writes as much as it reads.
//
//   fjord_bench_ops [--threads 2] [--rounds 15] [--slice 4] [--list] [WORD...]
//
// prints a JSON object a line: {"group", "case", "threads", "ms", "rate", "limit"}, rates in 1e9
// operations (a multiply-add is two) or bytes a second, medians of the rounds. Words choose the
// cases that contain one of them. ops.mjs runs this natively and in Chromium and makes tables.
//
//   fjord_bench_ops --programs [--limits BINDINGS BINDING_BYTES BUFFER_BYTES GROUPS] [WORD...]
//
// times nothing and prints the same cases as programs for a GPU with such limits: programs.h.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/simd.h"
#include "problems.h"
#include "programs.h"
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
  bool list = false, programs = false;
  GpuLimits limits;
  std::vector<std::string> words;
};

int measure(const char* group, const Problem& p, const Options& options, Threads& threads,
            Limits& limits) {
  auto plan = compile(p.graph, {.threads = threads.count(), .winograd = true});
  if (!plan) return std::fprintf(stderr, "%s: %s\n", p.name.c_str(), plan.error().message.c_str());
  auto executor = Executor::make(std::move(*plan), threads);
  if (!executor) return std::fprintf(stderr, "%s\n", executor.error().message.c_str());
  std::vector<Tensor> inputs = drawInputs(p), outputs;
  const Plan& made = executor->plan();
  for (size_t i = 0; i < inputs.size(); ++i)
    executor->bindInput(static_cast<int>(i), inputs[i].data<float>());
  for (size_t i = 0; i < made.outputs.size(); ++i) {
    outputs.push_back(*Tensor::empty(made.outputs[i]));
    executor->bindOutput(static_cast<int>(i), outputs[i].data<float>());
  }

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
      group, p.name.c_str(), p.operations > 0 ? "GFLOP/s" : "GB/s", threads.count(), seconds * 1e3,
      work / seconds * 1e-9, median(ceilings));
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
  if (!options.list && !options.programs) limits.multiplyAdd(0.5);
  int failures = 0;
  for (const ProblemRow& row : problemRows()) {
    if (row.forGpu && !options.programs) continue;
    for (const std::vector<int>& sizes : row.sizes) {
      Problem p;
      row.build(p, sizes);
      std::string title = cat(row.group, ": ", p.name);
      if (!chosen(title, options)) continue;
      if (options.list) {
        std::printf("%s\n", title.c_str());
      } else if (options.programs) {
        std::printf("%s\n", programLine(row.group, p, options.limits, threads).c_str());
      } else if (measure(row.group, p, options, threads, limits)) {
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
    } else if (word == "--programs") {
      options.programs = true;
    } else if (word == "--limits") {
      options.limits.bindings = static_cast<int>(number());
      options.limits.bindingBytes = static_cast<int64_t>(number());
      options.limits.bufferBytes = static_cast<int64_t>(number());
      options.limits.groupsPerDimension = static_cast<int64_t>(number());
    } else {
      options.words.push_back(word);
    }
  }
  return fjord::run(options);
}
