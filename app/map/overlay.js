// What lies over the points on a second canvas: labels that do not overlap, marks of papers, rings around gaps.

const ZOOMS = [1.6, 4.5]; // magnifications from which the labels of the next level are shown
const FONTS = ['600 17px', '600 14px', '500 12px'];
const MOST_LABELS = 70;
const MOST_MARKS = 3000;

/** Draw the overlay for a view: `at(x, y)` gives pixels, `zoom` the magnification. */
export function drawOverlay(canvas, { regions, marks, gaps, polygon, at, zoom, colours, family }) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext('2d', { willReadFrequently: true }); // drawn by the processor, as text is
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const inside = ([x, y]) => x > -20 && y > -20 && x < width + 20 && y < height + 20;
  for (const gap of gaps) ring(pen, at(gap.x, gap.y), gap, at, colours);
  if (polygon) outline(pen, polygon.map(([x, y]) => at(x, y)), colours);
  const taken = [];
  for (const mark of marks.slice(0, MOST_MARKS)) {
    const place = at(mark.x, mark.y);
    if (!inside(place)) continue;
    const box = drawMark(pen, place, mark, colours);
    if (mark.label) taken.push(box); // a library's many marks may lie under labels
  }
  labels(pen, regions, { at, zoom, colours, family, width, height, taken });
}

/** The level of labels for a magnification. */
export function levelAt(zoom, nLevels) {
  return Math.min(nLevels - 1, ZOOMS.filter((bound) => zoom >= bound).length);
}

function labels(pen, regions, { at, zoom, colours, family, width, height, taken }) {
  const nLevels = 1 + Math.max(0, ...regions.map((r) => r.level));
  const level = levelAt(zoom, nLevels);
  const boxes = taken.slice(0, 400);
  let drawn = 0;
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.lineJoin = 'round';
  const wanted = regions.filter((r) => r.level === level).concat(regions.filter((r) => r.level === level + 1));
  for (const region of wanted) {
    if (drawn >= MOST_LABELS) break;
    const [x, y] = at(region.x, region.y);
    pen.font = `${FONTS[region.level]} ${family}`;
    const half = pen.measureText(region.short).width / 2 + 4;
    const tall = 10;
    const box = [x - half, y - tall, x + half, y + tall];
    if (box[0] < 0 || box[2] > width || box[1] < 0 || box[3] > height) continue;
    if (boxes.some((b) => box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3])) continue;
    boxes.push(box);
    drawn += 1;
    pen.globalAlpha = region.level === level ? 1 : 0.8;
    pen.strokeStyle = colours.ground;
    pen.lineWidth = 4;
    pen.strokeText(region.short, x, y);
    pen.fillStyle = colours.text;
    pen.fillText(region.short, x, y);
  }
  pen.globalAlpha = 1;
}

function drawMark(pen, [x, y], mark, colours) {
  pen.lineWidth = 2;
  pen.strokeStyle = colours.text;
  pen.fillStyle = mark.kind === 'library' ? colours.library : colours.question;
  pen.beginPath();
  if (mark.kind === 'library') {
    pen.moveTo(x, y - 6); pen.lineTo(x + 6, y); pen.lineTo(x, y + 6); pen.lineTo(x - 6, y); pen.closePath();
  } else {
    pen.arc(x, y, mark.label ? 9 : 6, 0, 2 * Math.PI);
  }
  pen.fill();
  pen.stroke();
  if (mark.label) {
    pen.font = '600 11px sans-serif';
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    pen.fillStyle = colours.onMark;
    pen.fillText(mark.label, x, y + 0.5);
  }
  return [x - 9, y - 9, x + 9, y + 9];
}

function outline(pen, corners, colours) {
  pen.beginPath();
  corners.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
  pen.lineWidth = 2;
  pen.strokeStyle = colours.text;
  pen.stroke();
}

function ring(pen, [x, y], gap, at, colours) {
  const reach = Math.max(10, Math.abs(at(gap.x + gap.radius, gap.y)[0] - x));
  pen.beginPath();
  pen.setLineDash([5, 4]);
  pen.lineWidth = 2;
  pen.strokeStyle = colours.text;
  pen.arc(x, y, reach, 0, 2 * Math.PI);
  pen.stroke();
  pen.setLineDash([]);
  pen.font = '600 12px sans-serif';
  pen.textAlign = 'center';
  pen.fillStyle = colours.text;
  pen.fillText(gap.label, x, y);
}
