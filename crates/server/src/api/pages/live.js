// Fetches the page again when a block has become final, at most once a second, and puts the new main part
// in the place of the old one.
"use strict";
const place = document.querySelector("main[data-live]");
let waiting = false;
async function refresh() {
  waiting = false;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (fresh) place.replaceChildren(...fresh.childNodes);
}
if (place) {
  new EventSource("/api/v1/events").addEventListener("block", () => {
    if (waiting || document.hidden) return;
    waiting = true;
    setTimeout(() => refresh().catch(() => {}), 1000);
  });
}
