// Colours of the charts, for light and for dark paper. A phase has the same colour everywhere.

const PHASES_LIGHT = {
  queueing: '#8a63b8', admission: '#b39ad1',
  attention: '#2f6fc1', attention_straggler: '#a3406b', dense: '#8ab6e6', shared_experts: '#67c0c8', router: '#b9c9de',
  dispatch: '#e08a2c', expert: '#2c9a6b', experts: '#2c9a6b', straggler: '#d5443f', expert_straggler: '#d5443f',
  combine: '#f0bd57', network: '#e08a2c', host: '#8b95a3', rebalancing: '#16838f', rebalance: '#16838f',
  pipeline: '#6d8f2e', fault: '#7d1f3f', faults: '#7d1f3f', kv_transfer: '#c06fb2', preemption: '#5b4b8a', other: '#bcc3cc',
};
const PHASES_DARK = {
  ...PHASES_LIGHT,
  queueing: '#a98bd6', attention: '#5b9bea', dense: '#35618f', shared_experts: '#3f97a0', router: '#56677e',
  dispatch: '#f0a04b', expert: '#43b988', experts: '#43b988', straggler: '#f0655f', expert_straggler: '#f0655f',
  combine: '#c9993b', network: '#f0a04b', host: '#8793a3', rebalancing: '#35aebb', rebalance: '#35aebb',
  pipeline: '#93b653', fault: '#c0567d', faults: '#c0567d', kv_transfer: '#d489c7', preemption: '#8b7bc4', other: '#515b68',
};

export const themes = {
  light: {
    name: 'light', text: '#1c2430', muted: '#5d6877', line: '#d8dee6', split: '#eceff3', paper: '#ffffff', none: '#e7eaee',
    series: ['#2f6fc1', '#e08a2c', '#2c9a6b', '#d5443f', '#8a63b8', '#16838f', '#b0862a', '#c06fb2'],
    phases: PHASES_LIGHT,
    sequential: ['#f4f7fb', '#cfe0f3', '#9cc2e8', '#5f9bd6', '#2f6fc1', '#1a4889', '#0d2650'],
    diverging: ['#1f5fae', '#6ea6dd', '#c4dcf2', '#f5f5f2', '#f8cfa8', '#e8824a', '#b3261e'],
    mark: '#7d1f3f', good: '#1f7a4d', bad: '#b3261e',
  },
  dark: {
    name: 'dark', text: '#e6eaf0', muted: '#97a3b3', line: '#36404d', split: '#262e38', paper: '#161b22', none: '#232a33',
    series: ['#5b9bea', '#f0a04b', '#43b988', '#f0655f', '#a98bd6', '#35aebb', '#d1aa4e', '#d489c7'],
    phases: PHASES_DARK,
    sequential: ['#1b222c', '#1c3657', '#22538b', '#2f75bf', '#5b9bea', '#9dc6f7', '#e3f0ff'],
    diverging: ['#6aaeff', '#3c78c2', '#2a4a70', '#2a3038', '#7a4a2a', '#d9773e', '#ff7d6b'],
    mark: '#f08bab', good: '#57c78f', bad: '#ff8a80',
  },
};

// Single quotes: ECharts writes this into an SVG's style="..." as it is.
export const FONT = "Inter, 'Segoe UI', system-ui, -apple-system, 'Helvetica Neue', 'Noto Sans', 'DejaVu Sans', sans-serif";

export function phaseColor(theme, phase, index) {
  return theme.phases[phase] ?? theme.series[index % theme.series.length];
}
