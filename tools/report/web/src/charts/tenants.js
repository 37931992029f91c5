// Tenants side by side.
import { base, categoryAxis, legend, scaleFor, tip, valueAxis, withUnit } from '../options.js';

const STATS = ['p50', 'p90', 'p99'];
const SHORT = { ttft: 'TTFT', tpot: 'TPOT', e2el: 'end-to-end latency' };
const METRICS = [['ttft', 'Time to first token by tenant'], ['tpot', 'Time per output token by tenant'], ['e2el', 'End-to-end latency by tenant']];

function chart([metric, title]) {
  return {
    name: `tenants_${metric}`, section: 'tenants', title, width: 'half', caption: 'Percentiles over each tenant’s own requests.',
    build: ({ result }) => {
      const tenants = (result.tenants ?? []).filter((t) => t.metrics?.[metric]);
      if (tenants.length < 2) return null;
      const shown = tenants.slice(0, 24);
      return {
        note: tenants.length > shown.length ? `${shown.length} of ${tenants.length} tenants; the table has all.` : '',
        table: () => ({
          columns: [{ label: 'Tenant' }, { label: 'Requests' }, ...STATS.map((s) => ({ label: s, unit: 's' }))],
          rows: tenants.map((t) => [t.name, t.metrics[metric].count, ...STATS.map((s) => t.metrics[metric][s])]),
        }),
        height: Math.max(220, 110 + 52 * shown.length),
        option: ({ theme }) => {
          const scale = scaleFor(Math.max(...shown.map((t) => t.metrics[metric].p99)), 's');
          return {
            ...base(theme), legend: legend(theme, STATS),
            grid: { left: 120, right: 24, top: 40, bottom: 46 },
            xAxis: valueAxis(theme, SHORT[metric], scale.unit, { nameGap: 28, min: 0 }),
            yAxis: categoryAxis(theme, '', '', shown.map((t) => t.name), { inverse: true, axisLabel: { color: theme.text, fontSize: 12, width: 108, overflow: 'truncate', interval: 0 } }),
            tooltip: { ...base(theme).tooltip, trigger: 'axis', axisPointer: { type: 'shadow' }, formatter: (items) => tip(shown[items[0].dataIndex].name, items.map((p) => [p.seriesName, withUnit(p.value * scale.factor, 's'), p.color])) },
            series: STATS.map((s, i) => ({ name: s, type: 'bar', barMaxWidth: 14, barGap: '15%', itemStyle: { color: [theme.series[0], theme.series[1], theme.series[3]][i], borderRadius: 2 }, data: shown.map((t) => t.metrics[metric][s] / scale.factor) })),
          };
        },
      };
    },
  };
}

export const tenants = METRICS.map(chart);
