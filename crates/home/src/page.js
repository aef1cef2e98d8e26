// Brings the live part of the page up to date every two seconds, piece by piece: what has not changed is not
// touched, and what a reader has unfolded or focused stays so. Says so while the home does not answer.
'use strict';
const live = document.getElementById('live');
const silence = document.getElementById('silence');
const folds = new Map();

function update(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
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

function show(text) {
  const fresh = live.cloneNode(false);
  fresh.innerHTML = text;
  for (const [id, open] of folds) {
    const fold = fresh.querySelector('#' + id);
    if (fold) fold.open = open;
    else folds.delete(id);
  }
  const focused = live.contains(document.activeElement) ? document.activeElement.id : '';
  updateInside(live, fresh);
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
}

async function refresh() {
  let text = null;
  try {
    const answer = await fetch(live.dataset.from, { signal: AbortSignal.timeout(5000) });
    if (answer.ok) text = await answer.text();
  } catch { /* told below */ }
  silence.hidden = text !== null;
  live.classList.toggle('stale', text === null);
  if (text !== null) show(text);
  setTimeout(refresh, 2000);
}

if (live) {
  live.addEventListener('click', (event) => {
    const fold = event.target.closest('summary')?.parentElement;
    if (fold) folds.set(fold.id, !fold.open);
  });
  setTimeout(refresh, 2000);
}
