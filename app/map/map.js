// The map: all papers by WebGL, labels and marks over them, and what a reader does with them. A Streamlit
// component, mounted twice: with the papers, which stay, and with the marks, which change.

import KDBush from 'kdbush';
import { select } from 'd3-selection';
import { zoom as zooming, zoomIdentity } from 'd3-zoom';
import { colouring, unit, unpack } from './data.js';
import { drawOverlay } from './overlay.js';
import { pointsOn, rgb } from './points.js';

const MARKS = 'wayfinder-map-marks';
const MARGIN = 0.94; // of the stage that the whole map fills
const HOVER_PIXELS = 9;
const SLOW_MS = 24; // a drawing slower than this is moved as a picture while a hand moves it
const REST_MS = 90;
const MODES = ['move', 'lasso', 'box'];

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  if (!(data instanceof Uint8Array)) {
    window.wayfinderMarks = data || {};
    window.dispatchEvent(new CustomEvent(MARKS));
    return undefined;
  }
  const root = parentElement.querySelector('.wf-map');
  const known = root.wayfinderMap;
  if (known && known.bytes === data.byteLength && known.header.id === unpack(data, true).header.id) {
    known.setStateValue = setStateValue;
    known.retheme();
    return undefined;
  }
  if (known) known.destroy();
  const map = start(root, data, setStateValue);
  root.wayfinderMap = map;
  return () => { map.destroy(); root.wayfinderMap = undefined; };
}

function start(root, bytes, setStateValue) {
  const map = { ...unpack(bytes), root, setStateValue, bytes: bytes.byteLength, by: 'cluster', papersRead: null };
  Object.assign(map, { x: unit(map.columns.x), y: unit(map.columns.y), transform: zoomIdentity, polygon: null });
  map.part = (name) => root.querySelector(`.wf-map-${name}`);
  map.stage = map.part('stage');
  map.years = [...map.header.years];
  map.theme = themeOf(root);
  map.papers.then((read) => { map.papersRead = read; });
  try {
    map.points = pointsOn(map.part('points'), map.columns);
  } catch (error) {
    map.part('note').textContent = 'This browser draws no WebGL, which the map needs. The table below has its clusters.';
    return Object.assign(map, { destroy() {}, retheme() {} });
  }
  watched(map);
  controls(map);
  gestures(map);
  marked(map);
  repaint(map);
  window.wayfinderMap = map; // for tests and measurements
  return map;
}

function watched(map) {
  const marksChanged = () => { marked(map); frame(map); };
  map.retheme = () => {
    const theme = themeOf(map.root);
    if (theme.ground !== map.theme.ground) { map.theme = theme; repaint(map); }
  };
  const sizes = new ResizeObserver(() => { sized(map); frame(map); });
  const themes = new MutationObserver(map.retheme);
  window.addEventListener(MARKS, marksChanged);
  sizes.observe(map.stage);
  themes.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
  map.destroy = () => {
    window.removeEventListener(MARKS, marksChanged);
    sizes.disconnect();
    themes.disconnect();
    map.points.destroy();
  };
  sized(map);
}

function sized(map) {
  const canvas = map.part('points');
  const ratio = window.devicePixelRatio || 1;
  map.width = map.stage.clientWidth;
  map.height = map.stage.clientHeight;
  canvas.width = Math.max(1, Math.round(map.width * ratio));
  canvas.height = Math.max(1, Math.round(map.height * ratio));
  map.unit = (Math.min(map.width, map.height) / 2) * MARGIN;
  map.at = (x, y) => map.transform.apply([map.width / 2 + x * map.unit, map.height / 2 - y * map.unit]);
  map.back = (px, py) => {
    const [a, b] = map.transform.invert([px, py]);
    return [(a - map.width / 2) / map.unit, (map.height / 2 - b) / map.unit];
  };
}

function themeOf(root) {
  const style = getComputedStyle(root);
  const value = (name, other) => style.getPropertyValue(name).trim() || other;
  const ground = value('--st-background-color', '#ffffff');
  const [r, g, b] = rgb(ground);
  const light = 0.3 * r + 0.6 * g + 0.1 * b > 0.5;
  return {
    ground,
    text: value('--st-text-color', '#1c2430'),
    family: value('--st-font', 'sans-serif'),
    name: light ? 'light' : 'dark',
    question: light ? '#111111' : '#ffffff',
    onMark: light ? '#ffffff' : '#111111',
    library: '#f0e442',
  };
}

function repaint(map) {
  const { z, colours, legend, note } = colouring(map, map.by, map.theme.name);
  map.points.paint(z, colours);
  drawLegend(map, note ? [...legend, [null, note]] : legend);
  frame(map);
}

