// The papers of the map as app/map_data.py packs them: a header in JSON, then typed columns, then titles.

const TYPES = { u8: Uint8Array, u16: Uint16Array, i32: Int32Array, u32: Uint32Array };

/** Read the packed bytes: { header, columns by name, papers: a promise of [title, id] per point }. */
export function unpack(bytes, headerOnly = false) {
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + headerBytes)));
  if (headerOnly) return { header };
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const columns = {};
  for (const { name, type, start, length } of header.columns) {
    columns[name] = new TYPES[type](buffer, start, length);
  }
  return { header, columns, papers: titles(buffer, header) };
}

async function titles(buffer, header) {
  if (!header.titles) return null;
  const packed = new Uint8Array(buffer, header.titles.start, header.titles.length);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  const text = await new Response(stream).text();
  return text.split('\n').map((line) => line.split('\t'));
}

/** Coordinates in [-1, 1] from 16 bits. */
export function unit(column) {
  const found = new Float32Array(column.length);
  for (let i = 0; i < column.length; i++) found[i] = column[i] / 32767.5 - 1;
  return found;
}

const GREY = { light: '#b9bcc2', dark: '#565c66' };
// Viridis, even for the colour-blind, without its end that the ground hides.
const VIRIDIS = ['#440154', '#482475', '#414487', '#355f8d', '#2a788e', '#21918c', '#22a884', '#44bf70', '#7ad151', '#bddf26', '#fde725'];
const DIVERGING = ['#2166ac', '#4393c3', '#7fb6d6', '#a9bfca', '#b9b4ae', '#d5b08a', '#e59a54', '#d9761c', '#b35806'];
const BINS = 9;

function ramp(theme) {
  return theme === 'dark' ? VIRIDIS.slice(2) : VIRIDIS.slice(0, 9);
}

/** How to colour by `by`: { z: category of each point, colours, legend: [[colour, text]] }. */
export function colouring(map, by, theme) {
  const { header, columns } = map;
  const grey = GREY[theme];
  if (by === 'cluster') {
    const names = header.regions.filter((r) => r.level === 0).map((r) => r.short);
    return named(columns.cluster_0, names, header.palette, grey, false);
  }
  if (by === 'category' || by === 'facility') {
    return named(columns[by], header[by], header.palette, grey, true);
  }
  if (by === 'growth') {
    const colours = [grey, ...DIVERGING];
    return { z: columns.growth, colours, legend: ends(DIVERGING, ['half the share', 'as before', 'twice']), note: header.growth };
  }
  const value = { year: columns.year, citations: columns.citations, density: columns.density }[by];
  const unknown = by === 'density' ? -1 : by === 'year' ? 0 : -1;
  const { z, low, high } = binned(value, unknown, by === 'citations');
  const text = by === 'density' ? ['sparse', '', 'dense'] : [String(low), '', String(high)];
  const legend = ends(ramp(theme), text);
  if (by !== 'density') legend.push([grey, 'unknown']);
  return { z, colours: [grey, ...ramp(theme)], legend };
}

function named(column, names, palette, grey, otherFirst) {
  const colours = otherFirst ? [grey, ...palette.slice(0, names.length)] : palette.slice(0, Math.max(names.length, 1));
  const legend = names.map((name, i) => [colours[i + (otherFirst ? 1 : 0)], name]);
  if (otherFirst) legend.push([grey, 'other or none']);
  return { z: column, colours, legend };
}

function ends(colours, texts) {
  const at = [0, Math.floor(colours.length / 2), colours.length - 1];
  return at.map((i, place) => [colours[i], texts[place]]).filter((entry) => entry[1] !== '');
}

/** Values in bins 1 to BINS between the 2nd and the 98th percentile; 0 where unknown. */
function binned(values, unknown, logarithmic) {
  const scale = (v) => (logarithmic ? Math.log1p(v) : v);
  const step = Math.max(1, Math.floor(values.length / 20000));
  const known = [];
  for (let i = 0; i < values.length; i += step) if (values[i] !== unknown) known.push(values[i]);
  known.sort((a, b) => a - b);
  const low = known.length ? known[Math.floor(known.length * 0.02)] : 0;
  const high = known.length ? known[Math.floor((known.length - 1) * 0.98)] : 1;
  const span = Math.max(scale(high) - scale(low), 1e-9);
  const z = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    if (values[i] === unknown) continue;
    const place = Math.floor(((scale(values[i]) - scale(low)) / span) * BINS);
    z[i] = 1 + Math.min(BINS - 1, Math.max(0, place));
  }
  return { z, low, high };
}
