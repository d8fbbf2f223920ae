// The page: originals on the left, the rendition in the middle, its parameters on the right.

import * as api from "./api.js";
import { blame, build, fitTo, query } from "./controls.js";
import { startQueue } from "./queue.js";
import { bytes, make, say } from "./words.js";

const $ = (id) => document.getElementById(id);

const page = 24; // originals listed at a time
let chosen = null; // the record whose rendition is shown
let next = null; // where the list of originals goes on

// ---- originals ----

const thumbnail = (record) => `${record.url}?w=120&h=120&fit=cover&fm=webp`;

function card(record) {
  const button = make("button", { type: "button", className: "picture", onclick: () => choose(record) });
  button.dataset.key = record.key;
  button.append(make("img", {
    src: thumbnail(record), loading: "lazy", width: 120, height: 120,
    alt: `${record.width} × ${record.height}, ${record.type.replace("image/", "")}, ${bytes(record.bytes)}`,
  }));
  return make("li", {}, button);
}

const cardOf = (key) => $("pictures").querySelector(`[data-key="${CSS.escape(key)}"]`);

async function listMore() {
  try {
    const answer = await api.list(next, page);
    for (const record of answer.items.filter(({ key }) => !cardOf(key))) {
      $("pictures").append(card(record));
    }
    next = answer.next;
    $("more").hidden = !next;
    if (!chosen && answer.items.length > 0) {
      choose(answer.items[0]);
    }
  } catch (problem) {
    say(`The originals cannot be listed: ${problem.message}`);
    if (problem.status === 401) {
      askForToken();
    }
  }
}

function stored(record) {
  cardOf(record.key)?.parentElement.remove();
  $("pictures").prepend(card(record));
  choose(record);
}

function choose(record) {
  chosen = record;
  for (const button of $("pictures").querySelectorAll("button")) {
    button.toggleAttribute("aria-current", button.dataset.key === record?.key);
  }
  for (const id of ["open", "remove", "link"]) {
    $(id).hidden = !record;
  }
  $("empty").hidden = Boolean(record);
  if (record) {
    fitTo(record);
    refresh(0);
  } else {
    $("rendition").hidden = $("facts").hidden = $("download").hidden = $("problem").hidden = true;
  }
}

// ---- the rendition ----

let timer;
let asked; // aborts the request under way
let shown; // object URL of the picture on the page

function refresh(delay = 120) {
  clearTimeout(timer);
  if (chosen) {
    writeAddress();
    timer = setTimeout(show, delay);
  }
}

function path() {
  const wanted = query();
  return wanted ? `${chosen.url}?${wanted}` : chosen.url;
}

async function show() {
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  $("canvas").setAttribute("aria-busy", "true");
  try {
    const made = await api.render(path(), signal);
    const url = URL.createObjectURL(made.blob);
    const image = new Image();
    image.src = url;
    await image.decode().catch(() => {
      throw new api.Problem(0, `this browser cannot show ${made.type}`);
    });
    if (signal.aborted) {
      URL.revokeObjectURL(url);
      return;
    }
    if (shown) {
      URL.revokeObjectURL(shown);
    }
    shown = url;
    $("rendition").src = url;
    $("rendition").alt = `Rendition of ${image.naturalWidth} × ${image.naturalHeight} pixels`;
    $("rendition").hidden = false;
    tell(made, image);
  } catch (problem) {
    if (problem.name === "AbortError") {
      return;
    }
    $("problem").textContent = problem.status ? `${problem.status}: ${problem.message}` : problem.message;
    $("problem").hidden = false;
    $("rendition").hidden = $("facts").hidden = $("download").hidden = true;
    blame(problem.param);
  }
  $("canvas").removeAttribute("aria-busy");
}

function tell(made, image) {
  $("problem").hidden = true;
  blame();
  $("fact-size").textContent = `${image.naturalWidth} × ${image.naturalHeight}`;
  $("fact-format").textContent = made.type.replace("image/", "");
  $("fact-bytes").textContent = bytes(made.blob.size);
  $("fact-share").textContent = `${((100 * made.blob.size) / chosen.bytes).toPrecision(2)} %`;
  $("fact-share").title = `${chosen.width} × ${chosen.height}, ${bytes(chosen.bytes)}`;
  $("fact-time").textContent = `${Math.round(made.elapsed)} ms`;
  $("facts").hidden = false;
  const suffix = made.type.replace("image/", "").replace("jpeg", "jpg").replace("svg+xml", "svg");
  $("download").href = `${path()}${query() ? "&" : "?"}dl=picture.${suffix}`;
  $("download").hidden = false;
  writeAddress(image);
}

// ---- its address ----

const wordings = {
  url: (url) => url,
  markdown: (url) => `![](${url})`,
  curl: (url) => `curl -o picture '${url}'`,
  html(url, size) {
    const escaped = url.replaceAll("&", "&amp;");
    const sharp = /[?&](w|h)=/.test(url) && !url.includes("dpr=") ? ` srcset="${escaped}&amp;dpr=2 2x"` : "";
    return `<img src="${escaped}"${sharp}${size} alt="">`;
  },
};

function writeAddress(image) {
  const url = new URL(path(), location.href).href;
  const kind = document.querySelector("[name=link-kind]:checked").value;
  const size = image ? ` width="${image.naturalWidth}" height="${image.naturalHeight}"` : "";
  $("address").value = wordings[kind](url, size);
  $("open").href = url;
}

async function copy() {
  try {
    await navigator.clipboard.writeText($("address").value);
  } catch { // not on a page without TLS, or not allowed
    $("address").select();
    document.execCommand("copy");
  }
  say("Copied");
  $("copy").textContent = "Copied";
  setTimeout(() => {
    $("copy").textContent = "Copy";
  }, 1500);
}

// ---- dialogs ----

/** Resolves to the value of the button that closed it. */
function dialog(id) {
  $(id).returnValue = "cancel";
  $(id).showModal();
  return new Promise((resolve) => {
    $(id).addEventListener("close", () => resolve($(id).returnValue), { once: true });
  });
}

async function askForToken() {
  if (!$("token-dialog").open && (await dialog("token-dialog")) === "use") {
    api.setToken($("token").value.trim());
    $("token").value = "";
    next = null;
    await listMore();
  }
}

async function removeChosen() {
  const record = chosen;
  if ((await dialog("remove-dialog")) !== "remove") {
    return;
  }
  try {
    await api.remove(record.key);
    cardOf(record.key)?.parentElement.remove();
    say("Deleted");
    choose(null);
  } catch (problem) {
    say(`Not deleted: ${problem.message}`);
  }
}

// ---- the theme ----

function wearTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("ngx_media theme", theme);
}

// ---- all together ----

$("theme").value = localStorage.getItem("ngx_media theme") ?? "";
wearTheme($("theme").value);
$("theme").addEventListener("change", () => wearTheme($("theme").value));
$("token-open").addEventListener("click", askForToken);
$("token-cancel").addEventListener("click", () => $("token-dialog").close("cancel"));
$("more").addEventListener("click", listMore);
$("copy").addEventListener("click", copy);
$("remove").addEventListener("click", removeChosen);
$("address").addEventListener("focus", () => $("address").select());
$("link-kinds").addEventListener("change", () => writeAddress($("rendition").hidden ? undefined : $("rendition")));
$("actual").addEventListener("change", () => $("canvas").classList.toggle("actual", $("actual").checked));

api.adoptToken();
build($("controls"), $("groups"), () => refresh());
startQueue({ drop: $("drop"), files: $("files"), list: $("queue") }, stored, askForToken);
listMore();