/** Draw at the next frame: the points anew, or their last picture moved where drawing takes too long. */
function frame(map) {
  if (map.waiting) return;
  map.waiting = requestAnimationFrame(() => {
    map.waiting = 0;
    const moving = map.held && map.cost > SLOW_MS && map.picture;
    if (moving) shifted(map);
    else pointsDrawn(map);
    drawOverlay(map.part('overlay'), {
      regions: map.header.regions, marks: map.marks, gaps: map.gaps, polygon: map.drawing || map.polygon,
      at: map.at, zoom: map.transform.k, colours: map.theme, family: map.theme.family,
    });
    map.frames = (map.frames || 0) + 1;
  });
}

function pointsDrawn(map) {
  const { k, x, y } = map.transform;
  const { width, height } = map;
  const n = map.header.n;
  const base = n > 200000 ? 1 : n > 10000 ? 2 : n > 1000 ? 4 : 7;
  const all = map.years[0] <= map.header.years[0] && map.years[1] >= map.header.years[1];
  const began = performance.now();
  map.points.draw({
    scale: [(2 * map.unit * k) / width, (2 * map.unit * k) / height],
    shift: [((width / 2) * k + x) * (2 / width) - 1, 1 - ((height / 2) * k + y) * (2 / height)],
    size: Math.min(14, base * Math.max(1, k ** 0.45)) * (window.devicePixelRatio || 1),
    years: all ? [0, 1e5] : map.years,
    opacity: n > 200000 ? 0.45 : n > 10000 ? 0.75 : 0.9,
    ground: map.theme.ground,
  });
  if (map.cost === undefined || map.measure) {
    map.points.finish();
    map.cost = performance.now() - began;
  }
  map.picture = map.transform;
  map.part('points').style.transform = '';
  map.drawn = true;
}

function shifted(map) {
  const k = map.transform.k / map.picture.k;
  const x = map.transform.x - map.picture.x * k;
  const y = map.transform.y - map.picture.y * k;
  map.part('points').style.transform = `translate(${x}px, ${y}px) scale(${k})`;
}

function gestures(map) {
  const overlayed = select(map.stage);
  map.zoom = zooming()
    .scaleExtent([0.5, 400])
    .filter((event) => event.type === 'wheel' || (map.mode === 'move' && !event.button))
    .on('zoom', ({ transform }) => {
      map.transform = transform;
      map.held = true;
      clearTimeout(map.rest);
      map.rest = setTimeout(() => { map.held = false; frame(map); }, REST_MS);
      hideCard(map);
      frame(map);
    });
  overlayed.call(map.zoom).on('dblclick.zoom', null);
  map.to = (transform) => overlayed.call(map.zoom.transform, transform);
  map.stage.addEventListener('keydown', (event) => keyed(map, overlayed, event));
  map.stage.addEventListener('pointerdown', (event) => { if (map.mode !== 'move' && !event.button) outlineBegun(map, event); });
  map.stage.addEventListener('pointermove', (event) => {
    if (map.drawing) outlineDrawn(map, event);
    else if (!event.buttons) hovered(map, event);
  });
  map.stage.addEventListener('pointerup', () => { if (map.drawing) outlineEnded(map); });
  map.stage.addEventListener('pointerleave', () => hideCard(map));
  map.stage.addEventListener('click', (event) => {
    const i = map.mode === 'move' && performance.now() - (map.outlined || 0) > 200 ? nearest(map, ...placeOf(map, event)) : -1;
    if (i >= 0) map.setStateValue('picked', rowOf(map, i));
  });
}

function keyed(map, overlayed, event) {
  const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
  const factor = { '+': 1.3, '=': 1.3, '-': 1 / 1.3 }[event.key];
  if (step) overlayed.call(map.zoom.translateBy, step[0] / map.transform.k, step[1] / map.transform.k);
  else if (factor) overlayed.call(map.zoom.scaleBy, factor);
  else return;
  event.preventDefault();
}

