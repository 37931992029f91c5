// Why is p99 high? Causes of the slowest requests, beside all of them, and who held them up.
import { base, categoryAxis, legend, number, phaseColor, scaleFor, tip, valueAxis, withUnit } from '../options.js';
import { wordsOf } from '../units.js';

const METRICS = { e2el: 'End-to-end latency', ttft: 'Time to first token', tpot: 'Time per output token' };

// "slowest 1 %" or "all requests".
export const setName = (b) => ((b.slowest_share ?? 0.01) >= 1 ? 'all requests' : `slowest ${number(100 * (b.slowest_share ?? 0.01), 2)} %`);

// [cause, seconds] of one entry; without those that are only a rounding of the sum.
export const causesOf = (b) => Object.entries(b.causes_s ?? {}).filter(([, s]) => Math.abs(s) > 1e-12 * b.latency_s);
const total = (b) => causesOf(b).reduce((sum, [, s]) => sum + s, 0);

function option(entries, ctx) {
  const { theme } = ctx;
  // Shares are kept to 7 digits: less than that of the whole is their rounding, of either sign.
  const causes = [...new Set(entries.flatMap((b) => causesOf(b).filter(([, seconds]) => seconds > 1e-6 * b.latency_s).map(([cause]) => cause)))];
  const inPart = ctx.choice === 'share';
  const scale = inPart ? { factor: 0.01, unit: '%' } : scaleFor(Math.max(...entries.map(total)), 's');
  const part = (b, cause) => Math.max(0, b.causes_s[cause] ?? 0) / (inPart ? total(b) : 1) / scale.factor;
  const widest = Math.max(...entries.map(total));
  const label = (b) => `${setName(b)}\n${number(b.requests)} requests`;
  return {
    ...base(theme),
    legend: legend(theme, causes.map(wordsOf)),
    grid: { left: 110, right: 24, top: 56, bottom: 46 },
    xAxis: valueAxis(theme, inPart ? 'share of the time' : 'mean time per request', scale.unit, { nameGap: 28, max: inPart ? 100 : undefined }),
    yAxis: categoryAxis(theme, '', '', entries.map(label), { inverse: true, axisLabel: { color: theme.text, fontSize: 12, lineHeight: 16 } }),
    tooltip: {
      ...base(theme).tooltip, trigger: 'axis', axisPointer: { type: 'shadow' },
      formatter: (items) => {
        const b = entries[items[0].dataIndex];
        return tip(`${setName(b)}: ${withUnit(total(b), 's')}`, causesOf(b).sort((x, y) => y[1] - x[1])
          .map(([cause, s]) => [wordsOf(cause), `${withUnit(s, 's')}  ${number((100 * s) / total(b), 2)} %`, phaseColor(theme, cause, causes.indexOf(cause))]));
      },
    },
    series: causes.map((cause, i) => ({
      name: wordsOf(cause), type: 'bar', stack: 'cause', barMaxWidth: 46, itemStyle: { color: phaseColor(theme, cause, i), borderColor: theme.paper, borderWidth: 1 },
      data: entries.map((b) => part(b, cause)),
      label: { show: true, fontSize: 11, color: '#fff', textBorderColor: '#0006', textBorderWidth: 2, formatter: (p) => {
        const b = entries[p.dataIndex];
        const share = b.causes_s[cause] / total(b);
        return (inPart ? share : b.causes_s[cause] / widest) > 0.035 ? `${number(100 * share, 2)} %` : '';
      } },
    })),
  };
}

function table(entries) {
  const causes = [...new Set(entries.flatMap((b) => causesOf(b).map(([cause]) => cause)))];
  return {
    columns: [{ label: 'Cause' }, ...entries.map((b) => ({ label: setName(b), unit: 's' }))],
    rows: [...causes.map((cause) => [wordsOf(cause), ...entries.map((b) => b.causes_s[cause] ?? 0)]),
      ['Sum', ...entries.map(total)]],
  };
}

export const blame = Object.entries(METRICS).map(([metric, title]) => ({
  name: `blame_${metric}`, section: 'blame', title: `${title}: what it was spent on`, width: 'full',
  caption: 'Every second of a request has one cause; the bars add up to the mean latency of the set.',
  build: ({ result }, choice) => {
    const entries = [...(result.blame ?? []), ...(result.phases ?? [])].filter((b) => b.metric === metric && causesOf(b).length > 0);
    if (entries.length === 0) return null;
    return {
      choices: [['seconds', 'Seconds'], ['share', 'Share']], table: () => table(entries),
      height: 130 + 70 * entries.length, option: (ctx) => option(entries, { ...ctx, choice: choice ?? 'seconds' }),
    };
  },
}));

const CULPRITS = [['straggler_experts', 'Experts'], ['straggler_gpus', 'GPUs'], ['straggler_layers', 'Layers'], ['straggler_links', 'Links']];

export const slowest = (result) => (result.blame ?? []).find((b) => b.metric === 'e2el' && b.slowest_share < 1);

// Who held up the slowest requests: {title, table} per kind.
export function culprits(result) {
  const worst = slowest(result);
  return CULPRITS.filter(([key]) => worst?.[key]?.length).map(([key, title]) => {
    const names = Object.keys(worst[key][0]).filter((k) => k !== 'seconds');
    return {
      title: `${title} the ${setName(worst)} waited for`,
      table: {
        columns: [...names.map((k) => ({ label: wordsOf(k) })), { label: 'Mean wait per request', unit: 's' }],
        rows: worst[key].map((item) => [...names.map((k) => item[k]), item.seconds]),
      },
    };
  });
}
