// The map: all papers by WebGL (regl-scatterplot), labels and marks over them, and what a reader does with them.
// A Streamlit component; two of them, one with the papers, which stays, and one with the marks, which changes.

import { scaleLinear } from 'd3-scale';
import createScatterplot from 'regl-scatterplot';
import { colouring, unit, unpack } from './data.js';
import { drawOverlay } from './overlay.js';

const MARKS = 'wayfinder-map-marks';
const DEFAULT_DISTANCE = 0.95;

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  if (!(data instanceof Uint8Array)) {
    window.wayfinderMarks = data || {};
    window.dispatchEvent(new CustomEvent(MARKS));
    return undefined;
  }
  const root = parentElement.querySelector('.wf-map');
  if (root.wayfinderMap && root.wayfinderMap.id === idOf(data)) {
    root.wayfinderMap.setStateValue = setStateValue;
    root.wayfinderMap.retheme();
    return undefined;
  }
  if (root.wayfinderMap) root.wayfinderMap.destroy();
  root.wayfinderMap = start(root, data, setStateValue);
  const mine = root.wayfinderMap;
  return () => { mine.destroy(); root.wayfinderMap = undefined; };
}

function idOf(bytes) {
  const { header } = unpackHeader(bytes);
  return header.id;
}

function unpackHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(bytes.buffer, bytes.byteOffset + 4, length));
  return { header: JSON.parse(text) };
}

function start(root, bytes, setStateValue) {
  const map = { ...unpack(bytes), root, setStateValue, by: 'cluster', zoom: 1, papersRead: null };
  map.id = map.header.id;
  map.x = unit(map.columns.x);
  map.y = unit(map.columns.y);
  map.part = (name) => root.querySelector(`.wf-map-${name}`);
  map.years = [map.header.years[0], map.header.years[1]];
  map.polygon = null;
  map.papers.then((read) => { map.papersRead = read; });
  try {
    plotted(map);
  } catch (error) {
    map.part('note').textContent = 'This browser draws no WebGL, which the map needs. The table below has its clusters.';
    map.destroy = () => {};
    map.retheme = () => {};
    return map;
  }
  controls(map);
  window.wayfinderMap = map; // for tests and measurements
  return map;
}

function plotted(map) {
  const canvas = map.part('points');
  map.theme = themeOf(map.root);
  map.xScale = scaleLinear().domain([-1, 1]);
  map.yScale = scaleLinear().domain([-1, 1]);
  const n = map.header.n;
  map.plot = createScatterplot({
    canvas,
    width: 'auto',
    height: 'auto',
    aspectRatio: 1,
    backgroundColor: map.theme.ground,
    xScale: map.xScale,
    yScale: map.yScale,
    pointSize: n > 200000 ? 1 : n > 10000 ? 2 : n > 1000 ? 4 : 7,
    opacity: n > 200000 ? 0.35 : n > 10000 ? 0.6 : 0.85,
    pointSizeSelected: 1,
    pointColorHover: map.theme.text,
    pointColorActive: map.theme.question,
    lassoColor: map.theme.text,
    lassoOnLongPress: false,
    cameraDistance: DEFAULT_DISTANCE,
    performanceMode: n > 200000,
    deselectOnDblClick: false,
  });
  if (map.plot.get('isDestroyed') || !map.plot.get('regl')) throw new Error('no WebGL');
  map.plot.subscribe('view', ({ view }) => { map.zoom = Math.hypot(view[0], view[1]) * DEFAULT_DISTANCE; overlay(map); });
  map.plot.subscribe('pointOver', (i) => card(map, i));
  map.plot.subscribe('pointOut', () => { map.part('card').hidden = true; });
  map.plot.subscribe('select', ({ points }) => {
    if (points.length === 1 && !map.lassoing) map.setStateValue('picked', rowOf(map, points[0]));
  });
  map.plot.subscribe('lassoStart', () => { map.lassoing = true; });
  map.plot.subscribe('lassoEnd', ({ coordinates }) => { lassoed(map, coordinates); });
  map.redraw = () => {
    const { z, colours, legend, note } = colouring(map, map.by, map.theme.name);
    if (note) legend.push([null, note]);
    map.plot.set({ colorBy: 'valueA', pointColor: colours });
    drawLegend(map, legend);
    return map.plot.draw({ x: map.x, y: map.y, valueA: z }, { zDataType: 'categorical', preventFilterReset: true })
      .then(() => { map.drawn = true; overlay(map); });
  };
  map.retheme = () => {
    const theme = themeOf(map.root);
    if (theme.ground === map.theme.ground) return;
    map.theme = theme;
    map.plot.set({ backgroundColor: theme.ground, pointColorHover: theme.text, pointColorActive: theme.question, lassoColor: theme.text });
    map.redraw();
  };
  const marksChanged = () => { marked(map); overlay(map); };
  window.addEventListener(MARKS, marksChanged);
  const watch = new ResizeObserver(() => overlay(map));
  watch.observe(map.root);
  const themes = new MutationObserver(() => map.retheme());
  themes.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
  map.destroy = () => {
    window.removeEventListener(MARKS, marksChanged);
    watch.disconnect();
    themes.disconnect();
    map.plot.destroy();
  };
  marked(map);
  map.redraw();
}

function themeOf(root) {
  const style = getComputedStyle(root);
  const ground = style.getPropertyValue('--st-background-color').trim() || '#ffffff';
  const text = style.getPropertyValue('--st-text-color').trim() || '#1c2430';
  const family = style.getPropertyValue('--st-font').trim() || 'sans-serif';
  const name = bright(ground) ? 'light' : 'dark';
  const question = name === 'light' ? '#111111' : '#ffffff';
  const onMark = name === 'light' ? '#ffffff' : '#111111';
  return { ground, text, family, name, question, onMark, library: '#f0e442' };
}

