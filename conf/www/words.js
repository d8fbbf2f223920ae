// Small things that more than one part of the page needs.

/** An element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** 1234567 as "1.2 MB". */
export function bytes(count) {
  for (const unit of ["bytes", "KB", "MB", "GB"]) {
    if (count < 1000 || unit === "GB") {
      return `${unit === "bytes" ? count : count.toPrecision(3).replace(/\.0+$/, "")} ${unit}`;
    }
    count /= 1000;
  }
}

let fading;

/** Tells those who look at the page for a few seconds, and those who listen to it. */
export function say(text) {
  const status = document.getElementById("status");
  status.textContent = text;
  status.classList.add("fresh");
  clearTimeout(fading);
  fading = setTimeout(() => status.classList.remove("fresh"), 5000);
}
