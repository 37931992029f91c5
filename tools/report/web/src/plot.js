// One chart as SVG, without a browser: runs in Node, for `moesim report DIR --plot NAME`.
// The program appends a call `moesimPlot.draw({...})`; the picture goes to standard output.
import { SVGRenderer } from 'echarts/renderers';
import { charts } from './charts/index.js';
import { init, use } from './echarts.js';
import { themes } from './theme.js';

use([SVGRenderer]);

const fail = (status, text) => {
  process.stderr.write(`${text}\n`);
  process.exitCode = status;
};

// `name` may carry a choice: "placement:31", "cdf_ttft:tail"; "list" prints the names. Status 2: no such chart, its stderr
// lists them; 3: the result has no data for it.
export function draw({ name, report, width = 960, dark = false }) {
  const [id, choice] = name.split(':');
  const known = () => charts.filter((c) => c.build(report)).map((c) => c.name).join('\n');
  if (name === 'list') return process.stdout.write(known());
  const chart = charts.find((c) => c.name === id);
  if (!chart) return fail(2, charts.map((c) => c.name).join('\n'));
  const built = chart.build(report, choice);
  if (!built) return fail(3, known());
  const theme = dark ? themes.dark : themes.light;
  const wide = chart.width === 'full' ? width : Math.round(0.62 * width);
  const option = built.option({ theme, picture: true, choice });
  const head = 34;
  const canvas = init(null, null, { renderer: 'svg', ssr: true, width: wide, height: built.height + head });
  canvas.setOption({ ...lowered(option, head), backgroundColor: theme.paper });
  const svg = canvas.renderToSVGString();
  canvas.dispose();
  // ECharts may leave a timer that would keep Node from ending.
  return process.stdout.write(svg, () => process.exit(0));

  // Room for the title above what the page draws.
  function lowered(o, by) {
    const list = (v) => (Array.isArray(v) ? v : v ? [v] : []);
    const down = (v) => list(v).map((item) => ({ ...item, top: (item.top ?? 0) + by }));
    const titles = [...down(o.title), { text: `${chart.title}${report.result.scenario ? ` · ${report.result.scenario}` : ''}`, left: 12, top: 8, textStyle: { color: theme.text, fontSize: 15, fontWeight: 600 } }];
    return { ...o, title: titles, grid: down(o.grid), legend: o.legend && down(o.legend), series: o.series.map((s) => (s.type === 'sankey' ? { ...s, top: s.top + by } : s)) };
  }
}
