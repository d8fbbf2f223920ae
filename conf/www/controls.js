// The parameters: one table, from which the form is built and read.

import { make } from "./words.js";

const watermarks = document.documentElement.dataset.watermarks.split(/\s+/).filter(Boolean);

// A range whose value is `neutral` is left out of the URL; `word` is what it shows instead.
// Choices: [value, label] or both in one, the first one neutral. `start` is what the form begins with.
const table = [
  ["Size", [
    { name: "w", label: "Width", min: 0, max: 3000, step: 10, neutral: 0, word: "auto", unit: "px", start: 800 },
    { name: "h", label: "Height", min: 0, max: 3000, step: 10, neutral: 0, word: "auto", unit: "px" },
    { name: "fit", label: "Fit", choices: ["inside", "cover", "contain", "fill", "outside"] },
    { name: "g", label: "Keep", choices: [["", "centre"], "attention", "entropy", "n", "e", "s", "w"], when: { fit: "cover" } },
    { name: "dpr", label: "Density", choices: [["", "1×"], ["2", "2×"], ["3", "3×"]] },
    { name: "enlarge", label: "Enlarge", check: "beyond the original" },
  ]],
  ["Output", [
    { name: "fm", label: "Format", choices: [["", "as is"], "auto", "jpeg", "png", "webp", "avif"], start: "auto" },
    { name: "q", label: "Quality", min: 0, max: 100, step: 1, neutral: 0, word: "default" },
    { name: "max_bytes", label: "At most", choices: [["", "any"], ["20k", "20 k"], ["50k", "50 k"], ["100k", "100 k"]] },
  ]],
  ["Turn", [
    { name: "rot", label: "Rotate", choices: [["", "0°"], ["90", "90°"], ["180", "180°"], ["270", "270°"]] },
    { name: "flip", label: "Flip", choices: [["", "no"], ["h", "left-right"], ["v", "up-down"], ["hv", "both"]] },
  ]],
  ["Look", [
    { name: "bri", label: "Brightness", min: 0.2, max: 2, step: 0.05, neutral: 1, word: "as is" },
    { name: "con", label: "Contrast", min: 0.2, max: 2, step: 0.05, neutral: 1, word: "as is" },
    { name: "sat", label: "Saturation", min: 0, max: 3, step: 0.05, neutral: 1, word: "as is" },
    { name: "hue", label: "Hue", min: 0, max: 360, step: 5, neutral: 0, word: "as is", unit: "°" },
    { name: "blur", label: "Blur", min: 0, max: 30, step: 0.5, neutral: 0, word: "off" },
    { name: "sharpen", label: "Sharpen", min: 0, max: 10, step: 0.1, neutral: 0, word: "off" },
    { name: "gray", label: "Gray", check: "no colours" },
  ]],
  ["Edges", [
    { name: "round", label: "Corners", min: 0, max: 400, step: 4, neutral: 0, word: "square", unit: "px" },
    { name: "bg", label: "Background", colour: "#ffffff" },
    ...(watermarks.length ? [{ name: "wm", label: "Watermark", choices: [["", "none"], ...watermarks] }] : []),
  ]],
];

const controls = table.flatMap(([, rows]) => rows);

const pairs = (control) => control.choices.map((choice) => (Array.isArray(choice) ? choice : [choice, choice]));

/** A slider, and beside it the same as a number for those who know what they want. */
function rangeRow(control) {
  const id = `c-${control.name}`;
  const { min, max, step } = control;
  const slider = make("input", { type: "range", id, name: control.name, min, max, step });
  const number = make("input", { type: "number", min, max, step: "any", placeholder: control.word, ariaLabel: `${control.label} as a number` });
  control.get = () => (number.value === "" || Number(number.value) === control.neutral ? "" : String(Number(number.value)));
  control.set = (value) => {
    slider.value = value === "" ? control.neutral : value;
    slider.setAttribute("aria-valuetext", value === "" ? control.word : value);
    number.value = value;
  };
  control.limit = (most) => {
    slider.max = number.max = most;
  };
  slider.addEventListener("input", () => control.set(Number(slider.value) === control.neutral ? "" : slider.value));
  number.addEventListener("input", () => {
    slider.value = control.get() || control.neutral;
  });
  const unit = make("span", { className: "number" }, number, control.unit ?? "");
  return make("div", { className: "row range" }, make("label", { htmlFor: id, textContent: control.label }), unit, slider);
}

function choiceRow(control) {
  const inputs = pairs(control).map(([value]) => make("input", { type: "radio", name: control.name, value }));
  const labels = pairs(control).map(([, label], i) =>
    make("label", {}, inputs[i], make("span", { textContent: label })));
  control.get = () => {
    const value = inputs.find((input) => input.checked).value;
    return value === inputs[0].value ? "" : value;
  };
  control.set = (value) => {
    (inputs.find((input) => input.value === value) ?? inputs[0]).checked = true;
  };
  return make("fieldset", { className: "row segments" }, make("legend", { textContent: control.label }), ...labels);
}

function checkRow(control) {
  const input = make("input", { type: "checkbox", name: control.name });
  control.get = () => (input.checked ? "1" : "");
  control.set = (value) => {
    input.checked = value === "1";
  };
  return make("label", { className: "row check" }, make("span", { textContent: control.label }), input, ` ${control.check}`);
}

function colourRow(control) {
  const use = make("input", { type: "checkbox", name: control.name });
  const colour = make("input", { type: "color", value: control.colour, ariaLabel: `${control.label}: colour` });
  control.get = () => (use.checked ? colour.value.slice(1) : "");
  control.set = (value) => {
    use.checked = value !== "";
  };
  colour.addEventListener("input", () => {
    use.checked = true;
  });
  return make("div", { className: "row check" }, make("label", {}, make("span", { textContent: control.label }), use, " "), colour);
}

const rowOf = (control) =>
  control.choices ? choiceRow(control) : control.check ? checkRow(control) : control.colour ? colourRow(control) : rangeRow(control);

/** Fills `form` and calls `changed` after every turn of a knob. */
export function build(form, groups, changed) {
  for (const [title, rows] of table) {
    const group = make("details", { open: title === "Size" || title === "Output" }, make("summary", { textContent: title }));
    for (const control of rows) {
      control.row = rowOf(control);
      group.append(control.row);
    }
    groups.append(group);
  }
  const reset = () => {
    for (const control of controls) {
      control.set(control.start === undefined ? "" : String(control.start));
    }
  };
  const settle = () => {
    for (const control of controls.filter(({ when }) => when)) {
      control.row.hidden = Object.entries(control.when).some(([name, value]) => named(name).get() !== value);
    }
    changed();
  };
  reset();
  form.addEventListener("input", settle);
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    reset();
    settle();
  });
  settle();
}

const named = (name) => controls.find((control) => control.name === name);

/** The widths and heights worth asking for depend on the original. */
export function fitTo({ width, height }) {
  named("w").limit(Math.min(8192, Math.max(400, width)));
  named("h").limit(Math.min(8192, Math.max(400, height)));
}

/** The query of what is set, without its question mark. */
export function query() {
  return controls
    .filter((control) => !control.row.hidden && control.get() !== "")
    .map((control) => `${control.name}=${control.get()}`)
    .join("&");
}

/** Marks the control of the parameter at fault, and opens its group; with nothing, unmarks all. */
export function blame(param) {
  for (const control of controls) {
    const guilty = control.name === param;
    control.row.classList.toggle("guilty", guilty);
    if (guilty) {
      control.row.closest("details").open = true;
    }
  }
}
