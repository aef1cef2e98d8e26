// Fetches the page again when a block has become final, at most once a second, and changes what is new in it;
// the rest, with what a reader has scrolled or focused, is not touched. Says so while the server is silent.
"use strict";
const place = document.querySelector("main[data-live]");
const silence = document.getElementById("silence");
let waiting = false;

function update(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  updateInside(old, fresh);
}

function updateInside(old, fresh) {
  const pieces = [...fresh.childNodes];
  if (old.childNodes.length === pieces.length) {
    [...old.childNodes].forEach((piece, number) => update(piece, pieces[number]));
  } else {
    old.replaceChildren(...pieces);
  }
}

function tell(silent) {
  silence.hidden = !silent;
  place.classList.toggle("stale", silent);
}

async function refresh() {
  waiting = false;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  tell(false);
  if (fresh) updateInside(place, document.adoptNode(fresh));
}

function soon() {
  if (waiting || document.hidden) return;
  waiting = true;
  setTimeout(() => refresh().catch(() => tell(true)), 1000);
}

if (place) {
  const events = new EventSource("/api/v1/events");
  events.addEventListener("block", soon);
  events.addEventListener("open", soon);
  events.addEventListener("error", () => tell(true));
  document.addEventListener("visibilitychange", soon);
}
