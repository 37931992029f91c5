// Distributions of what a user feels.
import { base, legend, number, scaleFor, tip, valueAxis, withUnit } from '../options.js';

const NAMES = { ttft: 'Time to first token', tpot: 'Time per output token', e2el: 'End-to-end latency', itl: 'Inter-token latency', queue_time: 'Queue time' };
const SHORT = { ttft: 'TTFT', tpot: 'TPOT', e2el: 'E2E latency', itl: 'ITL', queue_time: 'queue time' };

// The tail view stretches p90, p99, p99.9 to equal steps.
const LAST = 0.9995;
const tail = (level) => -Math.log10(1 - Math.min(level, LAST));
const tailLabel = (y) => (y === 0 ? 'p0' : `p${number(100 * (1 - 10 ** -y), 4)}`);

function promises(report, metric) {
  return (report.result.slo ?? []).filter((s) => s.name?.startsWith(`${metric}_p`));
}

function option(report, metric, cdfs, choice, ctx) {
  const { theme } = ctx;
  const inTail = choice === 'tail';
  const largest = Math.max(...cdfs.map((c) => c.values.at(-1)));
  const smallest = Math.min(...cdfs.map((c) => c.values.find((v) => v > 0) ?? largest));
  const scale = scaleFor(cdfs[0].values[Math.floor(cdfs[0].values.length / 2)], 's');
  const log = largest > 60 * smallest && smallest > 0;
  const name = (c) => c.tenant || 'all requests';
  const marks = promises(report, metric).map((s) => ({
    xAxis: s.limit_s / scale.factor,
    label: { formatter: `promise ${s.name.split('_').at(-1)}`, color: s.met ? theme.good : theme.bad, fontSize: 10 },
    lineStyle: { color: s.met ? theme.good : theme.bad, type: 'dashed' },
  }));
  return {
    ...base(theme),
    legend: cdfs.length > 1 ? legend(theme, cdfs.map(name), { itemStyle: { opacity: 1 } }) : undefined,
    grid: { left: 60, right: 24, top: cdfs.length > 1 ? 44 : 26, bottom: 46 },
    xAxis: valueAxis(theme, SHORT[metric] ?? metric, scale.unit, { type: log ? 'log' : 'value', nameGap: 28, min: log ? undefined : 0, splitNumber: 5 }),
    yAxis: inTail
      ? valueAxis(theme, 'quantile', '', { min: 0, max: tail(LAST), interval: 1, axisLabel: { formatter: tailLabel } })
      : valueAxis(theme, 'share of requests', '%', { min: 0, max: 100 }),
    tooltip: {
      ...base(theme).tooltip, trigger: 'item',
      formatter: (p) => tip(`${p.seriesName}`, [[tailLabel(tail(p.data[2])), withUnit(p.data[0] * scale.factor, 's'), p.color]]),
    },
    series: cdfs.map((c, i) => ({
      name: name(c), type: 'line', showSymbol: true, symbolSize: 7, symbol: 'circle', itemStyle: { opacity: 0 }, emphasis: { itemStyle: { opacity: 1 } },
      lineStyle: { width: i === 0 ? 2.5 : 1.5, color: i === 0 ? theme.series[0] : undefined },
      data: c.values.map((v, j) => [v / scale.factor, inTail ? tail(c.levels[j]) : 100 * c.levels[j], c.levels[j]]).filter(([x]) => !log || x > 0),
      markLine: i === 0 && marks.length ? { symbol: 'none', silent: true, data: marks } : undefined,
    })),
  };
}

function table(cdfs) {
  return {
    columns: [{ label: 'Quantile', unit: 'ratio' }, ...cdfs.map((c) => ({ label: c.tenant || 'All requests', unit: c.unit }))],
    rows: cdfs[0].levels.map((level, i) => [level, ...cdfs.map((c) => c.values[i] ?? null)]),
  };
}

export const cdfs = ['ttft', 'tpot', 'e2el', 'queue_time'].map((metric) => ({
  name: `cdf_${metric}`, section: 'latency', title: NAMES[metric], width: 'half',
  caption: 'Distribution over finished requests; dashed lines are promises.',
  build: (report, choice) => {
    const list = (report.series.cdfs ?? []).filter((c) => c.name === metric && c.values.length > 0);
    if (list.length === 0) return null;
    list.sort((a, b) => (a.tenant === '' ? 0 : 1) - (b.tenant === '' ? 0 : 1));
    return {
      choices: [['whole', 'Whole'], ['tail', 'Tail']], table: () => table(list), height: 320,
      option: (ctx) => option(report, metric, list.slice(0, 9), choice ?? 'whole', ctx),
    };
  },
}));
