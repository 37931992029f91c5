// One chart on the page: a card with its title, a choice, a table view and a CSV.
import { h } from './dom.js';
import { init } from './echarts.js';
import { cellText, csv } from './tables.js';

export function tableElement(table, attributes = {}) {
  const cell = (value, column) => {
    if (value === null || value === undefined) return h('td', { class: 'none' }, '–');
    const numeric = typeof value === 'number';
    return h('td', { class: numeric ? 'number' : null, 'data-value': numeric ? String(value) : null }, cellText(value, column?.unit));
  };
  const unitOfRow = (row) => (row.at(-1) !== null && typeof row.at(-1) === 'object' ? row.at(-1) : null);
  return h('table', attributes,
    h('thead', {}, h('tr', {}, table.columns.map((c, i) => h('th', { scope: 'col', class: typeof table.rows[0]?.[i] === 'number' ? 'number' : null }, c.label)))),
    h('tbody', {}, table.rows.map((row) => h('tr', {}, row.filter((v) => v === null || typeof v !== 'object').map((v, i) => (i === 0 && typeof v === 'string' ? h('th', { scope: 'row' }, v) : cell(v, unitOfRow(row) ?? table.columns[i])))))));
}

function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export class Figure {
  constructor(chart, report) {
    this.chart = chart;
    this.report = report;
    this.built = chart.build(report, undefined);
    this.choice = this.built.choice ?? this.built.choices?.[0]?.[0];
    this.showsTable = false;
    this.element = this.card();
  }

  card() {
    const { chart, built } = this;
    this.area = h('div', { class: 'chart', role: 'img', 'aria-label': `${chart.title}. ${chart.caption}`, style: `height:${built.height}px` });
    this.grid = h('div', { class: 'scroll', hidden: true });
    this.note = h('p', { class: 'note' }, built.note ?? '');
    this.button = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.toggleTable() }, 'Table');
    const choices = built.choices?.length > 1 && h('select', { 'aria-label': `View of ${chart.title}`, onchange: (e) => this.choose(e.target.value) },
      built.choices.map(([value, label]) => h('option', { value, selected: value === this.choice }, label)));
    return h('figure', { class: `card ${chart.width}`, id: `chart-${chart.name}`, 'data-chart': chart.name },
      h('figcaption', {},
        h('div', {}, h('h3', {}, chart.title), h('p', {}, chart.caption)),
        h('div', { class: 'tools' }, choices, this.button,
          h('button', { type: 'button', onclick: () => save(`${chart.name}.csv`, csv(this.built.table()), 'text/csv') }, 'CSV'),
          h('button', { type: 'button', onclick: () => this.savePicture() }, 'PNG'))),
      this.note, this.area, this.grid);
  }

  choose(value) {
    this.choice = value;
    this.built = this.chart.build(this.report, value);
    this.note.textContent = this.built.note ?? '';
    this.redraw();
    if (this.showsTable) this.fillTable();
  }

  draw(theme) {
    if (theme) this.theme = theme;
    if (this.canvas || this.showsTable) return;
    this.canvas = init(this.area, null, { renderer: 'canvas', height: this.built.height });
    this.paint();
    const mouse = this.canvas.getZr();
    mouse.on('mousemove', (e) => this.point(e.offsetX, e.offsetY));
    mouse.on('globalout', () => this.hint?.remove());
  }

  paint() {
    this.context = { theme: this.theme, choice: this.choice, picture: false, narrow: this.area.clientWidth < 620 };
    this.canvas.setOption(this.built.option(this.context));
    this.canvas.getZr().flush();
  }

  // The tooltip of a painted map, which has no element per cell.
  point(x, y) {
    this.hint?.remove();
    if (!this.context.hover || !this.canvas.containPixel({ gridIndex: 0 }, [x, y])) return;
    const [column, row] = this.canvas.convertFromPixel({ gridIndex: 0 }, [x, y]);
    const text = this.context.hover(column, row);
    if (!text) return;
    this.hint = h('div', { class: 'hint' }, text);
    this.area.append(this.hint);
    const left = x + this.hint.offsetWidth + 24 > this.area.clientWidth ? x - this.hint.offsetWidth - 14 : x + 14;
    this.hint.style.transform = `translate(${left}px, ${Math.max(0, y - this.hint.offsetHeight / 2)}px)`;
  }

  redraw(theme) {
    if (theme) this.theme = theme;
    if (!this.canvas) return;
    this.canvas.clear();
    this.paint();
  }

  resize() {
    this.canvas?.resize();
  }

  fillTable() {
    const table = this.built.table();
    this.grid.replaceChildren(tableElement(table), ...(table.note ? [h('p', { class: 'note' }, table.note)] : []));
  }

  toggleTable() {
    this.showsTable = !this.showsTable;
    if (this.showsTable) this.fillTable();
    this.area.hidden = this.showsTable;
    this.grid.hidden = !this.showsTable;
    this.button.textContent = this.showsTable ? 'Chart' : 'Table';
    this.button.setAttribute('aria-pressed', String(this.showsTable));
    if (!this.showsTable) {
      this.draw();
      this.resize();
    }
  }

  savePicture() {
    this.draw();
    if (!this.canvas) return;
    const link = h('a', { href: this.canvas.getDataURL({ pixelRatio: 2, backgroundColor: this.theme.paper }), download: `${this.chart.name}.png` });
    link.click();
  }
}
