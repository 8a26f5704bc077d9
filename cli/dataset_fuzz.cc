// Any two CSV files as the command line reads them, one to train with and one to test with: refused
// in words, or parts whose labels fit their samples and, where the sizes do, a model. The first byte
// says what labels are wanted, 0xff parts the files.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "dataset.h"

using namespace fjord;
using namespace fjord::cli;

namespace {

/// A file that is nowhere on the disk.
class MemoryFile {
 public:
  std::string with(std::string_view text) {
    if (ftruncate(file_, 0) != 0 ||
        pwrite(file_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
      std::abort();
    // By this name it may be read again and again; /proc/self/fd is for what gives its bytes once.
    return cat("/proc/thread-self/fd/", file_);
  }

 private:
  int file_ = memfd_create("csv", 0);
};

void demand(bool is) {
  if (!is) std::abort();
}

void examine(const Part& part, const DataSet& set) {
  if (!part.x) return;
  demand(part.count() > 0 && part.features() >= 0);
  if (part.classes) {
    demand(part.classes.shape() == Shape{part.count()});
    for (int32_t label : part.classes.span<int32_t>()) demand(label >= 0 && label < set.classCount);
  }
  if (part.numbers) demand(part.numbers.shape() == Shape{part.count(), 1});
}

std::unique_ptr<Model> modelOf(Threads& threads, int units, const char* loss) {
  Json layer = {{"class_name", "Dense"},
                {"config", {{"units", units}, {"batch_input_shape", {nullptr, 2}}}}};
  auto model = Model::fromJson({{"class_name", "Sequential"}, {"config", {{"layers", {layer}}}}},
                               threads, {.seed = 1});
  demand(model.has_value() && (*model)->compile({{"optimizer", "sgd"}, {"loss", loss}}));
  return std::move(*model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  static MemoryFile first, second;
  static Threads threads(1);
  static std::unique_ptr<Model> numbers = modelOf(threads, 1, "mse"),
                                classes = modelOf(threads, 3, "categoricalCrossentropy");
  std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  size_t parted = std::min(text.find('\xff'), text.size());
  bool hasTest = parted < text.size();
  constexpr const char* kLabels[] = {"last", "", "b"};
  Labels labels = bytes[0] & 4 ? Labels::kNumbers : Labels::kClasses;
  std::string train = first.with(text.substr(0, parted));
  std::string test = hasTest ? second.with(text.substr(parted + 1)) : "";
  Result<DataSet> set = readCsvFiles(train, test, kLabels[bytes[0] % 3], labels, {});
  if (!set) return set.error().message.empty() ? std::abort(), 0 : 0;
  examine(set->train, *set);
  examine(set->test, *set);
  if (kLabels[bytes[0] % 3][0] == 0) return 0;
  const Model& model = labels == Labels::kNumbers ? *numbers : *classes;
  Result<Samples> samples = samplesFor(model, set->train);
  if (!samples) return samples.error().message.empty() ? std::abort(), 0 : 0;
  demand(samples->y.at(0).shape()[0] == set->train.count());
  return 0;
}
