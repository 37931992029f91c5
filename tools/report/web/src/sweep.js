// The page of a sweep: latency against a key, heat maps of two keys, cost against latency.
// data-sweep: {scenario, keys: [key], figures: [{tag, header, unit}], runs: [{settings: [text], figures: [number | null], error}]}.
import { CanvasRenderer } from 'echarts/renderers';
import { h } from './dom.js';
import { use } from './echarts.js';
import { Figure, tableElement } from './figure.js';
import { base, categoryAxis, heatMap, legend, scaleFor, tip, valueAxis, withUnit } from './options.js';
import { themes } from './theme.js';

use([CanvasRenderer]);

const sweep = JSON.parse(document.getElementById('data-sweep').textContent);
const done = sweep.runs.filter((r) => !r.error);
const axes = sweep.keys.map((key, index) => ({ key, index, values: [...new Set(sweep.runs.map((r) => r.settings[index]))] })).filter((a) => a.values.length > 1);
const figureOf = (tag) => sweep.figures.findIndex((f) => f.tag === tag);
const drawn = sweep.figures.filter((f, i) => done.some((r) => r.figures[i] !== null));
const choices = drawn.map((f) => [f.tag, f.header]);
const first = ['tpot_p99', 'ttft_p99'].find((tag) => drawn.some((f) => f.tag === tag)) ?? drawn[0]?.tag;
const mean = (values) => { const v = values.filter((x) => x !== null); return v.length ? v.reduce((a, b) => a + b, 0) / v.length : null; };
const MOST_LINES = 12;

// "router.skew" and 0.3 -> "skew 0.3"; a name that another key ends in too stays whole.
const brief = (key) => { const last = key.split('.').at(-1); return sweep.keys.filter((k) => k.split('.').at(-1) === last).length > 1 ? key : last; };
const settingsText = (run, of = axes) => of.map((a) => `${brief(a.key)} ${run.settings[a.index]}`).join(', ');

// One line per combination of the other keys; too many: their mean.
function lines(axis, f) {
  const others = axes.filter((a) => a !== axis);
  const name = (r) => settingsText(r, others);
  const names = [...new Set(done.map(name))];
  const at = (of, value) => mean(of.filter((r) => r.settings[axis.index] === value).map((r) => r.figures[f]));
  if (names.length > MOST_LINES) return [{ name: `mean of ${names.length} combinations`, values: axis.values.map((v) => at(done, v)) }];
  return names.map((n) => ({ name: n || 'all runs', values: axis.values.map((v) => at(done.filter((r) => name(r) === n), v)) }));
}

function lineChart(axis) {
  return {
    name: `by_${axis.key}`, title: `Against ${axis.key}`, width: 'full', caption: 'One line per combination of the other keys.',
    build: (_, choice = first) => {
      const f = figureOf(choice);
      const { header, unit } = sweep.figures[f];
      const all = lines(axis, f);
      const scale = scaleFor(Math.max(...all.flatMap((l) => l.values)), unit);
      return {
        choices, choice, height: 380,
        table: () => ({ columns: [{ label: axis.key }, ...all.map((l) => ({ label: l.name, unit }))], rows: axis.values.map((v, i) => [v, ...all.map((l) => l.values[i])]) }),
        option: ({ theme }) => ({
          ...base(theme), legend: legend(theme, all.map((l) => l.name)),
          xAxis: categoryAxis(theme, axis.key, '', axis.values), yAxis: valueAxis(theme, header, scale.unit, { min: 0 }),
          tooltip: { ...base(theme).tooltip, trigger: 'item', formatter: (p) => tip(`${axis.key} = ${p.name}`, [[p.seriesName, withUnit(p.data * scale.factor, unit), p.color]]) },
          series: all.map((l) => ({ name: l.name, type: 'line', symbolSize: 7, connectNulls: true, data: l.values.map((v) => (v === null ? null : v / scale.factor)) })),
        }),
      };
    },
  };
}

// Where the colours of a map begin: at its least cell, so that differences are seen.
function leastOf(values) {
  const known = values.filter((v) => v !== null);
  const least = Math.min(...known);
  return known.length > 0 && least < Math.max(...known) ? least : 0;
}

