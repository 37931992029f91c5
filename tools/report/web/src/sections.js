// The page's sections in their order: what each is called, which charts it shows and what stands
// beside them.
import { charts } from './charts/index.js';
import { culprits } from './charts/blame.js';
import { h } from './dom.js';
import { tableElement } from './figure.js';
import { objectsTable, objectTable } from './tables.js';
import { withUnit } from './units.js';
import { promise } from './words.js';

const HEADERS = {
  ttft: 'Time to first token', tpot: 'Time per output token', itl: 'Inter-token latency', e2el: 'End to end', queue_time: 'Queue time', step_time: 'Step',
  attention_time: 'Attention per step', dispatch_time: 'Dispatch per step', expert_time: 'Experts per step', combine_time: 'Combine per step', host_time: 'Host per step',
};
const STATS = ['mean', 'p50', 'p90', 'p99', 'max'];

function verdicts({ result }) {
  const slo = result.slo ?? [];
  if (slo.length === 0) return null;
  return h('div', { class: 'verdicts' }, slo.map((s) => {
    const part = Math.min(1.5, s.value_s / s.limit_s);
    return h('div', { class: `verdict ${s.met ? 'met' : 'missed'}`, 'data-slo': s.name },
      h('strong', {}, s.met ? 'kept' : 'missed'), h('span', {}, promise(s)), h('b', {}, withUnit(s.value_s, 's')), h('small', {}, `promised ${withUnit(s.limit_s, 's')}`),
      h('i', { class: 'gauge' }, h('i', { style: `width:${(100 * part) / 1.5}%` })));
  }));
}

export function percentileTable(result) {
  const metrics = Object.entries(result.metrics ?? {});
  return {
    columns: [{ label: 'Latency' }, ...STATS.map((s) => ({ label: s, unit: 's' })), { label: '± of mean', unit: 'ratio' }, { label: 'Count' }],
    rows: metrics.map(([name, m]) => {
      const mean = m.interval?.mean;
      const half = mean && m.mean > 0 ? (mean[1] - mean[0]) / 2 / m.mean : null;
      return [HEADERS[name] ?? name, ...STATS.map((s) => m[s] ?? null), half, m.count];
    }),
  };
}

function percentiles({ result }) {
  if (!Object.keys(result.metrics ?? {}).length) return null;
  const element = tableElement(percentileTable(result), { id: 'percentiles', class: 'wide' });
  Object.entries(result.metrics).forEach(([name, m], row) => {
    element.tBodies[0].rows[row].dataset.metric = name;
    if (m.small_sample) element.tBodies[0].rows[row].cells[4].append(h('sup', { title: `${m.count} values: fewer than ten lie beyond the p99` }, '*'));
  });
  const small = Object.values(result.metrics).some((m) => m.small_sample);
  return h('div', { class: 'card full' }, h('div', { class: 'scroll free' }, element), small && h('p', { class: 'note' }, '* fewer than 1 000 values: this p99 rests on fewer than ten of them.'));
}

const block = (title, table, width = 'half') => table.rows.length > 0 && h('div', { class: `card ${width}` }, h('h3', {}, title), h('div', { class: 'scroll' }, tableElement(table)));

function objectBlock(title, object, width) {
  return object && Object.keys(object).length ? block(title, objectTable(object), width) : null;
}

// A training run serves nobody; instead it has a step's parts and its memory.
function trainingFigures({ training }) {
  const { phases_s: phases, passes_s: passes, memory, ...rest } = training;
  const seconds = (parts) => Object.fromEntries(Object.entries(parts).filter(([, s]) => s > 0).map(([name, s]) => [`${name}_s`, s]));
  return [objectBlock('Training step', rest, 'half'), objectBlock('By phase', seconds(phases), 'half'), objectBlock('By pass', seconds(passes), 'half'), objectBlock('Memory per GPU of the fullest stage', memory, 'half')];
}

const figures = ({ result }) => result.training ? trainingFigures(result) : [objectBlock('Throughput', result.throughput, 'third'), objectBlock('Utilization', result.utilization, 'third'), objectBlock('Requests', result.requests, 'third')];

function scenarioBlock({ scenario }) {
  if (!scenario) return null;
  const lines = scenario.split('\n').flatMap((line) => {
    const [, code, comment] = /^((?:[^#"]|"(?:[^"\\]|\\.)*")*)(#.*)?$/.exec(line) ?? [null, line, ''];
    const key = /^(\s*[\w."-]+)(\s*=)(.*)$/.exec(code);
    const table = /^\s*\[/.test(code);
    const parts = table ? [h('b', {}, code)] : key ? [h('span', { class: 'key' }, key[1]), key[2], h('span', { class: 'value' }, key[3])] : [code];
    return [...parts, comment ? h('i', {}, comment) : '', '\n'];
  });
  return h('div', { class: 'card full' }, h('pre', { class: 'toml', id: 'scenario-text' }, lines));
}

const sections = [
  { id: 'answer', title: 'Answer', blocks: [verdicts] },
  { id: 'percentiles-section', title: 'Percentiles', blocks: [percentiles, ...[figures]] },
  { id: 'time', title: 'Where the time goes' },
  { id: 'blame', title: 'Why the slowest are slow', after: [({ result }) => culprits(result).map(({ title, table }) => block(title, table))] },
  { id: 'latency', title: 'Latency distributions' },
  { id: 'gpus', title: 'GPUs' },
  { id: 'experts', title: 'Experts' },
  { id: 'network', title: 'Network' },
  { id: 'queue', title: 'Queue and batch' },
  { id: 'tenants', title: 'Tenants', empty: 'One tenant: the figures above are its own.' },
  { id: 'balance', title: 'Balance over time', after: [({ result }) => objectBlock('Balance over the run', result.balance)] },
  { id: 'placement', title: 'Placement' },
  { id: 'memory', title: 'Memory' },
  { id: 'cost', title: 'Cost', after: [({ result }) => objectBlock('What it costs', result.cost)] },
  { id: 'provenance', title: 'Provenance and error bands', after: [({ result }) => result.provenance?.length && h('div', { class: 'card full' }, h('h3', {}, 'Where the numbers come from'), h('div', { class: 'scroll' }, tableElement(objectsTable(result.provenance))))] },
  { id: 'scenario', title: 'Resolved scenario', after: [scenarioBlock] },
];

const ONLY_SERVING = ['blame', 'latency', 'queue', 'tenants'];
export const sectionsOf = ({ result }) => sections.filter(({ id }) => !result.training || !ONLY_SERVING.includes(id));

export const chartsOf = (id) => charts.filter((chart) => chart.section === id);