function placeOf(map, event) {
  const box = map.stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function outlineBegun(map, event) {
  map.stage.setPointerCapture(event.pointerId);
  map.drawing = [map.back(...placeOf(map, event))];
  map.first = map.drawing[0];
}

function outlineDrawn(map, event) {
  const at = map.back(...placeOf(map, event));
  if (map.mode === 'box') map.drawing = [map.first, [at[0], map.first[1]], at, [map.first[0], at[1]]];
  else map.drawing.push(at);
  frame(map);
}

function outlineEnded(map) {
  const corners = map.drawing;
  map.drawing = null;
  map.outlined = performance.now(); // the click that ends it is none
  if (corners.length > 2) {
    map.polygon = corners.map((c) => c.map(round));
    told(map);
  }
  setMode(map, 'move');
  frame(map);
}

function told(map) {
  const all = map.years[0] <= map.header.years[0] && map.years[1] >= map.header.years[1];
  map.setStateValue('selection', map.polygon ? { polygon: map.polygon, years: all ? null : map.years } : null);
}

const round = (value) => Math.round(value * 1e5) / 1e5;

function nearest(map, px, py) {
  if (!map.tree) {
    map.tree = new KDBush(map.header.n, 64, Float32Array);
    for (let i = 0; i < map.header.n; i++) map.tree.add(map.x[i], map.y[i]);
    map.tree.finish();
  }
  const [x, y] = map.back(px, py);
  const reach = HOVER_PIXELS / (map.unit * map.transform.k);
  const [since, until] = map.years[0] <= map.header.years[0] && map.years[1] >= map.header.years[1] ? [0, 1e5] : map.years;
  let best = -1;
  let least = Infinity;
  for (const i of map.tree.within(x, y, reach)) {
    const away = (map.x[i] - x) ** 2 + (map.y[i] - y) ** 2;
    const year = map.columns.year[i];
    if (away < least && year >= since && year <= until) { best = i; least = away; }
  }
  return best;
}

function rowOf(map, i) {
  return map.columns.row ? map.columns.row[i] : i;
}

function hovered(map, event) {
  if (!map.header.n) return;
  const i = nearest(map, ...placeOf(map, event));
  if (i < 0) hideCard(map);
  else card(map, i);
}

function hideCard(map) {
  map.part('card').hidden = true;
}

function card(map, i) {
  const box = map.part('card');
  const { header, columns } = map;
  const known = map.papersRead && map.papersRead[i];
  const n = columns.citations[i];
  const cited = n < 0 ? 'citations unknown' : `${n.toLocaleString()} citation${n === 1 ? '' : 's'}`;
  const path = [];
  for (let level = 0; level < header.levels; level++) {
    const region = header.regions.find((r) => r.level === level && r.number === columns[`cluster_${level}`][i]);
    if (region) path.push(region.short);
  }
  box.querySelector('b').textContent = known ? known[0] : 'Click for the title';
  box.querySelector('span').textContent = [columns.year[i] || 'year unknown', cited, ...(known && known[1] ? [known[1]] : [])].join(' · ');
  box.querySelector('i').textContent = path.join(' › ');
  const [x, y] = map.at(map.x[i], map.y[i]);
  box.style.left = `${Math.min(Math.max(8, x + 12), map.width - 290)}px`;
  box.style.top = `${y > map.height - 140 ? y - 110 : y + 12}px`;
  box.hidden = false;
}

function marked(map) {
  const given = window.wayfinderMarks || {};
  if (!map.byRow && map.columns.row) map.byRow = new Map(Array.from(map.columns.row, (row, i) => [row, i]));
  const pointOf = (row) => (map.byRow ? map.byRow.get(row) : row < map.header.n ? row : undefined);
  map.marks = (given.marks || [])
    .map((mark) => ({ ...mark, i: pointOf(mark.row) }))
    .filter((mark) => mark.i !== undefined)
    .map((mark) => ({ ...mark, x: map.x[mark.i], y: map.y[mark.i] }));
  map.gaps = given.gaps || [];
}

function controls(map) {
  const by = map.part('by');
  by.onchange = () => { map.by = by.value; repaint(map); };
  for (const name of MODES) map.part(name).onclick = () => setMode(map, name);
  map.part('home').onclick = () => map.to(zoomIdentity);
  map.part('clear').onclick = () => { map.polygon = null; told(map); frame(map); };
  const [first, last] = map.header.years;
  for (const [place, name] of ['since', 'until'].entries()) {
    const slider = map.part(name);
    Object.assign(slider, { min: first, max: last, value: place ? last : first });
    slider.oninput = () => {
      const pair = [Number(map.part('since').value), Number(map.part('until').value)];
      map.years = [Math.min(...pair), Math.max(...pair)];
      yearsSaid(map);
      frame(map);
    };
    slider.onchange = () => { if (map.polygon) told(map); };
  }
  yearsSaid(map);
  setMode(map, 'move');
}

function yearsSaid(map) {
  const [since, until] = map.years;
  map.part('years').textContent = since === until ? `${since}` : `${since} to ${until}`;
}

function setMode(map, name) {
  map.mode = name;
  map.stage.style.cursor = name === 'move' ? 'grab' : 'crosshair';
  for (const other of MODES) map.part(other).setAttribute('aria-pressed', String(other === name));
}

function drawLegend(map, legend) {
  map.part('legend').replaceChildren(...legend.map(([colour, text]) => {
    const item = document.createElement('li');
    const dot = document.createElement('span');
    if (colour) dot.style.background = colour;
    item.append(...(colour ? [dot] : []), text);
    return item;
  }));
}
