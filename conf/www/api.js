// The upload location, as this page speaks to it.

const base = document.documentElement.dataset.upload;
const store = "ngx_media token";

/** What a request came to nothing of: `status` and, where the server named it, the parameter at fault. */
export class Problem extends Error {
  constructor(status, detail, param) {
    super(detail);
    this.status = status;
    this.param = param;
  }
}

// ---- the token: from the address that quickstart prints, which then forgets it, or from the dialog ----

export function adoptToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    setToken(token);
    history.replaceState(null, "", location.pathname + location.search);
  }
}

export function setToken(token) {
  sessionStorage.setItem(store, token);
}

function authorization() {
  const token = sessionStorage.getItem(store);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

// ---- answers ----

/** The Problem in an answer that is not the one hoped for: RFC 9457 if it is ours, nginx' own page otherwise. */
function problemOf(status, text) {
  try {
    const { detail, title, param, items } = JSON.parse(text);
    const error = items?.find((item) => item.status === "error")?.error;
    return new Problem(status, (error ?? { detail, title }).detail || title || `status ${status}`, param);
  } catch {
    const known = { 401: "a token is needed", 403: "this token may not", 413: "too large for this server" };
    return new Problem(status, known[status] ?? `the server answered ${status}`);
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(base + path, { ...options, headers: { ...authorization(), ...options.headers } });
  } catch {
    throw new Problem(0, "the server cannot be reached");
  }
  if (!answer.ok) {
    throw problemOf(answer.status, await answer.text());
  }
  return answer;
}

/** A page of records: {items, next}. */
export async function list(after, limit) {
  const query = new URLSearchParams({ limit, ...(after && { after }) });
  return (await ask(`?${query}`)).json();
}

export async function remove(key) {
  await ask(`/${key}`, { method: "DELETE" });
}

/**
 * Sends one file; `progress` is told the share that has left. XMLHttpRequest, for fetch knows no progress of what
 * it sends. Resolves to the item of the answer.
 */
export function send(file, { progress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", base);
    request.setRequestHeader("Content-Type", file.type.startsWith("image/") ? file.type : "application/octet-stream");
    for (const [name, value] of Object.entries(authorization())) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 200 || request.status === 201) {
        resolve(JSON.parse(request.responseText).items[0]);
      } else {
        reject(problemOf(request.status, request.responseText));
      }
    };
    request.onerror = () => reject(new Problem(0, "the connection was cut: the server is gone, or the file too large"));
    request.onabort = () => reject(new Problem(0, "cancelled"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** A rendition: {blob, type, elapsed in ms}. Accept is what an <img> would send, so that fm=auto is as it will be. */
export async function render(url, signal) {
  const begun = performance.now();
  let answer;
  try {
    answer = await fetch(url, { signal, headers: { Accept: "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8" } });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Problem(0, "the server cannot be reached");
  }
  if (!answer.ok) {
    throw problemOf(answer.status, await answer.text());
  }
  const blob = await answer.blob();
  return { blob, type: blob.type, elapsed: performance.now() - begun };
}
