// The last published figures: check/bench/last/NAME.json, from which the tables of docs/bench.md are made. A run compares
// itself with them by ratios, which are what can be compared between days and machines.
//
//   finish('train', about(browser.version()), rows, options)     // at the end of a benchmark: --json, --save, regressions
//   node check/bench/last.mjs [NAME ROWS.json]                   // makes the tables of docs/bench.md anew, of an earlier run
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import {fileURLToPath} from 'node:url';

const folder = fileURLToPath(new URL('last', import.meta.url));
const page = fileURLToPath(new URL('../../docs/bench.md', import.meta.url));
const fileOf = (name) => `${folder}/${name}.json`;
const round = (value) => Number(value.toPrecision(3));

/** What the figures of a run depend on. */
export const about = (chromium) => ({
  date: new Date().toISOString().slice(0, 10),
  machine: `${os.availableParallelism()} cores of ${os.cpus()[0].model}`,
  chromium,
});

/** Rows as lines of a table: a title, columns, and the ratio that is compared from run to run. */
const kinds = {
  train: (rows) => frameworkLines(rows, (row) => row.title),
  'train-cnn': (rows) => frameworkLines(rows, (row) => row.title),
  infer: (rows) => frameworkLines(rows, (row) => row.model),
  ops: (rows) => {
    const lines = new Map();
    for (const row of rows) {
      const title = `${row.group}: ${row.case}`;
      const line = lines.get(title) ?? {title, unit: row.unit, columns: {}};
      const place = `${row.where}, ${row.threads} thread${row.threads > 1 ? 's' : ''}`;
      line.columns[place] = round((100 * row.rate) / row.limit);
      line.ratio = line.columns['chromium, 1 thread'];
      lines.set(title, line);
    }
    return [...lines.values()];
  },
};

function frameworkLines(rows, titleOf) {
  const lines = new Map();
  for (const row of rows) {
    const line = lines.get(titleOf(row)) ?? {title: titleOf(row), columns: {}};
    line.columns[row.name] = row.over ? `over ${row.over * 1e3}` : row.median && round(row.median);
    lines.set(line.title, line);
  }
  for (const line of lines.values()) {
    const [fjord, ...peers] = Object.entries(line.columns);
    const times = peers.filter(([name, time]) => time > 0 && !name.endsWith('(native)')).map(([, time]) => time);
    if (fjord[1] && times.length) line.ratio = round(Math.min(...times) / fjord[1]);
  }
  return [...lines.values()];
}

const published = (name) => (existsSync(fileOf(name)) ? JSON.parse(readFileSync(fileOf(name), 'utf8')).lines : []);

/** Cases whose ratio is more than a tenth below the last published one. */
function regressions(name, lines) {
  const last = new Map(published(name).map((line) => [line.title, line.ratio]));
  return lines.filter(({title, ratio}) => ratio < 0.9 * last.get(title)).map(({title, ratio}) => `${title}: ${ratio}, was ${last.get(title)}`);
}

/** Rows and columns of the published table that a run does not have: of one with --only, or without --native. */
function lacking(name, lines) {
  const namesOf = (list) => new Set(list.flatMap(({title, columns}) => [title, ...Object.keys(columns)]));
  const have = namesOf(lines);
  return [...namesOf(published(name))].filter((text) => !have.has(text));
}

/** Writes what the options ask for and says what has become slower; gives the exit status. */
export function finish(name, where, rows, {json, save, strict, peer}) {
  const lines = kinds[name](rows);
  if (json) writeFileSync(json, `${JSON.stringify({about: where, rows}, null, 1)}\n`);
  // Ratios to some of the peers are not those of the published table.
  const slower = peer ? [] : regressions(name, lines);
  if (slower.length) console.log(`\nmore than 10 % below the last published ratios:\n  ${slower.join('\n  ')}`);
  const gone = save ? lacking(name, lines) : [];
  if (gone.length) console.log(`\nnot saved: the published table has ${gone.join(', ')} too. To publish without, remove check/bench/last/${name}.json first`);
  else if (save) keep(name, where, lines);
  return strict && slower.length ? 1 : 0;
}

function keep(name, where, lines) {
  mkdirSync(folder, {recursive: true});
  writeFileSync(fileOf(name), `${JSON.stringify({about: where, lines}, null, 1)}\n`);
  writeTables();
}

/** One table of Markdown. */
function table(name) {
  const {about: {date, machine, chromium}, lines} = JSON.parse(readFileSync(fileOf(name), 'utf8'));
  const columns = Object.keys(lines[0].columns);
  const cells = (list) => `| ${list.join(' | ')} |`;
  const percent = name === 'ops' ? ' %' : '';
  const head = ['', ...columns, ...(name === 'ops' ? [] : ['fastest peer / Fjord'])];
  const body = lines.map(({title, columns: values, ratio}) =>
    cells([title, ...columns.map((c) => (values[c] ? `${values[c]}${percent}` : '-')), ...(name === 'ops' ? [] : [ratio ? `${ratio}x` : '-'])]),
  );
  return [`${date}, ${machine}, Chromium ${chromium}:`, '', cells(head), cells(head.map(() => '---')), ...body].join('\n');
}

function writeTables() {
  const text = Object.keys(kinds)
    .filter((name) => existsSync(fileOf(name)))
    .reduce(
      (text, name) => text.replace(new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- end -->)`), (_, begin, end) => `${begin}${table(name)}\n${end}`),
      readFileSync(page, 'utf8'),
    );
  writeFileSync(page, text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, rows] = process.argv.slice(2);
  if (rows) {
    const run = JSON.parse(readFileSync(rows, 'utf8'));
    keep(name, run.about, kinds[name](run.rows));
  } else {
    writeTables();
  }
}
