// Files on their way to the server.

import { send } from "./api.js";
import { bytes, make, say } from "./words.js";

const atOnce = 3;

let running = 0;
const waiting = [];

function pump() {
  while (running < atOnce && waiting.length > 0) {
    running++;
    waiting.shift()().finally(() => {
      running--;
      pump();
    });
  }
}

/**
 * Takes files that are dropped anywhere on the page, chosen, or pasted. `stored` gets the item of each that the
 * server has, `unauthorized` is called where it asks for a token.
 */
export function startQueue({ drop, files, list }, stored, unauthorized) {
  const add = (chosen) => {
    for (const file of chosen) {
      list.append(row(file, stored, unauthorized));
    }
  };

  files.addEventListener("change", () => {
    add(files.files);
    files.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length > 0) {
      event.preventDefault();
      add(event.clipboardData.files);
    }
  });

  let depth = 0; // dragenter and dragleave come for every element below the pointer
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (by) => {
    depth = Math.max(0, depth + by);
    drop.classList.toggle("over", depth > 0);
  };
  document.addEventListener("dragenter", (event) => carriesFiles(event) && over(1));
  document.addEventListener("dragleave", (event) => carriesFiles(event) && over(-1));
  document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (carriesFiles(event)) {
      event.preventDefault();
      over(-depth);
      add(event.dataTransfer.files);
    }
  });
}

/** One file: its name, how far it is, and what became of it. */
function row(file, stored, unauthorized) {
  const bar = make("progress", { max: 1, value: 0, ariaLabel: `Upload of ${file.name}` });
  const state = make("span", { className: "state", textContent: "waiting" });
  const again = make("button", { type: "button", textContent: "Retry", hidden: true });
  const end = make("button", { type: "button", textContent: "Cancel" });
  const item = make("li", {},
    make("span", { className: "name", textContent: file.name, title: `${file.name}, ${bytes(file.size)}` }),
    bar, state, again, end);
  let abort;

  const start = () => {
    abort = new AbortController();
    item.classList.remove("failed");
    again.hidden = true;
    bar.hidden = false;
    end.textContent = "Cancel";
    waiting.push(run);
    pump();
  };

  const run = async () => {
    if (abort.signal.aborted) {
      return;
    }
    const { signal } = abort;
    const progress = (share) => {
      bar.value = share;
      state.textContent = share < 1 ? `${Math.floor(share * 100)} % of ${bytes(file.size)}` : "being checked";
    };
    progress(0);
    try {
      const record = await send(file, { progress, signal });
      item.remove();
      say(`${file.name}: ${record.status === "created" ? "stored" : "was stored before"}`);
      stored(record);
    } catch (problem) {
      if (signal.aborted) {
        return;
      }
      item.classList.add("failed");
      bar.hidden = true;
      again.hidden = false;
      state.textContent = problem.status ? `${problem.status}: ${problem.message}` : problem.message;
      end.textContent = "Dismiss";
      say(`${file.name}: ${problem.message}`);
      if (problem.status === 401) {
        unauthorized();
      }
    }
  };

  again.addEventListener("click", start);
  end.addEventListener("click", () => {
    abort.abort();
    item.remove();
  });
  start();
  return item;
}
