// One chart as SVG, without a browser: runs in Node, for `moesim report DIR --plot NAME`.
// The program appends a call `moesimPlot.draw({...})`; the picture goes to standard output.
import { SVGRenderer } from 'echarts/renderers';
import { charts } from './charts/index.js';
import { init, setPlatformAPI, use } from './echarts.js';
import { themes } from './theme.js';

use([SVGRenderer]);

// There is no canvas to measure text with: a wide sans-serif is assumed, so that nothing overlaps.
setPlatformAPI({ measureText: (text, font) => ({ width: 0.61 * text.length * (Number.parseFloat(/([\d.]+)px/.exec(font)?.[1]) || 12) }) });

const fail = (status, text) => {
  process.stderr.write(`${text}\n`);
  process.exitCode = status;
};

const HEAD = 34;  // pixels for the title

// Room for the title above what the page draws.
function lowered(option, title, theme) {
  const list = (v) => (Array.isArray(v) ? v : v ? [v] : []);
  const down = (v) => list(v).map((item) => ({ ...item, top: (item.top ?? 0) + HEAD }));
  return {
    ...option,
    backgroundColor: theme.paper,
    title: [...down(option.title), { text: title, left: 12, top: 8, textStyle: { color: theme.text, fontSize: 15, fontWeight: 600 } }],
    grid: down(option.grid),
    legend: option.legend && down(option.legend),
    series: option.series.map((s) => (s.type === 'sankey' ? { ...s, top: s.top + HEAD } : s)),
  };
}

function picture(chart, built, { report, choice, width, dark }) {
  const theme = dark ? themes.dark : themes.light;
  const wide = chart.width === 'full' ? width : Math.round(0.62 * width);
  const canvas = init(null, null, { renderer: 'svg', ssr: true, width: wide, height: built.height + HEAD });
  const title = [chart.title, report.result.scenario].filter(Boolean).join(' · ');
  canvas.setOption(lowered(built.option({ theme, picture: true, choice }), title, theme));
  const svg = canvas.renderToSVGString();
  canvas.dispose();
  return svg;
}

// `name` may carry a choice: "placement:31", "cdf_ttft:tail"; "list" prints the names, "all" every
// picture as JSON [[name, svg]]. Status 2: no such chart, stderr lists them; 3: the result has no
// data for it, stderr lists those it has.
export function draw({ name, report, width = 960, dark = false }) {
  // ECharts may leave a timer that would keep Node from ending.
  const done = (text) => process.stdout.write(text, () => process.exit(0));
  const known = charts.filter((c) => c.build(report));
  if (name === 'list') return done(known.map((c) => c.name).join('\n'));
  if (name === 'all') return done(JSON.stringify(known.map((c) => [c.name, picture(c, c.build(report), { report, width, dark })])));
  const [id, choice] = name.split(':');
  const chart = charts.find((c) => c.name === id);
  if (!chart) return fail(2, charts.map((c) => c.name).join('\n'));
  const built = chart.build(report, choice);
  if (!built) return fail(3, known.map((c) => c.name).join('\n'));
  return done(picture(chart, built, { report, choice, width, dark }));
}
