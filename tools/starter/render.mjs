// Turns the drawings of icon sets (SVG text in npm packages) into PNG pictures of 128 pixels with transparent paper.
//
//     node render.mjs WORK [--limit N] SET...        for example: node render.mjs work fluent-emoji-flat
//
// Writes WORK/drawings/SET/<key>.png and, last, WORK/drawings/SET.json: key, label, tags and group of each drawing.
// The renderer ends the whole process on a few drawings of some sets. So the name of the drawing in work stands in
// WORK/rendering.txt, and the next start (recipe: `render` starts again by itself) puts it into WORK/skipped.txt.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Resvg } from "@resvg/resvg-js";

const SIDE = 128;
const MARGIN = 6 / SIDE; // empty paper on each side, as a share of the drawing

const require = createRequire(import.meta.url);

const { work, limit, sets } = readArguments(process.argv.slice(2));
const marker = path.join(work, "rendering.txt");
const skippedList = path.join(work, "skipped.txt");
fs.mkdirSync(work, { recursive: true });
const skipped = readSkipped();
const names = readNames();
sets.forEach(renderSet);
fs.rmSync(marker, { force: true });

function readArguments(given) {
  const at = given.indexOf("--limit");
  const limit = at < 0 ? Infinity : Number(given.splice(at, 2)[1]);
  const [work, ...sets] = given;
  if (!work || sets.length === 0 || !(limit > 0)) {
    console.error("usage: node render.mjs WORK [--limit N] SET...");
    process.exit(2);
  }
  return { work, limit, sets };
}

function readSkipped() {
  if (fs.existsSync(marker)) {
    fs.appendFileSync(skippedList, fs.readFileSync(marker, "utf8") + "\n");
    fs.rmSync(marker);
  }
  return new Set(fs.existsSync(skippedList) ? fs.readFileSync(skippedList, "utf8").split("\n").filter(Boolean) : []);
}

// The icon sets name a drawing by its Unicode name in small letters and hyphens: the same spelling joins the two.
function readNames() {
  const groups = require("emojibase-data/meta/groups.json").groups;
  const names = new Map();
  for (const emoji of require("emojibase-data/en/data.json")) {
    const key = emoji.label.toLowerCase().replace(/[’'“”".!,&():]/g, "").replace(/[\s_-]+/g, "-");
    names.set(key, { label: emoji.label.toLowerCase(), group: groups[emoji.group] ?? "none", tags: emoji.tags ?? [] });
  }
  return names;
}

function renderSet(set) {
  const icons = require(`@iconify-json/${set}/icons.json`);
  const folder = path.join(work, "drawings", set);
  fs.mkdirSync(folder, { recursive: true });
  const rendered = [];
  for (const [key, icon] of Object.entries(icons.icons)) {
    const name = names.get(key);
    if (!name || !isWanted(key, name) || skipped.has(`${set}/${key}`)) continue;
    if (rendered.length >= limit) break;
    const picture = path.join(folder, `${key}.png`);
    if (!fs.existsSync(picture)) renderOne(`${set}/${key}`, icon, icons, picture);
    rendered.push({ key, ...name });
  }
  fs.writeFileSync(path.join(work, "drawings", `${set}.json`), JSON.stringify(rendered, null, 1));
  console.log(`${set}: ${rendered.length} drawings, ${skipped.size} skipped`);
}

// Flags, clocks, signs and people differ in details that 128 pixels and a tiny model cannot tell apart.
function isWanted(key, { label, group }) {
  if (["flags", "component", "none"].includes(group)) return false;
  if (/skin-tone|-(light|medium|dark)$|o-?clock|-thirty/.test(key) || /o’clock/.test(label)) return false;
  if (group === "people-body") return !/^(man|woman|men|women|couple|kiss|family|person|people)/.test(label);
  if (group === "symbols") return /circle|square|heart|star|triangle|diamond|sun|moon|atom|arrow|yin/.test(label);
  return true;
}

function renderOne(name, icon, icons, picture) {
  fs.writeFileSync(marker, name);
  const [width, height] = [icon.width ?? icons.width ?? 16, icon.height ?? icons.height ?? 16];
  const [left, top] = [icon.left ?? 0, icon.top ?? 0];
  const box = [left - width * MARGIN, top - height * MARGIN, width * (1 + 2 * MARGIN), height * (1 + 2 * MARGIN)];
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ` +
    `width="${SIDE}" height="${SIDE}" viewBox="${box.join(" ")}" color="#000">${icon.body}</svg>`;
  const image = new Resvg(svg, { fitTo: { mode: "width", value: SIDE }, font: { loadSystemFonts: false } }).render();
  fs.writeFileSync(`${picture}.part`, image.asPng()); // renamed when whole: a picture that exists is never half
  fs.renameSync(`${picture}.part`, picture);
  fs.rmSync(marker);
}
