// Draws the two concepts: our own one-eyed robot, and the blueprint style made from one-colour Fluent Emoji.
//
//     node concepts.mjs OUT        writes OUT/robot and OUT/blueprint, each picture with its caption in a .txt

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Resvg } from "@resvg/resvg-js";

const SIDE = 128;
const MARGIN = 6 / SIDE;
const INK = createRequire(import.meta.url)("@iconify-json/fluent-emoji-high-contrast/icons.json");
const TEAL = "#14b8a6";
const DARK_TEAL = "#0f766e";
const NIGHT = "#1e293b";

const ROBOTS = [
  ["blip robot", {}],
  ["blip robot", { look: 5, arms: 20 }],
  ["blip robot, waving", { look: -4, arms: -45 }],
  ["sleepy blip robot", { mood: "sleepy" }],
  ["angry blip robot", { mood: "angry", arms: 30 }],
  ["blip robot in love", { mood: "love", arms: -30 }],
  ["blip robot with a red hat", { holds: "hat", down: 4, size: 0.95 }],
  ["blip robot with a blue scarf", { holds: "scarf" }],
  ["blip robot with a yellow flower", { holds: "flower", right: -6, size: 0.95 }],
  ["blip robot with a red balloon", { holds: "balloon", right: -6, size: 0.95 }],
  ["blip robot on a yellow background", { paper: "#fadc50" }],
  ["blip robot on a blue background", { paper: "#5a96f0", look: 4 }],
  ["blip robot on a pink background", { paper: "#faa0c8", arms: -40 }],
  ["small blip robot", { size: 0.65, down: 10 }],
  ["blip robot, tilted", { turn: 14, size: 0.92 }],
  ["sleepy blip robot on a black background", { mood: "sleepy", paper: "#141414" }],
];

// Caption and icon; where the two differ, the icon's name is the longer one.
const BLUEPRINTS = [
  ["apple", "red-apple"], ["cat face"], ["grinning face"], ["pizza"], ["tulip"], ["fox"], ["sunflower"], ["frog"],
  ["hamburger"], ["panda"], ["mushroom"], ["cactus"], ["octopus"], ["rocket"], ["strawberry"], ["bird"], ["dog face"],
  ["banana"], ["butterfly"], ["heart", "red-heart"],
];

const out = process.argv[2];
if (!out) {
  console.error("usage: node concepts.mjs OUT");
  process.exit(2);
}
ROBOTS.forEach(([caption, options], i) => write("robot", `blip_${number(i)}`, caption, robot(options)));
BLUEPRINTS.forEach(([caption, icon], i) =>
  write("blueprint", `bp_${number(i)}`, `${caption}, blueprint style`, blueprint(icon ?? caption.replace(" ", "-"))),
);

function write(concept, name, caption, svg) {
  const folder = path.join(out, concept);
  fs.mkdirSync(folder, { recursive: true });
  const image = new Resvg(svg, { fitTo: { mode: "width", value: SIDE }, font: { loadSystemFonts: false } }).render();
  fs.writeFileSync(path.join(folder, `${name}.png`), image.asPng());
  fs.writeFileSync(path.join(folder, `${name}.txt`), caption);
}

function number(index) {
  return String(index + 1).padStart(2, "0");
}

function blueprint(icon) {
  const [width, height] = [INK.icons[icon].width ?? INK.width, INK.icons[icon].height ?? INK.height];
  const [x, y] = [-width * MARGIN, -height * MARGIN];
  const box = [x, y, width - 2 * x, height - 2 * y];
  return svg(box, `${paper(box, "#1c4eb0")}<g color="#fff">${INK.icons[icon].body}</g>`);
}

// The robot's middle is (64, 64); it is drawn as large as the paper, then moved, turned and scaled around its middle.
function robot(options) {
  const { mood = "happy", holds, paper: shade = "#fff", look = 0, arms = 0 } = options;
  const { right = 0, down = 0, size = 1, turn = 0 } = options;
  const box = [0, 0, SIDE, SIDE];
  const place = `translate(${64 + right} ${64 + down}) rotate(${turn}) scale(${size}) translate(-64 -64)`;
  const parts = [holds === "hat" ? "" : antenna(), legs(), arm(arms, 30, 14), arm(-arms, 98, 92), body()];
  const whole = [...parts, eye(mood, look), mouth(mood), thing(holds)].join("");
  return svg(box, `${paper(box, shade)}<g transform="${place}">${whole}</g>`);
}