function heatChart(rows, columns) {
  return {
    name: `${rows.key}_${columns.key}`, title: `${rows.key} and ${columns.key}`, width: 'full', caption: 'Mean over the other keys.',
    build: (_, choice = first) => {
      const f = figureOf(choice);
      const grid = {
        rows: { name: rows.key, unit: '', size: rows.values.length, start: 0, step: 1, labels: rows.values },
        columns: { name: columns.key, unit: '', size: columns.values.length, start: 0, step: 1, labels: columns.values },
        value: sweep.figures[f].header, unit: sweep.figures[f].unit,
        values: rows.values.flatMap((r) => columns.values.map((c) => mean(done.filter((run) => run.settings[rows.index] === r && run.settings[columns.index] === c).map((run) => run.figures[f])))),
      };
      const table = () => ({ columns: [{ label: `${rows.key} \\ ${columns.key}` }, ...columns.values.map((label) => ({ label, unit: grid.unit }))], rows: rows.values.map((label, r) => [label, ...grid.values.slice(r * columns.values.length, (r + 1) * columns.values.length)]) });
      return { choices, choice, height: Math.min(560, 160 + 26 * rows.values.length), table, option: (ctx) => heatMap(ctx, grid, { min: leastOf(grid.values) }) };
    },
  };
}

// Runs that no other run beats in both.
const front = (points) => points.filter((p) => !points.some((q) => q.cost <= p.cost && q.value <= p.value && (q.cost < p.cost || q.value < p.value))).sort((a, b) => a.cost - b.cost);

const pareto = {
  name: 'pareto', title: 'Cost against latency', width: 'full', caption: 'Each point is a run; the line joins those that no other run beats in both.',
  build: (_, choice = first) => {
    const f = figureOf(choice);
    const cost = figureOf('usd_per_million_tokens');
    const points = done.map((r) => ({ cost: r.figures[cost], value: r.figures[f], label: settingsText(r) })).filter((p) => p.cost > 0 && p.value !== null);
    if (points.length === 0) return null;
    const { header, unit } = sweep.figures[f];
    const scale = scaleFor(Math.max(...points.map((p) => p.value)), unit);
    const data = (list) => list.map((p) => ({ name: p.label, value: [p.cost, p.value / scale.factor] }));
    return {
      choices: choices.filter(([tag]) => /_p(50|99)$/.test(tag)), choice, height: 380,
      table: () => ({ columns: [{ label: 'Run' }, { label: 'USD per million tokens', unit: '' }, { label: header, unit }], rows: points.map((p) => [p.label, p.cost, p.value]) }),
      option: ({ theme }) => ({
        ...base(theme), xAxis: valueAxis(theme, 'USD per million tokens', '', { scale: true, nameGap: 28 }), yAxis: valueAxis(theme, header, scale.unit, { scale: true }),
        tooltip: { ...base(theme).tooltip, trigger: 'item', formatter: (p) => tip(p.name, [['USD per million tokens', withUnit(p.value[0], '')], [header, withUnit(p.value[1] * scale.factor, unit), p.color]]) },
        series: [{ type: 'scatter', symbolSize: 9, data: data(points) }, { type: 'line', symbolSize: 9, data: data(front(points)) }],
      }),
    };
  },
};

function runsTable() {
  const columns = [...sweep.keys.map((label) => ({ label })), ...sweep.figures.map((f) => ({ label: f.header, unit: f.unit })), { label: 'Error' }];
  return tableElement({ columns, rows: sweep.runs.map((r) => [...r.settings, ...r.figures, r.error || '']) }, { class: 'runs' });
}

const system = matchMedia('(prefers-color-scheme: dark)');
const theme = () => (system.matches ? themes.dark : themes.light);
const charts = [...axes.map(lineChart), ...axes.flatMap((a, i) => axes.slice(i + 1).map((b) => heatChart(a, b))), pareto];
const figures = done.length === 0 ? [] : charts.filter((c) => c.build({}, undefined)).map((c) => new Figure(c, {}));
const failed = sweep.runs.length - done.length;
document.title = `${sweep.scenario} · sweep · moesim`;
document.body.append(h('div', { class: 'page', style: 'display:block;max-width:1200px;margin:auto' }, h('main', {},
  h('header', {}, h('div', {}, h('h1', {}, `${sweep.scenario}: sweep`), h('p', {}, `${sweep.runs.length} runs over ${sweep.keys.join(', ')}${failed ? `; ${failed} failed` : ''}`))),
  h('section', { style: 'margin-top:16px' }, h('div', { class: 'cards' }, figures.map((f) => f.element))),
  h('section', {}, h('h2', {}, 'Runs'), h('div', { style: 'overflow-x:auto' }, runsTable())))));
for (const figure of figures) figure.draw(theme());
system.addEventListener('change', () => figures.forEach((f) => f.redraw(theme())));
addEventListener('resize', () => figures.forEach((f) => f.resize()));
document.documentElement.dataset.drawn = '1';
