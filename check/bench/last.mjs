// The last published figures: check/bench/last/PROCESSOR/NAME.json, from which the tables of docs/bench.md are made, one for each
// processor (amd-epyc, intel-xeon). A run compares itself with those of its own processor, by ratios, which are what can be compared
// between days and machines of one kind.
//
//   finish('train', about(browser.version()), rows, options)     // at the end of a benchmark: --json, --save, regressions
//   node check/bench/last.mjs [NAME ROWS.json]                   // makes the tables of docs/bench.md anew, of an earlier run
import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import {fileURLToPath} from 'node:url';

const folder = fileURLToPath(new URL('last', import.meta.url));
const page = fileURLToPath(new URL('../../docs/bench.md', import.meta.url));
const fileOf = (name, processor) => `${folder}/${processor}/${name}.json`;
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const round = (value) => Number(value.toPrecision(3));

/** What the figures of a run depend on. */
export const about = (chromium) => ({
  date: new Date().toISOString().slice(0, 10),
  machine: `${os.availableParallelism()} cores of ${os.cpus()[0].model.replace(/\((R|TM)\)/g, '')}`,
  chromium,
});

/** The maker and the family, which say how wide a product is: "2 cores of Intel Xeon Processor" is intel-xeon. */
const processorOf = ({machine}) => machine.replace(/.* cores of /, '').split(' ').slice(0, 2).join('-').toLowerCase();

/** How many times longer the fastest of some columns takes than Fjord, which is the first. */
function ratioTo(columns, counts) {
  const [[, fjord], ...peers] = Object.entries(columns);
  const times = peers.filter(([name, time]) => time > 0 && counts(name)).map(([, time]) => time);
  return fjord && times.length ? round(Math.min(...times) / fjord) : undefined;
}

const inBrowser = (name) => !name.endsWith('(native)');
/** TensorFlow.js has a row for each backend and kind of model: its best is the fastest of them. */
export const isTfjs = (name) => name.startsWith('tfjs ');

/** Rows as lines of a table: a title, columns, the ratio that is compared from run to run, and that to TensorFlow.js's best. */
const kinds = {
  train: (rows) => frameworkLines(rows, (row) => row.title),
  'train-cnn': (rows) => frameworkLines(rows, (row) => row.title),
  infer: (rows) => frameworkLines(rows, (row) => row.model).map((line) => ({...line, tfjs: ratioTo(line.columns, isTfjs)})),
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
  for (const line of lines.values()) line.ratio = ratioTo(line.columns, inBrowser);
  return [...lines.values()];
}

const published = (file) => (existsSync(file) ? read(file).lines : []);

/** Cases whose ratio is more than a tenth below the last published one. */
function regressions(file, lines) {
  const last = new Map(published(file).map((line) => [line.title, line.ratio]));
  return lines.filter(({title, ratio}) => ratio < 0.9 * last.get(title)).map(({title, ratio}) => `${title}: ${ratio}, was ${last.get(title)}`);
}

/** Rows and columns of the published table that a run does not have: of one with --only, or without --native. */
function lacking(file, lines) {
  const namesOf = (list) => new Set(list.flatMap(({title, columns}) => [title, ...Object.keys(columns)]));
  const have = namesOf(lines);
  return [...namesOf(published(file))].filter((text) => !have.has(text));
}

/** Writes what the options ask for and says what has become slower; gives the exit status. */
export function finish(name, where, rows, {json, save, strict, peer}) {
  const lines = kinds[name](rows);
  const file = fileOf(name, processorOf(where));
  if (json) writeFileSync(json, `${JSON.stringify({about: where, rows}, null, 1)}\n`);
  if (!existsSync(file)) console.log(`\nno figures of ${processorOf(where)} are published: there are no ratios to compare with`);
  // Ratios to some of the peers are not those of the published table.
  const slower = peer ? [] : regressions(file, lines);
  if (slower.length) console.log(`\nmore than 10 % below the last published ratios:\n  ${slower.join('\n  ')}`);
  const gone = save ? lacking(file, lines) : [];
  if (gone.length) console.log(`\nnot saved: the published table has ${gone.join(', ')} too. To publish without, remove ${file} first`);
  else if (save) keep(name, where, rows);
  return strict && slower.length ? 1 : 0;
}

/** Publishes a run, with the version and the number of threads of each framework as it told them. */
function keep(name, where, rows) {
  const file = fileOf(name, processorOf(where));
  const frameworks = Object.fromEntries(rows.filter((row) => row.about).map((row) => [row.name, row.about]));
  mkdirSync(`${folder}/${processorOf(where)}`, {recursive: true});
  writeFileSync(file, `${JSON.stringify({about: {...where, frameworks}, lines: kinds[name](rows)}, null, 1)}\n`);
  writeTables();
}

/** One table of Markdown. */
function table(name, file) {
  const {about: {date, machine, chromium, frameworks = {}}, lines} = read(file);
  const columns = Object.keys(lines[0].columns);
  const cells = (list) => `| ${list.join(' | ')} |`;
  const percent = name === 'ops' ? ' %' : '';
  // The ratio of an op is one of its columns.
  const titles = name === 'ops' ? {} : {ratio: 'fastest peer / Fjord', tfjs: 'TensorFlow.js / Fjord'};
  const ratios = Object.entries(titles).filter(([key]) => lines.some((line) => line[key]));
  const head = ['', ...columns, ...ratios.map(([, title]) => title)];
  const body = lines.map((line) =>
    cells([line.title, ...columns.map((c) => (line.columns[c] ? `${line.columns[c]}${percent}` : '-')), ...ratios.map(([key]) => (line[key] ? `${line[key]}x` : '-'))]),
  );
  const told = Object.entries(frameworks).map(([name, about]) => `${name}: ${about}`).join('; ');
  return [`${date}, ${machine}, Chromium ${chromium}${told && `. ${told}`}:`, '', cells(head), cells(head.map(() => '---')), ...body].join('\n');
}

function writeTables() {
  const tables = (name) => {
    const files = readdirSync(folder).map((processor) => fileOf(name, processor));
    return files.filter(existsSync).map((file) => table(name, file)).join('\n\n');
  };
  const text = Object.keys(kinds).reduce(
    (text, name) => text.replace(new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- end -->)`), (_, begin, end) => `${begin}${tables(name)}\n${end}`),
    readFileSync(page, 'utf8'),
  );
  writeFileSync(page, text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, rows] = process.argv.slice(2);
  if (rows) {
    const run = read(rows);
    keep(name, run.about, run.rows);
  } else {
    writeTables();
  }
}
