// Data sets for the command line: a folder of idx files (MNIST and its kin) or CSV files.
#pragma once

#include <string>
#include <vector>

#include "nn/fit.h"

namespace fjord::cli {

/// Samples with what is known of each: a class for a network with several outputs, a number for one
/// with a single output.
struct Part {
  std::string source = {};  // the file or folder, for messages
  Tensor x = {};            // [samples, ..] float32
  Tensor classes = {};      // [samples] int32, empty where the labels are no classes
  Tensor numbers = {};      // [samples, 1] float32, empty where the labels are no numbers
  int32_t count() const { return x.shape()[0]; }
  /// Numbers in one sample.
  int64_t features() const { return x.size() / count(); }
};

struct DataSet {
  Part train = {}, test = {};        // test.x is empty where there is no test set
  std::vector<std::string> classes;  // the name of each; empty where they are numbers
  std::string label;                 // the column of a CSV
  int classCount = 0;
};

/// What a network makes of labels: several outputs tell classes apart, and so does one with the
/// binary cross-entropy.
enum class Labels { kClasses, kNumbers };

Labels labelsOf(int64_t outputs, std::string_view loss);
Labels labelsOf(const Model& model);

/// The folder's test part is left out if there is none; its training part must be there if `train`.
Result<DataSet> readIdxFolder(const std::string& folder, bool train);

/// `test` may be empty, and so may `train`. Without `classes` they are all labels that `train` has.
Result<DataSet> readCsvFiles(const std::string& train, const std::string& test,
                             const std::string& label, Labels labels,
                             const std::vector<std::string>& classes);

/// The text of one table; its labels are to be among the classes.
Result<Part> readCsvPart(const std::string& path, const std::string& text, const std::string& label,
                         Labels labels, const std::vector<std::string>& classes);

/// Samples [samples, ..] of as many numbers as the model's one input has, in its shape.
Tensor asInput(const Model& model, const Tensor& x);

/// The samples as the loss wants them: one-hot for several outputs, but for a sparse loss.
Result<Samples> samplesFor(const Model& model, const Part& part);

/// The classes of a model whose file names none: "0", "1", ..
std::vector<std::string> numberedClasses(int64_t outputs);

/// The name of a class.
std::string className(const std::vector<std::string>& classes, int number);

/// Numbers in a sample of the model's one input, or in its one output.
Result<int64_t> inputSize(const Model& model);
Result<int64_t> outputSize(const Model& model);

}  // namespace fjord::cli
