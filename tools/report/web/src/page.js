// Builds the report from the values embedded in the page.
import { CanvasRenderer } from 'echarts/renderers';
import { h } from './dom.js';
import { use } from './echarts.js';
import { Figure } from './figure.js';
import { chartsOf, sectionsOf } from './sections.js';
import { themes } from './theme.js';
import { number, withUnit } from './units.js';
import { answer } from './words.js';

use([CanvasRenderer]);

const read = (id, otherwise) => {
  const text = document.getElementById(id)?.textContent;
  return text ? JSON.parse(text) : otherwise;
};

const report = { result: read('data-result', {}), series: read('data-series', {}), scenario: read('data-scenario', '') };
const figures = [];

function tiles({ result }) {
  const m = result.metrics ?? {};
  const t = result.throughput ?? {};
  const perGpu = t.output_tokens_per_s_per_gpu ?? t.per_gpu;
  const training = result.training;
  const items = training ? [
    ['Step', withUnit(training.step_time_s, 's')], ['Tokens/s', number(training.tokens_per_s, 3)], ['Tokens/s per GPU', number(training.tokens_per_s_per_gpu, 3)],
    ['MFU', withUnit(training.mfu, 'ratio', 3)], ['Bubble', withUnit(training.bubble_share, 'ratio', 2)], ['Dropped', withUnit(training.dropped_share, 'ratio', 2)],
    ['Balancedness', result.balance?.balancedness !== undefined && number(result.balance.balancedness, 2)],
  ] : [
    ['TTFT p99', m.ttft && withUnit(m.ttft.p99, 's')], ['TPOT p50', m.tpot && withUnit(m.tpot.p50, 's')], ['E2E p99', m.e2el && withUnit(m.e2el.p99, 's')],
    ['Output tokens/s', t.output_tokens_per_s && number(t.output_tokens_per_s, 3)], ['Tokens/s per GPU', perGpu && number(perGpu, 3)],
    ['Goodput, req/s', t.goodput !== undefined && number(t.goodput, 3)], ['GPU utilization', result.utilization?.gpu !== undefined && withUnit(result.utilization.gpu, 'ratio', 2)],
    ['Balancedness', result.balance?.balancedness !== undefined && number(result.balance.balancedness, 2)],
  ];
  return h('dl', { class: 'tiles' }, items.filter(([, v]) => v).map(([label, value]) => h('div', {}, h('dt', {}, label), h('dd', {}, value))));
}

// A half card without a neighbour takes the whole row.
function fill(parts) {
  let alone = null;
  for (const part of [...parts, null]) {
    if (part?.classList.contains('half')) { alone = alone ? null : part; } else { alone?.classList.replace('half', 'full'); alone = null; }
  }
}

function section({ id, title, blocks = [], after = [], empty }) {
  const parts = [];
  const drawn = chartsOf(id).filter((chart) => chart.build(report)).map((chart) => new Figure(chart, report));
  const add = (items) => { for (const item of [items].flat(2)) if (item) parts.push(item); };
  if (id === 'answer') add([h('p', { class: 'answer', id: 'answer-text' }, answer(report)), tiles(report)]);
  for (const make of blocks) add(make(report));
  add(drawn.map((f) => f.element));
  for (const make of after) add(make(report));
  if (id === 'answer' && report.result.notes?.length) parts.push(h('ul', { class: 'notes' }, report.result.notes.map((n) => h('li', {}, n))));
  fill(parts);
  figures.push(...drawn);
  if (parts.length === 0) parts.push(h('p', { class: 'note' }, empty ?? 'This run recorded nothing here.'));
  return h('section', { id }, h('h2', {}, title), h('div', { class: 'cards' }, parts));
}

// Light, dark, or what the system says.
const stored = { get: () => { try { return localStorage.getItem('moesim-theme'); } catch { return null; } }, set: (v) => { try { localStorage.setItem('moesim-theme', v); } catch { /* a file opened from a mail */ } } };
const system = matchMedia('(prefers-color-scheme: dark)');
let printing = false;
function isDark() {
  const own = document.documentElement.dataset.theme;
  return !printing && (own ? own === 'dark' : system.matches);
}
const theme = () => (isDark() ? themes.dark : themes.light);
const recolor = () => { for (const figure of figures) figure.redraw(theme()); };

function switchTheme() {
  const next = isDark() ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  stored.set(next);
  recolor();
}

function header({ result }) {
  const about = [result.model && `${result.model} on ${result.cluster}`, result.version && `moesim ${result.version}`, result.seed !== undefined && `seed ${result.seed}`, result.replications > 1 && `${result.replications} replications`, result.partial && 'interrupted: partial result'].filter(Boolean).join(' · ');
  return h('header', {},
    h('div', {}, h('h1', {}, result.scenario || 'moesim run'), h('p', {}, about)),
    h('div', { class: 'tools' }, h('button', { type: 'button', id: 'theme', onclick: switchTheme, title: 'Light or dark' }, '◐'), h('button', { type: 'button', onclick: () => print() }, 'Print')));
}

function contents() {
  return h('nav', { 'aria-label': 'Contents' }, h('ol', {}, sectionsOf(report).map(({ id, title }) => h('li', {}, h('a', { href: `#${id}` }, title)))));
}

// The section in view is marked in the contents.
function follow(nav) {
  const links = new Map([...nav.querySelectorAll('a')].map((a) => [a.getAttribute('href').slice(1), a]));
  const seen = new IntersectionObserver((entries) => {
    for (const e of entries) links.get(e.target.id)?.classList.toggle('here', e.isIntersecting);
  }, { rootMargin: '-20% 0px -70% 0px' });
  for (const element of document.querySelectorAll('section')) seen.observe(element);
}

export function drawAll() {
  for (const figure of figures) figure.draw(theme());
}

function start() {
  const begin = performance.now();
  const own = stored.get();
  if (own === 'dark' || own === 'light') document.documentElement.dataset.theme = own;
  document.title = `${report.result.scenario || 'run'} · moesim`;
  const nav = contents();
  document.body.append(h('div', { class: 'page' }, nav, h('main', {}, header(report), sectionsOf(report).map(section))));
  follow(nav);
  // Charts near the window first, the others when it comes near them or the page is idle.
  const near = new IntersectionObserver((entries) => {
    for (const e of entries) if (e.isIntersecting) figures.find((f) => f.element === e.target)?.draw(theme());
  }, { rootMargin: '600px' });
  for (const figure of figures) { figure.theme = theme(); near.observe(figure.element); }
  const rest = () => {
    const next = figures.find((f) => !f.canvas && !f.showsTable);
    if (next) { next.draw(theme()); setTimeout(rest, 0); } else { document.documentElement.dataset.drawn = String(Math.round(performance.now() - begin)); }
  };
  setTimeout(rest, 30);
  let waiting = 0;
  addEventListener('resize', () => { clearTimeout(waiting); waiting = setTimeout(() => figures.forEach((f) => f.resize()), 80); });
  system.addEventListener('change', recolor);
  addEventListener('beforeprint', () => { printing = true; drawAll(); recolor(); figures.forEach((f) => f.resize()); });
  addEventListener('afterprint', () => { printing = false; recolor(); figures.forEach((f) => f.resize()); });
}

start();
