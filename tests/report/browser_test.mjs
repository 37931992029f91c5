// Opens report.html in headless Chromium with the network cut and checks what a reader sees.
//   node browser_test.mjs FOLDER_OF_A_RUN CHROMIUM [FOLDER_FOR_SCREENSHOTS]
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Browser } from './browser.mjs';

const [folder, program, pictures] = process.argv.slice(2);
const file = resolve(folder, 'report.html');
const result = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'));
let failures = 0;

function check(law, holds, found = '') {
  console.log(`${holds ? 'ok   ' : 'FAIL '} ${law}${found === '' ? '' : ` (${found})`}`);
  if (!holds) failures += 1;
}

const browser = await Browser.start(program);
const complaints = [];
const requests = [];
browser.on((method, params) => {
  if (method === 'Runtime.exceptionThrown') complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
  if (method === 'Runtime.consoleAPICalled' && ['error', 'warning'].includes(params.type)) complaints.push(params.args.map((a) => a.value ?? a.description).join(' '));
  if (method === 'Log.entryAdded' && ['error', 'warning'].includes(params.entry.level)) complaints.push(params.entry.text);
  if (method === 'Network.requestWillBeSent' && /^(https?|ws|ftp)/.test(params.request.url)) requests.push(params.request.url);
});

async function drawn() {
  for (let i = 0; i < 300; ++i) {
    const ms = await browser.evaluate('document.documentElement?.dataset.drawn');
    if (ms !== undefined) return Number(ms);
    await new Promise((done) => { setTimeout(done, 50); });
  }
  throw new Error('the page did not finish drawing in 15 s');
}

async function shot(name, clip) {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  writeFileSync(join(pictures, `${name}.png`), await browser.screenshot(clip));
}

// Per chart: the share of pixels that are painted, and in how many colours; of its fullest layer,
// for a chart may be several canvases.
const CANVASES = `[...document.querySelectorAll('figure')].map((f) => [...f.querySelectorAll('canvas')].map((canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const colors = new Set();
  let painted = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 0) { painted += 1; if (colors.size < 64) colors.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]); }
  return { name: f.dataset.chart, painted: painted / (data.length / 4), colors: colors.size };
}).reduce((a, b) => (b.painted > a.painted ? b : a), { name: f.dataset.chart, painted: 0, colors: 0 }))`;

// The numbers of a table on the page, row by row.
const cells = (selector) => `[...document.querySelectorAll(${JSON.stringify(selector)} + ' tbody tr')].map((r) => [...r.cells].map((c) => c.dataset.value === undefined ? c.textContent : Number(c.dataset.value)))`;

