// Curves over simulated time, with what happened marked on them.
import { base, largest, legend, scaleFor, tip, valueAxis, withUnit } from '../options.js';

const MARK_COLORS = { fault: 'bad', surge: 'mark', rebalance: 'muted', scale: 'muted' };

function marksOf(report, theme, factor) {
  const marks = (report.series.marks ?? []).slice(0, 60);
  const color = (m) => theme[MARK_COLORS[m.kind] ?? 'mark'];
  const crowded = marks.length > 12;
  return {
    markLine: {
      symbol: 'none', silent: true,
      data: marks.filter((m) => m.until <= m.at).map((m) => ({
        xAxis: m.at / factor, lineStyle: { color: color(m), type: m.kind === 'rebalance' ? 'dotted' : 'solid', width: 1 },
        label: { show: !crowded || m.kind === 'fault', formatter: m.kind, color: color(m), fontSize: 10, position: 'insideEndTop' },
      })),
    },
    markArea: {
      silent: true,
      data: marks.filter((m) => m.until > m.at).map((m) => [
        { xAxis: m.at / factor, itemStyle: { color: color(m), opacity: 0.1 }, label: { show: true, formatter: m.kind, color: color(m), fontSize: 10, position: 'insideTop' } },
        { xAxis: m.until / factor },
      ]),
    },
  };
}

function option(report, tracks, axes, ctx) {
  const { theme } = ctx;
  const begin = Math.min(...tracks.map((t) => t.start));
  const end = Math.max(...tracks.map((t) => t.start + t.bin * t.values.length));
  const time = scaleFor(end, 's');
  const scales = axes.map((axis) => scaleFor(largest(tracks.filter((t) => t.axis === axis.key).flatMap((t) => t.values)), axis.unit));
  return {
    ...base(theme),
    legend: legend(theme, tracks.map((t) => t.label)),
    grid: { left: 66, right: axes.length > 1 ? 70 : 24, top: 44, bottom: 46 },
    xAxis: valueAxis(theme, 'simulated time', time.unit, { min: begin / time.factor, max: end / time.factor, nameGap: 28, splitLine: { show: false } }),
    yAxis: axes.map((axis, i) => valueAxis(theme, axis.name, scales[i].unit, {
      min: axis.min ?? 0, max: axis.max === undefined ? undefined : axis.max / scales[i].factor, position: i ? 'right' : 'left', nameGap: 46, splitLine: { show: i === 0, lineStyle: { color: theme.split } },
    })),
    tooltip: {
      ...base(theme).tooltip, trigger: 'axis',
      formatter: (items) => tip(`at ${withUnit(items[0].data[0] * time.factor, 's')}`,
        items.map((p) => { const t = tracks[p.seriesIndex]; return [t.label, t.values[p.dataIndex] === null ? 'no data' : withUnit(t.values[p.dataIndex], t.unit), p.color]; })),
    },
    series: tracks.map((t, i) => {
      const axis = axes.findIndex((a) => a.key === t.axis);
      return {
        name: t.label, type: 'line', yAxisIndex: axis, showSymbol: false, symbolSize: 6, lineStyle: { width: 1.6 }, areaStyle: tracks.length === 1 ? { opacity: 0.12 } : undefined,
        data: t.values.map((v, j) => [(t.start + (j + 0.5) * t.bin) / time.factor, v === null ? null : v / scales[axis].factor]),
        ...(i === 0 ? marksOf(report, theme, time.factor) : {}),
      };
    }),
  };
}

function table(tracks) {
  const first = tracks[0];
  return {
    columns: [{ label: 'From', unit: 's' }, ...tracks.map((t) => ({ label: t.label, unit: t.unit }))],
    rows: first.values.map((_, i) => [first.start + i * first.bin, ...tracks.map((t) => t.values[i] ?? null)]),
  };
}

function events(report) {
  const counts = new Map();
  for (const m of report.series.marks ?? []) counts.set(m.kind, (counts.get(m.kind) ?? 0) + 1);
  return counts.size ? `Marked: ${[...counts].map(([kind, n]) => `${n} ${kind}${n > 1 ? 's' : ''}`).join(', ')}.` : '';
}

// `groups`: [axis of the chart, its tracks' names].
function chart(name, section, title, caption, groups, width = 'full') {
  return {
    name, section, title, caption, width,
    build: (report) => {
      const known = report.series.tracks ?? [];
      const tracks = groups.flatMap(([axis, names]) => names.flatMap((n) => known.filter((t) => t.name === n).map((t) => ({ ...t, axis: axis.key }))));
      if (tracks.length === 0) return null;
      const axes = groups.map(([axis]) => axis).filter((axis) => tracks.some((t) => t.axis === axis.key));
      return { note: events(report), table: () => table(tracks), height: 320, option: (ctx) => option(report, tracks, axes, ctx) };
    },
  };
}

export const overTime = {
  queue: chart('queue', 'queue', 'Queue and batch', 'Requests waiting for their first step, and requests in a batch.', [[{ key: 'n', name: 'requests', unit: '' }, ['queue', 'running']]]),
  throughput: chart('throughput', 'queue', 'Throughput', 'Tokens processed per second of simulated time.', [[{ key: 'rate', name: 'throughput', unit: 'tokens/s' }, ['output_tokens_per_s', 'input_tokens_per_s']]], 'half'),
  occupancy: chart('occupancy', 'queue', 'Batch tokens and KV cache', 'Tokens per step, and the share of KV blocks in use.', [
    [{ key: 'tokens', name: 'tokens per step', unit: 'tokens' }, ['batch_tokens']], [{ key: 'share', name: 'share', unit: 'ratio', max: 1 }, ['kv_used', 'gpu_utilization']]], 'half'),
  balance: chart('balance', 'balance', 'Balance of the experts', 'Balancedness is mean over largest GPU load (1 is perfect); entropy is relative to a uniform router.', [
    [{ key: 'ratio', name: 'ratio', unit: 'ratio', max: 1 }, ['balancedness', 'router_entropy', 'overflow_rate']]]),
};

const KNOWN = new Set(['queue', 'running', 'output_tokens_per_s', 'input_tokens_per_s', 'batch_tokens', 'kv_used', 'gpu_utilization', 'balancedness', 'router_entropy', 'overflow_rate']);

// Series that no chart above claims: one panel, chosen by name.
export const others = {
  name: 'other_series', section: 'queue', title: 'Other series', caption: 'Whatever else the run recorded.', width: 'full',
  build: (report, choice) => {
    const rest = (report.series.tracks ?? []).filter((t) => !KNOWN.has(t.name));
    if (rest.length === 0) return null;
    const track = { ...(rest.find((t) => t.name === choice) ?? rest[0]), axis: 'y' };
    return {
      choices: rest.map((t) => [t.name, t.label]), table: () => table([track]), height: 300,
      option: (ctx) => option(report, [track], [{ key: 'y', name: track.label, unit: track.unit }], ctx),
    };
  },
};

