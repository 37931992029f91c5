// GPUs one by one, memory, and how sure the figures are.
import { base, categoryAxis, legend, number, scaleFor, tip, valueAxis, withUnit } from '../options.js';
import { objectTable, objectsTable } from '../tables.js';
import { wordsOf } from '../units.js';

const busyOf = (gpu) => gpu.utilization ?? 0;

// All GPUs sorted by use: the curve's slope is the imbalance.
const gpus = {
  name: 'gpus', section: 'gpus', title: 'GPUs, from the busiest to the idlest', width: 'full', caption: 'Share of the run in which each GPU computes; the dashed line is the mean.',
  build: ({ result }) => {
    const list = result.gpus ?? [];
    if (list.length === 0) return null;
    const sorted = [...list].sort((a, b) => busyOf(b) - busyOf(a));
    const mean = sorted.reduce((sum, g) => sum + busyOf(g), 0) / sorted.length;
    return {
      table: () => objectsTable(list), height: 260,
      option: ({ theme }) => ({
        ...base(theme), grid: { left: 60, right: 60, top: 16, bottom: 46 },
        xAxis: categoryAxis(theme, 'GPUs by utilization', '', sorted.map((g) => g.name)),
        yAxis: valueAxis(theme, 'utilization', '%', { min: 0, max: 100 }),
        tooltip: { ...base(theme).tooltip, trigger: 'axis', axisPointer: { type: 'shadow' }, formatter: ([p]) => tip(p.name, [['utilization', `${number(p.value, 3)} %`, p.color]]) },
        series: [{
          type: 'bar', barCategoryGap: sorted.length > 100 ? '0%' : '20%', itemStyle: { color: theme.series[0] }, data: sorted.map((g) => 100 * busyOf(g)),
          markLine: { symbol: 'none', silent: true, lineStyle: { color: theme.text, type: 'dashed' }, label: { formatter: `${number(100 * mean, 2)} %`, color: theme.text, fontSize: 11 }, data: [{ yAxis: 100 * mean }] },
        }],
      }),
    };
  },
};

// The parts of result.memory that end in _bytes, against the capacity.
const memory = {
  name: 'memory', section: 'memory', title: 'Memory of one GPU', width: 'full', caption: 'What fills the fullest GPU’s memory.',
  build: ({ result }) => {
    const capacity = result.memory?.gpu_bytes ?? 0;
    // kv_peak_bytes lies inside kv_cache_bytes.
    const parts = Object.entries(result.memory ?? {}).filter(([key, v]) => v > 0 && !['gpu_bytes', 'kv_peak_bytes'].includes(key));
    if (parts.length === 0) return null;
    const used = parts.reduce((sum, [, v]) => sum + v, 0);
    const most = Math.max(capacity ?? 0, used);
    const scale = scaleFor(most, 'bytes');
    const bars = capacity > used ? [...parts, ['free_bytes', capacity - used]] : parts;
    return {
      note: `${withUnit(used, 'bytes')} of ${withUnit(capacity, 'bytes')}; at most ${withUnit(result.memory.kv_peak_bytes ?? 0, 'bytes')} of the KV cache were in use.`, table: () => objectTable(result.memory), height: 180,
      option: ({ theme }) => ({
        ...base(theme), legend: legend(theme, bars.map(([key]) => wordsOf(key))), grid: { left: 20, right: 24, top: 48, bottom: 46 },
        xAxis: valueAxis(theme, 'memory', scale.unit, { max: most / scale.factor, nameGap: 28 }), yAxis: { type: 'category', data: ['GPU'], show: false },
        tooltip: { ...base(theme).tooltip, formatter: (p) => tip(p.seriesName, [['', withUnit(p.value * scale.factor, 'bytes'), p.color]]) },
        series: bars.map(([key, v], i) => ({
          name: wordsOf(key), type: 'bar', stack: 'memory', barWidth: 42, data: [v / scale.factor], itemStyle: { color: key === 'free_bytes' ? theme.none : theme.series[i % theme.series.length], borderColor: theme.paper, borderWidth: 1 },
          label: { show: v > 0.07 * most && key !== 'free_bytes', color: '#fff', fontSize: 11, textBorderColor: '#0006', textBorderWidth: 2, formatter: () => withUnit(v, 'bytes') },
        })),
      }),
    };
  },
};

// The 95 % intervals of result.metrics: {name, value, low, high}, seconds.
function intervalsOf(result) {
  return Object.entries(result.metrics ?? {}).flatMap(([name, m]) => ['mean', 'p50', 'p99'].flatMap((stat) => {
    const bounds = m.interval?.[stat];
    return bounds && m[stat] > 0 ? [{ name: `${wordsOf(name)} ${stat}`, value: m[stat], low: bounds[0], high: bounds[1] }] : [];
  }));
}

// A forest plot: every figure is one, its interval is drawn relative to it.
const errors = {
  name: 'intervals', section: 'provenance', title: 'How sure the figures are', width: 'full', caption: '95 % intervals of each figure, relative to it.',
  build: ({ result }) => {
    const list = intervalsOf(result);
    if (list.length === 0) return null;
    const part = (i, v) => 100 * (v / i.value - 1);
    return {
      table: () => ({ columns: [{ label: 'Figure' }, { label: 'Value', unit: 's' }, { label: 'Low', unit: 's' }, { label: 'High', unit: 's' }], rows: list.map((i) => [i.name, i.value, i.low, i.high]) }),
      height: 90 + 24 * list.length,
      option: ({ theme }) => ({
        ...base(theme), grid: { left: 130, right: 24, top: 10, bottom: 46 },
        xAxis: valueAxis(theme, 'interval relative to the figure', '%', { nameGap: 28 }),
        yAxis: categoryAxis(theme, '', '', list.map((i) => i.name), { inverse: true, axisLabel: { color: theme.text, interval: 0 } }),
        tooltip: { ...base(theme).tooltip, formatter: (p) => { const i = list[p.dataIndex]; return tip(i.name, [['figure', withUnit(i.value, 's')], ['low', withUnit(i.low, 's')], ['high', withUnit(i.high, 's')]]); } },
        series: [
          // An invisible bar to `low`, then the interval; both may be negative, so from zero outwards.
          { type: 'bar', stack: 'low', barWidth: 8, barGap: '-100%', itemStyle: { color: theme.series[0], opacity: 0.55, borderRadius: 4 }, data: list.map((i) => part(i, i.low)) },
          { type: 'bar', stack: 'high', barWidth: 8, itemStyle: { color: theme.series[0], opacity: 0.55, borderRadius: 4 }, data: list.map((i) => part(i, i.high)) },
          { type: 'scatter', symbolSize: 9, itemStyle: { color: theme.text }, data: list.map((_, k) => [0, k]) },
        ],
      }),
    };
  },
};

export const machine = { gpus, memory, errors };
