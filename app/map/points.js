// The papers as points by WebGL: one buffer of places, one of colours, one draw a frame; years are hidden in the shader.

import createREGL from 'regl';

const MOST_COLOURS = 16;

const VERTEX = `
precision highp float;
attribute vec2 place;
attribute float colour, year;
uniform vec2 scale, shift, years;
uniform float size;
uniform vec3 colours[${MOST_COLOURS}];
varying vec3 ink;
void main() {
  vec2 at = (place * 2.0 - 1.0) * scale + shift;
  bool hidden = year < years.x || year > years.y;
  gl_Position = hidden ? vec4(2.0, 2.0, 0.0, 1.0) : vec4(at, 0.0, 1.0);
  gl_PointSize = size;
  ink = colours[int(colour)];
}`;

const SQUARE = `
precision mediump float;
varying vec3 ink;
uniform float opacity;
void main() { gl_FragColor = vec4(ink, opacity); }`;

const ROUND = `
precision mediump float;
varying vec3 ink;
uniform float opacity;
void main() {
  vec2 away = gl_PointCoord - 0.5;
  if (dot(away, away) > 0.25) discard;
  gl_FragColor = vec4(ink, opacity);
}`;

/** Points on a canvas; throws where there is no WebGL. `draw(view)` draws them, `paint(z, colours)` colours them. */
export function pointsOn(canvas, columns) {
  const attributes = { antialias: false, alpha: false, depth: false, stencil: false, preserveDrawingBuffer: false };
  const regl = createREGL({ canvas, attributes, onDone: (error) => { if (error) throw new Error(error); } });
  const n = columns.x.length;
  const places = new Uint16Array(2 * n);
  for (let i = 0; i < n; i++) { places[2 * i] = columns.x[i]; places[2 * i + 1] = columns.y[i]; }
  const colour = regl.buffer({ usage: 'dynamic', type: 'uint8', length: Math.max(4, n) });
  let inks = [];
  const command = (frag) => regl({
    vert: VERTEX,
    frag,
    attributes: {
      place: { buffer: regl.buffer(places), normalized: true, type: 'uint16', size: 2 },
      colour: { buffer: colour, type: 'uint8', size: 1 },
      year: { buffer: regl.buffer(columns.year), type: 'uint16', size: 1 },
    },
    uniforms: {
      scale: regl.prop('scale'),
      shift: regl.prop('shift'),
      size: regl.prop('size'),
      years: regl.prop('years'),
      opacity: regl.prop('opacity'),
      ...Object.fromEntries(Array.from({ length: MOST_COLOURS }, (_, i) => [`colours[${i}]`, () => inks[Math.min(i, inks.length - 1)]])),
    },
    blend: { enable: true, func: { srcRGB: 'src alpha', srcAlpha: 1, dstRGB: 'one minus src alpha', dstAlpha: 1 } },
    depth: { enable: false },
    primitive: 'points',
    count: n,
  });
  const square = command(SQUARE);
  const round = command(ROUND);
  return {
    paint(z, colours) {
      colour(z instanceof Uint8Array ? z : Uint8Array.from(z));
      inks = colours.slice(0, MOST_COLOURS).map(rgb);
    },
    draw(view) {
      regl.poll();
      regl.clear({ color: [...rgb(view.ground), 1] });
      if (n) (view.size < 3.5 ? square : round)(view);
    },
    /** Wait until what was drawn is drawn: for measuring. */
    finish() { const gl = regl._gl; gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); },
    destroy() { regl.destroy(); },
  };
}

export function rgb(colour) {
  const hex = colour.replace('#', '');
  const full = hex.length === 3 ? [...hex].map((c) => c + c).join('') : hex;
  return [0, 2, 4].map((i) => parseInt(full.slice(i, i + 2), 16) / 255);
}
