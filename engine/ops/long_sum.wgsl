// The sum, or what else join(a, b) makes, of very many terms, pairwise (ops/long_sum.h says what is wrong
// with one accumulator): runs of 32 terms, and parts[k] with 2^k runs where bit k of their number is set. Of
// few terms there is the run alone: kParts is 1 then. Whoever includes this defines Number, start() and
// join(a, b).
struct LongSum {
  run: Number,
  terms: u32,
  parts: array<Number, kParts>,
}
fn grow(s: ptr<function, LongSum>, term: Number) {
  (*s).run = join((*s).run, term);
  if (kParts == 1u) { return; }
  (*s).terms++;
  if ((*s).terms % 32u != 0u) { return; }
  var sum = (*s).run;
  var k = 0u;
  for (var runs = (*s).terms / 32u - 1u; (runs & 1u) == 1u; runs >>= 1u) {
    sum = join((*s).parts[k], sum);
    k++;
  }
  (*s).parts[k] = sum;
  (*s).run = start();
}
fn totalOf(s: ptr<function, LongSum>) -> Number {
  var sum = (*s).run;
  if (kParts == 1u) { return sum; }
  var k = 0u;
  for (var runs = (*s).terms / 32u; runs != 0u; runs >>= 1u) {
    if ((runs & 1u) == 1u) { sum = join((*s).parts[k], sum); }
    k++;
  }
  return sum;
}