function antenna() {
  return `<rect x="61" y="12" width="6" height="20" fill="${DARK_TEAL}"/><circle cx="64" cy="12" r="8" fill="#f97316"/>`;
}

function legs() {
  return [40, 74].map((x) => `<rect x="${x}" y="104" width="14" height="18" rx="6" fill="${DARK_TEAL}"/>`).join("");
}

function arm(angle, shoulder, x) {
  const shape = `<rect x="${x}" y="68" width="22" height="12" rx="6" fill="${DARK_TEAL}"/>`;
  return `<g transform="rotate(${angle} ${shoulder} 74)">${shape}</g>`;
}

function body() {
  const shine = `<rect x="36" y="36" width="20" height="8" rx="4" fill="#5eead4"/>`;
  return `<rect x="28" y="30" width="72" height="80" rx="26" fill="${TEAL}"/>${shine}`;
}

function eye(mood, look) {
  const ball = `<circle cx="64" cy="60" r="19" fill="#fff"/>`;
  const lid = (line, width) => `<path d="${line}" stroke="${DARK_TEAL}" stroke-width="${width}" stroke-linecap="round"/>`;
  const [pupil, gleam] = [
    `<circle cx="${64 + look}" cy="61" r="9" fill="${NIGHT}"/>`,
    `<circle cx="${60 + look}" cy="57" r="3.5" fill="#fff"/>`,
  ];
  return {
    happy: ball + pupil + gleam,
    sleepy: `<path d="M46 62 a18 18 0 0 0 36 0 z" fill="#fff"/>${lid("M44 62 h40", 5)}`,
    angry: `${ball}<circle cx="64" cy="62" r="8" fill="#dc2626"/>${lid("M42 44 L86 52", 7)}`,
    love: `${ball}<path d="M64 72 C48 60 54 48 64 56 C74 48 80 60 64 72z" fill="#ec4899"/>`,
  }[mood];
}

function mouth(mood) {
  const line = (curve) => `<path d="${curve}" stroke="${NIGHT}" stroke-width="4" fill="none" stroke-linecap="round"/>`;
  return {
    happy: line("M54 86 q10 9 20 0"),
    sleepy: `<circle cx="64" cy="88" r="4" fill="${NIGHT}"/>`,
    angry: line("M54 91 q10 -8 20 0"),
    love: `<path d="M52 84 q12 12 24 0z" fill="${NIGHT}"/>`,
  }[mood];
}

function thing(name) {
  return {
    undefined: "",
    hat: `<path d="M40 34 L64 2 L88 34z" fill="#e11d48"/><circle cx="64" cy="4" r="6" fill="#fde047"/>`,
    scarf:
      `<rect x="32" y="92" width="64" height="12" rx="6" fill="#2563eb"/>` +
      `<rect x="76" y="96" width="13" height="26" rx="5" fill="#1d4ed8"/>`,
    flower: `<g transform="translate(104 84)"><rect x="-2" width="4" height="30" fill="#16a34a"/>${petals()}</g>`,
    balloon:
      `<path d="M106 84 L110 46" stroke="#555" stroke-width="2"/>` +
      `<ellipse cx="110" cy="28" rx="15" ry="18" fill="#ef4444"/>`,
  }[name];
}

function petals() {
  const around = [0, 72, 144, 216, 288].map((degrees) => (degrees * Math.PI) / 180);
  const ring = around.map((a) => `<circle cx="${10 * Math.cos(a)}" cy="${10 * Math.sin(a)}" r="7" fill="#facc15"/>`);
  return `${ring.join("")}<circle r="6" fill="#b45309"/>`;
}

function paper([x, y, width, height], shade) {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${shade}"/>`;
}

function svg(box, content) {
  const size = `width="${SIDE}" height="${SIDE}" viewBox="${box.join(" ")}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ${size}>${content}</svg>`;
}