try {
  await browser.send('Performance.enable', { timeDomain: 'threadTicks' });
  await browser.open(pathToFileURL(file).href, { width: 1440 });
  const ms = await drawn();
  const size = statSync(file).size;
  check('the report is smaller than 3 MB', size < 3e6, `${(size / 1e6).toFixed(2)} MB`);
  // Processor time of the page's thread from opening to the last chart: what a reader waits on a
  // machine that is not busy otherwise, whatever else runs beside the test.
  const { metrics } = await browser.send('Performance.getMetrics');
  const worked = metrics.find((m) => m.name === 'ThreadTime').value;
  check('all charts are drawn with 2 s of work', worked < 2, `${worked.toFixed(2)} s of processor time, ${ms} ms by the clock`);

  const canvases = await browser.evaluate(CANVASES);
  const blank = canvases.filter((c) => c.painted < 0.01 || c.colors < 4).map((c) => c.name);
  check('no canvas is blank', canvases.length > 0 && blank.length === 0, blank.join(' ') || `${canvases.length} charts`);
  await shot('wide');

  const table = await browser.evaluate(cells('#percentiles'));
  const expected = Object.values(result.metrics).map((m) => [m.mean, m.p50, m.p90, m.p99, m.max]);
  check('the percentile table equals result.json', JSON.stringify(table.map((r) => r.slice(1, 6))) === JSON.stringify(expected), `${table.length} rows`);
  check('... and its counts', JSON.stringify(table.map((r) => r[7])) === JSON.stringify(Object.values(result.metrics).map((m) => m.count)));

  // Every chart has a table with numbers; those of links and GPUs are result.json's.
  await browser.evaluate(`document.querySelectorAll('figure button[aria-pressed]').forEach((b) => b.click())`);
  const empty = await browser.evaluate(`[...document.querySelectorAll('figure')].filter((f) => f.querySelectorAll('td[data-value]').length === 0).map((f) => f.dataset.chart)`);
  check('every chart has a table view with numbers', empty.length === 0, empty.join(' '));
  for (const list of ['links', 'gpus']) {
    const shown = await browser.evaluate(cells(`#chart-${list}`));
    check(`the table of ${list} equals result.json`, JSON.stringify(shown) === JSON.stringify(result[list].map((item) => Object.values(item))), `${shown.length} rows`);
  }
  const blamed = await browser.evaluate(cells('#chart-blame_e2el'));
  const entries = [...result.blame, ...result.phases].filter((b) => b.metric === 'e2el');
  const sums = blamed.at(-1).slice(1);
  check('the causes add up to the latency', entries.every((b, i) => Math.abs(sums[i] - b.latency_s) <= 1e-9 * b.latency_s), sums.join(', '));
  await browser.evaluate(`document.querySelectorAll('figure button[aria-pressed]').forEach((b) => b.click())`);

  // Names from scenarios stay text.
  const tenants = await browser.evaluate(`(() => { document.querySelector('#chart-tenants_ttft button[aria-pressed]').click(); const t = ${cells('#chart-tenants_ttft')}.map((r) => r[0]); document.querySelector('#chart-tenants_ttft button[aria-pressed]').click(); return t; })()`);
  check('a tenant named <script> stays text', JSON.stringify(tenants) === JSON.stringify(result.tenants.map((t) => t.name)), tenants.join(' | '));
  check('the page holds only its own scripts', await browser.evaluate('document.scripts.length') === 4);

  const verdicts = await browser.evaluate(`[...document.querySelectorAll('[data-slo]')].map((v) => [v.dataset.slo, v.classList.contains('met')])`);
  check('the verdicts are those of result.json', JSON.stringify(verdicts) === JSON.stringify(result.slo.map((s) => [s.name, s.met])));

  // The views of a chart.
  const views = await browser.evaluate(`[...document.querySelectorAll('figure select')].map((s) => { for (const o of [s.options[s.options.length - 1], s.options[0]]) { s.value = o.value; s.dispatchEvent(new Event('change')); } return s.options.length; })`);
  check('every view of every chart can be chosen', views.every((n) => n > 1), `${views.length} selections`);

  await browser.evaluate(`document.getElementById('theme').click()`);
  check('the toggle changes to dark', await browser.evaluate(`getComputedStyle(document.body).backgroundColor`) === 'rgb(14, 18, 23)');
  await browser.evaluate(`document.getElementById('theme').click()`);

  for (const [name, view] of Object.entries({ narrow: { width: 420 }, laptop: { width: 1200 }, dark: { width: 1440, dark: true } })) {
    await browser.open(pathToFileURL(file).href, view);
    await browser.evaluate('localStorage.clear()').catch(() => {});
    await browser.open(pathToFileURL(file).href, view);
    await drawn();
    const wider = await browser.evaluate('document.documentElement.scrollWidth - innerWidth');
    check(`the page is no wider than the window: ${name}`, wider <= 0, `${wider} px`);
    await shot(name);
  }
  await browser.open(pathToFileURL(file).href, { width: 760 });
  await drawn();
  if (pictures) {
    const { data } = await browser.send('Page.printToPDF', { printBackground: true, preferCSSPageSize: true });
    writeFileSync(join(pictures, 'print.pdf'), Buffer.from(data, 'base64'));
  }
} catch (error) {
  check(`the test runs to its end: ${error.stack}`, false);
} finally {
  await browser.stop();
}
check('the console shows no error and no warning', complaints.length === 0, complaints.slice(0, 5).join(' | '));
check('nothing is asked of the network', requests.length === 0, requests.join(' '));
process.exit(failures === 0 ? 0 : 1);