function bright(colour) {
  const hex = colour.replace('#', '');
  const [r, g, b] = [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return 0.3 * r + 0.6 * g + 0.1 * b > 127;
}

function overlay(map) {
  drawOverlay(map.part('overlay'), {
    regions: map.header.regions,
    marks: map.marks || [],
    gaps: map.gaps || [],
    polygon: map.polygon,
    at: (x, y) => [map.xScale(x), map.yScale(y)],
    zoom: map.zoom,
    colours: map.theme,
    family: map.theme.family,
  });
}

function marked(map) {
  const given = window.wayfinderMarks || {};
  if (!map.pointOf) {
    map.pointOf = (row) => {
      if (!map.columns.row) return row < map.header.n ? row : -1;
      if (!map.byRow) map.byRow = new Map(Array.from(map.columns.row, (r, i) => [r, i]));
      return map.byRow.has(row) ? map.byRow.get(row) : -1;
    };
  }
  map.marks = (given.marks || []).map((m) => ({ ...m, i: map.pointOf(m.row) })).filter((m) => m.i >= 0)
    .map((m) => ({ ...m, x: map.x[m.i], y: map.y[m.i] }));
  map.gaps = given.gaps || [];
}

function rowOf(map, i) {
  return map.columns.row ? map.columns.row[i] : i;
}

function lassoed(map, coordinates) {
  setTimeout(() => { map.lassoing = false; }, 0);
  const polygon = [];
  const flat = coordinates.flat ? coordinates.flat() : Array.from(coordinates);
  for (let i = 0; i + 1 < flat.length; i += 2) polygon.push([round(flat[i]), round(flat[i + 1])]);
  map.polygon = polygon;
  map.plot.deselect({ preventEvent: true });
  overlay(map);
  told(map);
  mode(map, 'panZoom');
}

function told(map) {
  const all = map.years[0] <= map.header.years[0] && map.years[1] >= map.header.years[1];
  map.setStateValue('selection', map.polygon ? { polygon: map.polygon, years: all ? null : map.years } : null);
}

const round = (value) => Math.round(value * 1e5) / 1e5;

function card(map, i) {
  const box = map.part('card');
  const { header, columns } = map;
  const known = map.papersRead && map.papersRead[i];
  const year = columns.year[i] || 'year unknown';
  const n = columns.citations[i];
  const cited = n < 0 ? 'citations unknown' : `${n.toLocaleString()} citation${n === 1 ? '' : 's'}`;
  const path = [];
  for (let level = 0; level < header.levels; level++) {
    const region = header.regions.find((r) => r.level === level && r.number === columns[`cluster_${level}`][i]);
    if (region) path.push(region.short);
  }
  box.querySelector('b').textContent = known ? known[0] : 'Click for the title';
  box.querySelector('span').textContent = `${year} · ${cited}${known ? ` · ${known[1]}` : ''}`;
  box.querySelector('i').textContent = path.join(' › ');
  const [x, y] = map.plot.getScreenPosition(i);
  const { clientWidth: width, clientHeight: height } = map.root.querySelector('.wf-map-stage');
  box.style.left = `${Math.min(Math.max(8, x + 12), width - 290)}px`;
  box.style.top = `${y > height - 140 ? y - 110 : y + 12}px`;
  box.hidden = false;
}

function controls(map) {
  const by = map.part('by');
  by.onchange = () => { map.by = by.value; map.redraw(); };
  for (const name of ['panZoom', 'lasso', 'box']) map.part(name).onclick = () => mode(map, name);
  map.root.querySelector('.wf-map-stage').onpointerleave = () => { map.part('card').hidden = true; };
  map.part('home').onclick = () => map.plot.reset();
  map.part('clear').onclick = () => { map.polygon = null; map.plot.deselect(); told(map); overlay(map); };
  const [first, last] = map.header.years;
  for (const [place, name] of ['since', 'until'].entries()) {
    const slider = map.part(name);
    Object.assign(slider, { min: first, max: last, value: place ? last : first });
    slider.oninput = () => {
      const pair = [Number(map.part('since').value), Number(map.part('until').value)];
      map.years = [Math.min(...pair), Math.max(...pair)];
      timed(map);
    };
    slider.onchange = () => { if (map.polygon) told(map); };
  }
  timed(map);
  mode(map, 'panZoom');
}

function timed(map) {
  const [since, until] = map.years;
  map.part('years').textContent = since === until ? `${since}` : `${since} to ${until}`;
  if (!map.drawn) return;
  if (since <= map.header.years[0] && until >= map.header.years[1]) {
    map.plot.unfilter({ preventEvent: true });
    return;
  }
  if (map.filtering) return;
  map.filtering = requestAnimationFrame(() => {
    map.filtering = 0;
    const { year } = map.columns;
    const kept = [];
    for (let i = 0; i < year.length; i++) if (year[i] >= map.years[0] && year[i] <= map.years[1]) kept.push(i);
    map.plot.filter(kept, { preventEvent: true });
  });
}

function mode(map, name) {
  map.plot.set({ mouseMode: name === 'panZoom' ? 'panZoom' : 'lasso', lassoType: name === 'box' ? 'rectangle' : 'freeform' });
  for (const other of ['panZoom', 'lasso', 'box']) map.part(other).setAttribute('aria-pressed', String(other === name));
}

function drawLegend(map, legend) {
  const list = map.part('legend');
  list.replaceChildren(...legend.map(([colour, text]) => {
    const item = document.createElement('li');
    const dot = document.createElement('span');
    dot.style.background = colour;
    item.append(...(colour ? [dot] : []), text);
    return item;
  }));
}
